// Emoji by their well-known short names: `:wave:`. The common ones of each group come first, as in the suggestions.

const TABLE = `
smile 😄 grin 😁 joy 😂 rofl 🤣 slightly_smiling_face 🙂 wink 😉 blush 😊 heart_eyes 😍 smiley 😃 grinning 😀 laughing 😆
sweat_smile 😅 upside_down_face 🙃 innocent 😇 smiling_face_with_three_hearts 🥰 star_struck 🤩 kissing_heart 😘 yum 😋
stuck_out_tongue 😛 stuck_out_tongue_winking_eye 😜 zany_face 🤪 money_mouth_face 🤑 hugs 🤗 hand_over_mouth 🤭
shushing_face 🤫 thinking 🤔 zipper_mouth_face 🤐 raised_eyebrow 🤨 neutral_face 😐 expressionless 😑 no_mouth 😶 smirk 😏
unamused 😒 roll_eyes 🙄 grimacing 😬 lying_face 🤥 relieved 😌 pensive 😔 sleepy 😪 drooling_face 🤤 sleeping 😴 mask 😷
face_with_thermometer 🤒 nauseated_face 🤢 vomiting_face 🤮 sneezing_face 🤧 hot_face 🥵 cold_face 🥶 woozy_face 🥴
dizzy_face 😵 exploding_head 🤯 cowboy_hat_face 🤠 partying_face 🥳 sunglasses 😎 nerd_face 🤓 monocle_face 🧐 confused 😕
worried 😟 slightly_frowning_face 🙁 open_mouth 😮 hushed 😯 astonished 😲 flushed 😳 pleading_face 🥺 fearful 😨
cold_sweat 😰 cry 😢 sob 😭 scream 😱 disappointed 😞 sweat 😓 weary 😩 tired_face 😫 yawning_face 🥱 triumph 😤 rage 😡
angry 😠 smiling_imp 😈 skull 💀 poop 💩 clown_face 🤡 ghost 👻 alien 👽 space_invader 👾 robot 🤖 see_no_evil 🙈
hear_no_evil 🙉 speak_no_evil 🙊 saluting_face 🫡 melting_face 🫠
thumbsup 👍 +1 👍 thumbsdown 👎 -1 👎 wave 👋 clap 👏 raised_hands 🙌 pray 🙏 ok_hand 👌 muscle 💪 raised_hand ✋ v ✌️
crossed_fingers 🤞 metal 🤘 call_me_hand 🤙 point_left 👈 point_right 👉 point_up_2 👆 point_down 👇 point_up ☝️ fist ✊
punch 👊 handshake 🤝 open_hands 👐 vulcan_salute 🖖 writing_hand ✍️ heart_hands 🫶 selfie 🤳 eyes 👀 eye 👁️ ear 👂 nose 👃
brain 🧠 tongue 👅 lips 👄 baby 👶 boy 👦 girl 👧 man 👨 woman 👩 older_man 👴 older_woman 👵 facepalm 🤦 shrug 🤷
raising_hand 🙋 bow 🙇 technologist 🧑‍💻 detective 🕵️ ninja 🥷 superhero 🦸 mage 🧙 zombie 🧟 santa 🎅 runner 🏃 walking 🚶 dancer 💃
footprints 👣 bust_in_silhouette 👤 busts_in_silhouette 👥
heart ❤️ orange_heart 🧡 yellow_heart 💛 green_heart 💚 blue_heart 💙 purple_heart 💜 black_heart 🖤 white_heart 🤍
broken_heart 💔 two_hearts 💕 sparkling_heart 💖 heartbeat 💓 cupid 💘 100 💯 boom 💥 collision 💥 dizzy 💫 sweat_drops 💦 dash 💨 zzz 💤
speech_balloon 💬 thought_balloon 💭
dog 🐶 cat 🐱 mouse 🐭 hamster 🐹 rabbit 🐰 fox_face 🦊 bear 🐻 panda_face 🐼 koala 🐨 tiger 🐯 lion 🦁 cow 🐮 pig 🐷 frog 🐸
monkey_face 🐵 monkey 🐒 chicken 🐔 penguin 🐧 bird 🐦 duck 🦆 owl 🦉 wolf 🐺 horse 🐴 unicorn 🦄 bee 🐝 bug 🐛 butterfly 🦋
snail 🐌 ant 🐜 spider 🕷️ turtle 🐢 snake 🐍 octopus 🐙 crab 🦀 fish 🐟 dolphin 🐬 whale 🐳 shark 🦈 elephant 🐘 sloth 🦥
hedgehog 🦔 dragon 🐉 t-rex 🦖 paw_prints 🐾 cactus 🌵 christmas_tree 🎄 evergreen_tree 🌲 palm_tree 🌴 seedling 🌱
four_leaf_clover 🍀 maple_leaf 🍁 fallen_leaf 🍂 mushroom 🍄 bouquet 💐 tulip 🌷 rose 🌹 sunflower 🌻 cherry_blossom 🌸
earth_africa 🌍 earth_americas 🌎 earth_asia 🌏 full_moon 🌕 crescent_moon 🌙 star ⭐ star2 🌟 sparkles ✨ zap ⚡ fire 🔥
rainbow 🌈 sunny ☀️ cloud ☁️ umbrella ☔ snowflake ❄️ snowman ⛄ ocean 🌊 droplet 💧 tornado 🌪️
apple 🍎 pear 🍐 tangerine 🍊 lemon 🍋 banana 🍌 watermelon 🍉 grapes 🍇 strawberry 🍓 cherries 🍒 peach 🍑 pineapple 🍍
coconut 🥥 avocado 🥑 tomato 🍅 eggplant 🍆 carrot 🥕 corn 🌽 hot_pepper 🌶️ potato 🥔 bread 🍞 croissant 🥐 pretzel 🥨
cheese 🧀 egg 🥚 bacon 🥓 pancakes 🥞 hamburger 🍔 fries 🍟 pizza 🍕 hotdog 🌭 sandwich 🥪 taco 🌮 burrito 🌯 salad 🥗
spaghetti 🍝 ramen 🍜 sushi 🍣 rice 🍚 popcorn 🍿 icecream 🍦 doughnut 🍩 cookie 🍪 birthday 🎂 cake 🍰 chocolate_bar 🍫
candy 🍬 honey_pot 🍯 coffee ☕ tea 🍵 milk_glass 🥛 beer 🍺 beers 🍻 wine_glass 🍷 cocktail 🍸 champagne 🍾 clinking_glasses 🥂
fork_and_knife 🍴
soccer ⚽ basketball 🏀 football 🏈 tennis 🎾 volleyball 🏐 8ball 🎱 ping_pong 🏓 dart 🎯 trophy 🏆 medal_sports 🏅
1st_place_medal 🥇 video_game 🎮 game_die 🎲 jigsaw 🧩 chess_pawn ♟️ art 🎨 performing_arts 🎭 microphone 🎤 headphones 🎧
musical_note 🎵 notes 🎶 guitar 🎸 drum 🥁 clapper 🎬 tada 🎉 confetti_ball 🎊 balloon 🎈 gift 🎁 jack_o_lantern 🎃
fireworks 🎆 ticket 🎫
car 🚗 taxi 🚕 bus 🚌 truck 🚚 bike 🚲 train 🚆 airplane ✈️ rocket 🚀 helicopter 🚁 ship 🚢 sailboat ⛵ anchor ⚓ house 🏠
office 🏢 school 🏫 hospital 🏥 factory 🏭 tent ⛺ mountain ⛰️ beach_umbrella 🏖️ city_sunset 🌆 world_map 🗺️ flying_saucer 🛸
construction 🚧 rotating_light 🚨 vertical_traffic_light 🚦
watch ⌚ hourglass ⌛ alarm_clock ⏰ stopwatch ⏱️ iphone 📱 computer 💻 desktop_computer 🖥️ keyboard ⌨️ printer 🖨️
floppy_disk 💾 cd 💿 camera 📷 tv 📺 radio 📻 telephone ☎️ battery 🔋 electric_plug 🔌 bulb 💡 flashlight 🔦 candle 🕯️
wrench 🔧 hammer 🔨 hammer_and_wrench 🛠️ gear ⚙️ magnet 🧲 test_tube 🧪 microscope 🔬 telescope 🔭 satellite 📡 pill 💊
syringe 💉 key 🔑 lock 🔒 unlock 🔓 shield 🛡️ bomb 💣 knife 🔪 toilet 🚽 shower 🚿 bed 🛏️ door 🚪 moneybag 💰 dollar 💵
euro 💶 credit_card 💳 gem 💎 balance_scale ⚖️ email 📧 envelope ✉️ inbox_tray 📥 outbox_tray 📤 package 📦 mailbox 📫
pencil ✏️ pencil2 ✏️ memo 📝 book 📖 books 📚 newspaper 📰 bookmark 🔖 clipboard 📋 calendar 📆 date 📅 pushpin 📌
paperclip 📎 scissors ✂️ file_folder 📁 wastebasket 🗑️ chart_with_upwards_trend 📈 chart_with_downwards_trend 📉
bar_chart 📊 mag 🔍 link 🔗 loudspeaker 📢 mega 📣 bell 🔔 no_bell 🔕 crown 👑 eyeglasses 👓 tophat 🎩 shirt 👕 ring 💍
crystal_ball 🔮 coffin ⚰️
white_check_mark ✅ heavy_check_mark ✔️ x ❌ heavy_plus_sign ➕ heavy_minus_sign ➖ question ❓ exclamation ❗ bangbang ‼️
warning ⚠️ no_entry ⛔ no_entry_sign 🚫 recycle ♻️ infinity ♾️ arrow_up ⬆️ arrow_down ⬇️ arrow_left ⬅️ arrow_right ➡️
arrows_counterclockwise 🔄 new 🆕 free 🆓 ok 🆗 cool 🆒 sos 🆘 information_source ℹ️ red_circle 🔴 green_circle 🟢
blue_circle 🔵 yellow_circle 🟡 black_circle ⚫ white_circle ⚪ checkered_flag 🏁 triangular_flag_on_post 🚩 white_flag 🏳️
rainbow_flag 🏳️‍🌈 pirate_flag 🏴‍☠️
`.trim().split(/\s+/);

/** Short name → character. */
export const EMOJI = new Map();
for (let i = 0; i < TABLE.length; i += 2) EMOJI.set(TABLE[i], TABLE[i + 1]);

/** No name is longer, so to look for one at a place has a bound. */
const NAME = /:([a-z0-9_+-]{1,40}):/y;

/** The emoji whose `:name:` begins at `index`, or null. */
export function emojiAt(text, index) {
  NAME.lastIndex = index;
  const name = NAME.exec(text)?.[1];
  const character = EMOJI.get(name);
  return character === undefined ? null : { name, character, end: index + name.length + 2 };
}

/** At most `most` names for what has been typed: that name itself, names that begin so, then those with such a word in them. */
export function emojiNames(typed, most) {
  const ranked = [[], [], []];
  for (const name of EMOJI.keys()) {
    if (name === typed) ranked[0].push(name);
    else if (name.startsWith(typed)) ranked[1].push(name);
    else if (name.includes(`_${typed}`)) ranked[2].push(name);
  }
  return ranked.flat().slice(0, most);
}
