// The words by which emoji are found, beside their short names.

export default `
😄 happy laugh glad 😁 beaming teeth happy 😂 tears laugh crying funny lol 🤣 rolling floor laugh lol 🙂 smile nice 😉 winking joke 😊 shy happy smile
😍 love crush hearts 😃 happy smile 😀 happy smile 😆 lol haha satisfied 😅 nervous phew relief 🙃 silly irony sarcasm 😇 angel halo 🥰 love crush adore
🤩 wow amazing excited stars 😘 kiss love 😋 tasty delicious hungry 😛 tongue cheeky 😜 tongue cheeky silly 🤪 crazy goofy wild 🤑 rich money 🤗 hug
🤭 oops giggle 🤫 quiet hush secret shh 🤔 hmm think wonder 🤐 secret quiet silence 🤨 sceptical skeptical doubt 😐 meh 😑 meh blank 😶 speechless silent
😏 smug 😒 unhappy annoyed meh 🙄 eyeroll annoyed 😬 awkward teeth eek 🤥 liar lie pinocchio 😌 calm content peaceful 😔 sad thoughtful 😪 tired
😴 sleep zzz tired 😷 sick ill doctor cold 🤒 sick ill fever 🤮 vomit sick puke gross 🥵 heat sweating 🥶 freezing ice 😵 dead dazed 🤯 wow mind blown shocked
🤠 hat western 🥳 party birthday celebrate 😎 cool shades 🤓 geek smart glasses 🧐 inspect curious 😕 unsure puzzled 😟 anxious concerned 🙁 sad
😮 surprised wow oh 😳 embarrassed blush 🥺 please puppy begging 😨 afraid scared fear 😢 sad tear 😭 crying tears sad 😱 scared fear shock horror 😞 sad
😓 hard work effort 😩 tired exhausted 🥱 tired bored 😤 huff proud 😡 angry mad furious 😠 mad cross 😈 devil evil naughty 💀 dead death bones 💩 crap
🤡 joker circus 👻 halloween boo spooky 👽 ufo space 👾 game monster retro 🤖 bot machine 🙈 shy blind ape 🫡 yes sir respect 🫠 hot heat embarrassed
👍 yes like good approve ok 👎 no dislike bad 👋 hello hi bye goodbye 👏 applause bravo well done 🙌 hooray praise yay 🙏 thanks please thank you
👌 perfect okay 💪 strong strength arm biceps ✋ stop high five ✌️ peace victory two 🤞 luck hope 🤘 rock horns 🤙 phone hang loose 👈 left 👉 right 👇 down
☝️ up one 👊 fist bump hit ✊ power 🤝 deal agreement shake 🖖 spock trek 🫶 love ✍️ write pen 👀 look see watching 👁️ see look 👂 hear listen 🧠 mind clever
👶 child infant 👦 child kid 👧 child kid 👨 male guy 👩 female lady 🤦 oh no embarrassed 🤷 dunno whatever idk 🙋 question me raise 🙇 sorry thanks
🧑‍💻 developer programmer coder computer 🕵️ spy investigate 🥷 stealth 🦸 hero 🧙 wizard witch magic 🧟 undead 🎅 christmas claus 🏃 running run fast
🚶 walk stroll 💃 dance party
❤️ love red 🧡 love 💛 love 💚 love 💙 love 💜 love 🖤 love dark 🤍 love 💔 sad breakup 💕 love 💖 love 💓 love pulse 💘 love arrow valentine
💯 hundred perfect exactly 💥 explosion bang collision 💫 star 💨 fast wind 💤 sleep snore 💬 chat talk comment 💭 think dream
🐶 puppy pet 🐱 kitten pet 🐰 bunny easter 🦊 animal 🐻 teddy 🐼 animal 🦁 animal 🐮 moo 🐷 oink 🐸 toad 🐵 ape 🐒 ape 🐧 animal linux 🐦 tweet 🦆 quack
🦉 night wise 🐺 howl 🐴 pony 🦄 magic 🐝 honey buzz 🐛 insect error caterpillar 🦋 insect 🕷️ web insect 🐢 slow tortoise 🐍 python 🐙 sea tentacles
🦀 rust sea 🐟 sea 🐬 sea 🐳 sea docker 🦈 sea jaws 🐘 trunk postgres 🐉 fantasy 🐾 feet animal 🌵 desert 🎄 xmas 🌴 beach holiday 🌱 plant grow 🍀 luck shamrock
🍂 autumn fall leaves 🍄 toadstool 💐 flowers 🌹 flower love 🌻 flower summer 🌸 flower spring 🌍 world globe planet europe 🌕 night 🌙 night ⭐ favourite favorite
🌟 shiny glowing ✨ shiny magic new clean ⚡ lightning electric fast thunder 🔥 hot flame lit 🌈 colours colors 🌊 wave sea water ☀️ sun weather warm
☁️ weather ☔ rain weather ❄️ snow winter cold ⛄ snow winter 💧 water drop 🌪️ storm weather
🍎 fruit red 🍋 fruit sour 🍌 fruit 🍉 fruit melon 🍓 fruit berry 🍒 fruit 🍍 fruit 🥑 fruit 🍅 fruit 🥕 vegetable 🌽 maize vegetable 🍞 loaf toast 🥐 breakfast
🧀 cheddar 🥚 breakfast 🥞 breakfast 🍔 burger 🍟 chips 🍕 slice 🌭 sausage 🥪 lunch 🌮 mexican 🥗 healthy lunch 🍜 noodles soup 🍣 fish japanese 🍚 bowl
🍿 cinema film movie 🍦 cone 🍩 donut 🍪 biscuit 🎂 cake candles 🍰 dessert slice 🍫 sweet 🍬 sweet 🍵 green cup ☕ hot espresso break 🍺 pint drink
🍻 cheers drinks 🍷 red drink 🍸 drink martini 🍾 celebrate bottle 🥂 cheers toast
⚽ football ball 🏀 ball sport 🏈 ball sport 🎾 ball sport 🎱 pool billiards 🏓 table tennis 🎯 target bullseye goal 🏆 winner cup win 🏅 medal 🥇 first gold winner
🎮 gaming controller play 🎲 dice luck 🎨 paint palette 🎤 sing karaoke 🎧 music listen 🎵 music song 🎶 music song 🎸 music rock 🥁 music
🎉 party celebrate congratulations hooray 🎊 party celebrate 🎈 birthday party 🎁 present birthday 🎃 halloween pumpkin 🎆 new year celebrate
🚗 auto drive 🚌 coach 🚲 bicycle cycle 🚆 railway ✈️ plane fly travel flight 🚀 launch space ship fast 🚢 boat cruise ⛵ boat ⚓ harbour harbor
🏠 home ⛺ camping ⛰️ hiking 🏖️ holiday sea sand 🛸 ufo alien
🚨 alarm emergency police siren ⌚ time clock ⌛ wait time ⏰ time wake ⏱️ timer time 📱 phone mobile cell 💻 laptop pc ⌨️ type 💾 save disk 📷 photo picture
📺 television film ☎️ phone call 🔋 power 🔌 power 💡 idea light 🕯️ light 🔧 tool fix spanner 🛠️ tools build fix ⚙️ settings cog 🧲 attract 💊 medicine drug
💉 vaccine needle 🔑 password 🔒 locked secure private 🔓 open 🛡️ protect secure 💣 explosive 🚿 bath wash 🛏️ sleep 🚪 exit 💰 money rich 💵 money cash
💳 pay money 💎 diamond jewel 📧 mail message ✉️ mail letter 📦 parcel box delivery ✏️ write edit 📝 note write 📖 read 📚 read study library 📋 list
📅 calendar day 📌 pin 📎 attach 🗑️ trash bin delete 📈 growth up 📉 down loss 📊 statistics graph 🔍 search find 🔗 chain url 📣 announce loud
🔔 notification ring 👑 king queen 💍 wedding engagement 🔮 future magic fortune
✅ done yes tick ok ✔️ done yes tick ❌ no wrong cross cancel ❓ why what ❗ important ‼️ important ⚠️ caution danger attention ⛔ stop forbidden
🚫 forbidden banned stop ♻️ reuse green ♾️ forever 🔄 refresh reload sync 🆗 okay 🆒 nice 🆘 help emergency 🔴 dot 🟢 dot 🔵 dot 🟡 dot 🏁 finish race
🚩 red warning 🏳️‍🌈 pride lgbt 🏴‍☠️ skull
`;
