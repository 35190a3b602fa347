// Die Wörter, unter denen man Emojis findet. Das erste ist der Name.

export default `
😄 lachend lächeln froh glücklich 😁 strahlend grinsen freude 😂 Freudentränen lachen tränen witzig 🤣 vor_Lachen_kugeln boden lustig
🙂 lächeln freundlich 😉 zwinkern augenzwinkern ironie 😊 erröten lächeln froh nett 😍 verliebt herzaugen liebe toll 😃 fröhlich lachen
😀 grinsen lachen freude 😆 kichern lachen lustig 😅 Schweißtropfen lachen verlegen puh 🙃 kopfüber ironie albern
😇 Engel heiligenschein unschuldig brav 🥰 Herzchen verliebt liebe glücklich 🤩 begeistert sterne wow toll 😘 Kuss küsschen liebe
😋 lecker mmh hunger zunge 😛 Zunge frech albern 😜 frech zunge zwinkern quatsch 🤪 verrückt albern wild 🤑 Geldgesicht geld reich
🤗 Umarmung umarmen drücken 🤭 Hoppla kichern hand mund 🤫 pst leise ruhe geheim 🤔 nachdenklich denken überlegen hm
🤐 Reißverschluss schweigen geheim 🤨 skeptisch augenbraue zweifel 😐 neutral egal 😑 ausdruckslos genervt 😶 sprachlos stumm mund
😏 süffisant grinsen selbstgefällig 😒 unzufrieden genervt 🙄 Augenrollen genervt 😬 Grimasse zähne peinlich autsch
🤥 Lügner lügen pinocchio nase 😌 erleichtert zufrieden ruhig 😔 nachdenklich traurig bedrückt 😪 schläfrig müde 😴 schlafend schlafen müde
😷 Maske krank arzt erkältet 🤒 Fieber krank thermometer 🤮 kotzen übel erbrechen eklig 🥵 heiß hitze schwitzen 🥶 kalt frieren eis
😵 schwindlig benommen tot 🤯 Kopfexplosion explodieren wahnsinn unglaublich 🤠 Cowboy hut western 🥳 Party feiern geburtstag
😎 cool sonnenbrille lässig 🤓 Streber nerd brille schlau 🧐 Monokel prüfen untersuchen 😕 verwirrt unsicher 😟 besorgt sorge
🙁 betrübt traurig schade 😮 staunend überrascht oh 😳 errötet verlegen peinlich 🥺 flehend bitte hundeblick
😨 ängstlich angst furcht 😢 weinend weinen träne traurig 😭 heulen weinen schluchzen 😱 Schrei schreien angst entsetzt
😞 enttäuscht traurig 😓 Schweiß bedrückt mühe 😩 erschöpft müde 🥱 gähnen müde langweilig 😤 schnauben wut trotz 😡 wütend wut rot zorn
😠 verärgert sauer böse 😈 Teufel teufelchen frech 💀 Totenkopf tot schädel 💩 Kacke haufen mist 🤡 Clown albern zirkus
👻 Gespenst geist halloween 👽 Außerirdischer alien ufo 👾 Monster spiel pixel 🤖 Roboter bot maschine 🙈 nichts_sehen affe scham
🫡 Salut salutieren jawohl 🫠 schmelzend schmelzen hitze peinlich
👍 Daumen_hoch gut ja super gefällt 👎 Daumen_runter schlecht nein 👋 winken hallo tschüss hand 👏 klatschen applaus bravo
🙌 Jubel hurra hände hoch 🙏 danke bitte beten hände 👌 okay perfekt hand 💪 stark muskel kraft bizeps ✋ Hand stopp halt
✌️ Frieden sieg victory zwei 🤞 Daumendrücken glück hoffen 🤘 Rock metal hörner 🤙 Anruf telefon locker 👈 nach_links zeigen finger
👉 nach_rechts zeigen finger 👇 nach_unten zeigen finger ☝️ nach_oben zeigefinger wichtig ✊ Faust kampf 👊 Faustschlag schlag faust
🤝 Händedruck handschlag abgemacht einig 🖖 Vulkanier spock gruß ✍️ schreiben hand stift 🫶 Herzhände herz hände liebe
👀 Augen schauen sehen gucken 👁️ Auge sehen 👂 Ohr hören 🧠 Gehirn hirn denken klug 👶 Baby säugling kind 👦 Junge kind
👧 Mädchen kind 👨 Mann 👩 Frau 🤦 Stirnklatschen peinlich facepalm 🤷 Schulterzucken egal ahnung weiß 🙋 melden hand frage ich
🙇 Verbeugung verneigen entschuldigung danke 🧑‍💻 Entwickler computer programmieren arbeit 🕵️ Detektiv suchen spion 🥷 Ninja kämpfer
🦸 Superheld held heldin 🧙 Zauberer magie hexe 🧟 Zombie untoter 🎅 Weihnachtsmann nikolaus weihnachten 🏃 laufen rennen sport
🚶 gehen spazieren fußgänger 💃 Tänzerin tanzen party
❤️ Herz liebe rot 🧡 oranges_Herz 💛 gelbes_Herz 💚 grünes_Herz 💙 blaues_Herz 💜 lila_Herz violett 🖤 schwarzes_Herz 🤍 weißes_Herz
💔 gebrochenes_Herz liebeskummer traurig 💕 zwei_Herzen liebe 💖 funkelndes_Herz liebe 💓 Herzschlag herz 💘 Amor pfeil herz verliebt
💯 hundert prozent volltreffer genau 💥 Knall explosion bumm 💫 schwindlig stern 💨 Staubwolke schnell wind 💤 Schlaf schnarchen müde
💬 Sprechblase reden chat 💭 Gedankenblase denken traum
🐶 Hund hündchen haustier 🐱 Katze kätzchen haustier 🐰 Hase kaninchen ostern 🦊 Fuchs 🐻 Bär 🐼 Panda 🦁 Löwe 🐮 Kuh 🐷 Schwein
🐸 Frosch 🐵 Affengesicht affe 🐒 Affe 🐧 Pinguin 🐦 Vogel 🦆 Ente 🦉 Eule 🐺 Wolf 🐴 Pferd 🦄 Einhorn 🐝 Biene honig
🐛 Raupe insekt fehler käfer 🦋 Schmetterling 🕷️ Spinne 🐢 Schildkröte langsam 🐍 Schlange 🐙 Krake tintenfisch 🦀 Krabbe krebs
🐟 Fisch 🐬 Delfin 🐳 Wal 🦈 Hai 🐘 Elefant 🐉 Drache 🐾 Pfoten spuren tier 🌵 Kaktus wüste 🎄 Weihnachtsbaum tannenbaum weihnachten
🌴 Palme strand urlaub 🌱 Keimling pflanze wachsen 🍀 Kleeblatt glück 🍂 Laub blatt herbst 🍄 Pilz 💐 Blumenstrauß blumen
🌹 Rose blume liebe 🌻 Sonnenblume blume sommer 🌸 Kirschblüte blüte frühling 🌍 Erde welt globus 🌕 Vollmond mond 🌙 Mond nacht
⭐ Stern 🌟 leuchtender_Stern ✨ Funkeln glitzer zauber neu ⚡ Blitz strom schnell 🔥 Feuer flamme heiß 🌈 Regenbogen
☀️ Sonne wetter warm ☁️ Wolke wetter ☔ Regenschirm regen schirm ❄️ Schneeflocke schnee winter kalt ⛄ Schneemann winter
🌊 Welle meer wasser 💧 Tropfen wasser 🌪️ Wirbelsturm tornado sturm
🍎 Apfel obst 🍋 Zitrone sauer 🍌 Banane 🍉 Wassermelone melone 🍓 Erdbeere 🍒 Kirschen 🍍 Ananas 🥑 Avocado 🍅 Tomate
🥕 Karotte möhre 🌽 Mais 🍞 Brot 🥐 Croissant frühstück 🧀 Käse 🥚 Ei 🥞 Pfannkuchen 🍔 Burger hamburger 🍟 Pommes fritten
🍕 Pizza 🌭 Hotdog wurst 🥪 Sandwich brot 🌮 Taco 🥗 Salat gesund 🍜 Nudelsuppe ramen nudeln 🍣 Sushi 🍚 Reis 🍿 Popcorn kino
🍦 Eis softeis 🍩 Donut 🍪 Keks plätzchen 🎂 Geburtstagstorte geburtstag kuchen 🍰 Torte kuchen 🍫 Schokolade 🍬 Bonbon süßes
☕ Kaffee heiß pause 🍵 Tee 🍺 Bier prost 🍻 anstoßen prost bier 🍷 Wein rotwein glas 🍸 Cocktail drink 🍾 Sekt champagner feiern
🥂 Sektgläser anstoßen prost
⚽ Fußball ball 🏀 Basketball 🏈 Football 🎾 Tennis 🎱 Billard 🏓 Tischtennis 🎯 Zielscheibe ziel dart treffer 🏆 Pokal sieg gewinner
🏅 Medaille sport 🥇 Goldmedaille erster gold sieger 🎮 Videospiel spielen konsole 🎲 Würfel spiel zufall 🎨 Farbpalette kunst malen
🎤 Mikrofon singen karaoke 🎧 Kopfhörer musik hören 🎵 Note musik 🎶 Noten musik lied 🎸 Gitarre musik rock 🥁 Trommel schlagzeug
🎉 Konfetti party feiern glückwunsch 🎊 Konfettiball feiern 🎈 Luftballon ballon geburtstag 🎁 Geschenk geburtstag 🎃 Kürbis halloween
🎆 Feuerwerk silvester
🚗 Auto fahren 🚌 Bus 🚲 Fahrrad rad 🚆 Zug bahn ✈️ Flugzeug fliegen reise 🚀 Rakete start schnell weltraum 🚢 Schiff
⛵ Segelboot boot segeln ⚓ Anker hafen 🏠 Haus zuhause ⛺ Zelt camping ⛰️ Berg berge wandern 🏖️ Strand urlaub meer
🛸 Ufo untertasse außerirdische
🚨 Blaulicht alarm notfall polizei ⌚ Armbanduhr uhr zeit ⌛ Sanduhr warten zeit ⏰ Wecker uhr aufstehen ⏱️ Stoppuhr zeit 📱 Handy telefon
💻 Laptop computer rechner ⌨️ Tastatur tippen 💾 Diskette speichern 📷 Kamera foto bild 📺 Fernseher film ☎️ Telefon anruf
🔋 Batterie akku 🔌 Stecker strom 💡 Glühbirne idee licht 🕯️ Kerze licht 🔧 Schraubenschlüssel werkzeug reparieren
🛠️ Werkzeug hammer bauen ⚙️ Zahnrad einstellungen technik 🧲 Magnet 💊 Tablette pille medizin 💉 Spritze impfung 🔑 Schlüssel
🔒 Schloss gesperrt zu sicher 🔓 offenes_Schloss entsperrt 🛡️ Schild schutz 💣 Bombe 🚿 Dusche duschen 🛏️ Bett schlafen 🚪 Tür
💰 Geldsack geld reich 💵 Geldschein geld dollar 💳 Kreditkarte bezahlen karte 💎 Edelstein diamant 📧 Mail post nachricht
✉️ Briefumschlag brief post 📦 Paket karton lieferung ✏️ Bleistift stift schreiben 📝 Notiz schreiben liste 📖 Buch lesen
📚 Bücher lernen lesen 📋 Klemmbrett liste 📅 Kalender datum termin 📌 Reißzwecke pinnen 📎 Büroklammer anhang 🗑️ Papierkorb müll löschen
📈 Aufwärtstrend wachstum kurve 📉 Abwärtstrend fallen kurve 📊 Balkendiagramm statistik zahlen 🔍 Lupe suchen 🔗 Link verknüpfung kette
📣 Megafon ankündigung laut 🔔 Glocke klingel benachrichtigung 👑 Krone könig königin 💍 Ring verlobung hochzeit
🔮 Kristallkugel zukunft wahrsagen
✅ erledigt haken fertig ja ✔️ Häkchen haken richtig ❌ Kreuz nein falsch ❓ Fragezeichen frage ❗ Ausrufezeichen wichtig
‼️ zwei_Ausrufezeichen wichtig ⚠️ Warnung achtung vorsicht ⛔ Einfahrt_verboten stopp 🚫 verboten nein ♻️ Recycling umwelt
♾️ unendlich ewig 🔄 neu_laden pfeile wiederholen 🆗 okay gut 🆒 cool 🆘 Notruf hilfe sos 🔴 roter_Kreis punkt 🟢 grüner_Kreis punkt
🔵 blauer_Kreis punkt 🟡 gelber_Kreis punkt 🏁 Zielflagge ziel rennen 🚩 rote_Fahne warnung 🏳️‍🌈 Regenbogenflagge stolz pride
🏴‍☠️ Piratenflagge pirat totenkopf
`;
