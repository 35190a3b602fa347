// Emoji by their usual short names: `:wave:`. Loaded when one is wanted; see named.js.

/** The emoji of each group, each behind its short name. */
const TABLE = {
  faces: `
    smile 😄 grin 😁 joy 😂 rofl 🤣 slightly_smiling_face 🙂 wink 😉 blush 😊 heart_eyes 😍 smiley 😃 grinning 😀 laughing 😆
    sweat_smile 😅 upside_down_face 🙃 innocent 😇 smiling_face_with_three_hearts 🥰 star_struck 🤩 kissing_heart 😘 yum 😋
    stuck_out_tongue 😛 stuck_out_tongue_winking_eye 😜 zany_face 🤪 money_mouth_face 🤑 hugs 🤗 hand_over_mouth 🤭
    shushing_face 🤫 thinking 🤔 zipper_mouth_face 🤐 raised_eyebrow 🤨 neutral_face 😐 expressionless 😑 no_mouth 😶
    smirk 😏 unamused 😒 roll_eyes 🙄 grimacing 😬 lying_face 🤥 relieved 😌 pensive 😔 sleepy 😪 sleeping 😴 mask 😷
    face_with_thermometer 🤒 vomiting_face 🤮 hot_face 🥵 cold_face 🥶 dizzy_face 😵 exploding_head 🤯 cowboy_hat_face 🤠
    partying_face 🥳 sunglasses 😎 nerd_face 🤓 monocle_face 🧐 confused 😕 worried 😟 slightly_frowning_face 🙁
    open_mouth 😮 flushed 😳 pleading_face 🥺 fearful 😨 cry 😢 sob 😭 scream 😱 disappointed 😞 sweat 😓 weary 😩
    yawning_face 🥱 triumph 😤 rage 😡 angry 😠 smiling_imp 😈 skull 💀 poop 💩 clown_face 🤡 ghost 👻 alien 👽
    space_invader 👾 robot 🤖 see_no_evil 🙈 saluting_face 🫡 melting_face 🫠
  `,
  people: `
    thumbsup 👍 +1 👍 thumbsdown 👎 -1 👎 wave 👋 clap 👏 raised_hands 🙌 pray 🙏 ok_hand 👌 muscle 💪 raised_hand ✋ v ✌️
    crossed_fingers 🤞 metal 🤘 call_me_hand 🤙 point_left 👈 point_right 👉 point_down 👇 point_up ☝️ fist ✊ punch 👊
    handshake 🤝 vulcan_salute 🖖 writing_hand ✍️ heart_hands 🫶 eyes 👀 eye 👁️ ear 👂 brain 🧠 baby 👶 boy 👦 girl 👧 man 👨
    woman 👩 facepalm 🤦 shrug 🤷 raising_hand 🙋 bow 🙇 technologist 🧑‍💻 detective 🕵️ ninja 🥷 superhero 🦸 mage 🧙
    zombie 🧟 santa 🎅 runner 🏃 walking 🚶 dancer 💃
  `,
  hearts: `
    heart ❤️ orange_heart 🧡 yellow_heart 💛 green_heart 💚 blue_heart 💙 purple_heart 💜 black_heart 🖤 white_heart 🤍
    broken_heart 💔 two_hearts 💕 sparkling_heart 💖 heartbeat 💓 cupid 💘 100 💯 boom 💥 dizzy 💫 dash 💨 zzz 💤
    speech_balloon 💬 thought_balloon 💭
  `,
  nature: `
    dog 🐶 cat 🐱 rabbit 🐰 fox_face 🦊 bear 🐻 panda_face 🐼 lion 🦁 cow 🐮 pig 🐷 frog 🐸 monkey_face 🐵 monkey 🐒 penguin 🐧
    bird 🐦 duck 🦆 owl 🦉 wolf 🐺 horse 🐴 unicorn 🦄 bee 🐝 bug 🐛 butterfly 🦋 spider 🕷️ turtle 🐢 snake 🐍 octopus 🐙 crab 🦀
    fish 🐟 dolphin 🐬 whale 🐳 shark 🦈 elephant 🐘 dragon 🐉 paw_prints 🐾 cactus 🌵 christmas_tree 🎄 palm_tree 🌴
    seedling 🌱 four_leaf_clover 🍀 fallen_leaf 🍂 mushroom 🍄 bouquet 💐 rose 🌹 sunflower 🌻 cherry_blossom 🌸
    earth_africa 🌍 full_moon 🌕 crescent_moon 🌙 star ⭐ star2 🌟 sparkles ✨ zap ⚡ fire 🔥 rainbow 🌈 sunny ☀️ cloud ☁️
    umbrella ☔ snowflake ❄️ snowman ⛄ ocean 🌊 droplet 💧 tornado 🌪️
  `,
  food: `
    apple 🍎 lemon 🍋 banana 🍌 watermelon 🍉 strawberry 🍓 cherries 🍒 pineapple 🍍 avocado 🥑 tomato 🍅 carrot 🥕 corn 🌽
    bread 🍞 croissant 🥐 cheese 🧀 egg 🥚 pancakes 🥞 hamburger 🍔 fries 🍟 pizza 🍕 hotdog 🌭 sandwich 🥪 taco 🌮 salad 🥗
    ramen 🍜 sushi 🍣 rice 🍚 popcorn 🍿 icecream 🍦 doughnut 🍩 cookie 🍪 birthday 🎂 cake 🍰 chocolate_bar 🍫 candy 🍬
    coffee ☕ tea 🍵 beer 🍺 beers 🍻 wine_glass 🍷 cocktail 🍸 champagne 🍾 clinking_glasses 🥂
  `,
  fun: `
    soccer ⚽ basketball 🏀 football 🏈 tennis 🎾 8ball 🎱 ping_pong 🏓 dart 🎯 trophy 🏆 medal_sports 🏅 1st_place_medal 🥇
    video_game 🎮 game_die 🎲 art 🎨 microphone 🎤 headphones 🎧 musical_note 🎵 notes 🎶 guitar 🎸 drum 🥁 tada 🎉
    confetti_ball 🎊 balloon 🎈 gift 🎁 jack_o_lantern 🎃 fireworks 🎆
  `,
  places: `
    car 🚗 bus 🚌 bike 🚲 train 🚆 airplane ✈️ rocket 🚀 ship 🚢 sailboat ⛵ anchor ⚓ house 🏠 tent ⛺ mountain ⛰️
    beach_umbrella 🏖️ flying_saucer 🛸
  `,
  things: `
    rotating_light 🚨 watch ⌚ hourglass ⌛ alarm_clock ⏰ stopwatch ⏱️ iphone 📱 computer 💻 keyboard ⌨️ floppy_disk 💾
    camera 📷 tv 📺 telephone ☎️ battery 🔋 electric_plug 🔌 bulb 💡 candle 🕯️ wrench 🔧 hammer_and_wrench 🛠️ gear ⚙️
    magnet 🧲 pill 💊 syringe 💉 key 🔑 lock 🔒 unlock 🔓 shield 🛡️ bomb 💣 shower 🚿 bed 🛏️ door 🚪 moneybag 💰 dollar 💵
    credit_card 💳 gem 💎 email 📧 envelope ✉️ package 📦 pencil ✏️ memo 📝 book 📖 books 📚 clipboard 📋 date 📅 pushpin 📌
    paperclip 📎 wastebasket 🗑️ chart_with_upwards_trend 📈 chart_with_downwards_trend 📉 bar_chart 📊 mag 🔍 link 🔗
    mega 📣 bell 🔔 crown 👑 ring 💍 crystal_ball 🔮
  `,
  signs: `
    white_check_mark ✅ heavy_check_mark ✔️ x ❌ question ❓ exclamation ❗ bangbang ‼️ warning ⚠️ no_entry ⛔
    no_entry_sign 🚫 recycle ♻️ infinity ♾️ arrows_counterclockwise 🔄 ok 🆗 cool 🆒 sos 🆘 red_circle 🔴 green_circle 🟢
    blue_circle 🔵 yellow_circle 🟡 checkered_flag 🏁 triangular_flag_on_post 🚩 rainbow_flag 🏳️‍🌈 pirate_flag 🏴‍☠️
  `,
};

/** Short name → character. */
export const EMOJI = new Map();

/** Group → characters, each once: some have two names. */
export const EMOJI_GROUPS = new Map();

for (const [group, table] of Object.entries(TABLE)) {
  const words = table.trim().split(/\s+/);
  const characters = new Set();
  for (let i = 0; i < words.length; i += 2) {
    EMOJI.set(words[i], words[i + 1]);
    characters.add(words[i + 1]);
  }
  EMOJI_GROUPS.set(group, [...characters]);
}

/** Ignores case and accents. */
export const simple = (text) => text.normalize('NFD').replace(/\p{Mn}/gu, '').toLowerCase()
  .replaceAll('œ', 'oe').replaceAll('ß', 'ss').replaceAll('’', '\'');

/**
 * At most `most` emoji `{ name, character }` for the typed text, each character once: the exact name, names that start
 * with it, names with a later word that does; then those with such a word in the language of the page. `words` is a Map
 * of character to words, all of them `simple`. All words that are typed must fit.
 */
export function findEmoji(typed, most, words = new Map()) {
  const wanted = simple(typed).split(/[\s_]+/).filter((word) => word !== '');
  if (wanted.length === 0) return [];
  const whole = wanted.join('_');
  const ranked = [[], [], [], [], []];
  for (const [name, character] of EMOJI) {
    const known = [...name.split('_'), ...(words.get(character) ?? [])];
    const rank = name === whole ? 0
      : words.get(character)?.includes(whole) ? 1
        : name.startsWith(whole) ? 2
          : name.includes(`_${whole}`) ? 3
            : wanted.every((word) => known.some((one) => one.startsWith(word))) ? 4 : -1;
    if (rank >= 0) ranked[rank].push({ name, character });
  }
  // The shortest first: `heart` before `heart_eyes`.
  ranked[2].sort((a, b) => a.name.length - b.name.length);
  const found = new Map();
  for (const one of ranked.flat()) if (!found.has(one.character)) found.set(one.character, one);
  return [...found.values()].slice(0, most);
}
