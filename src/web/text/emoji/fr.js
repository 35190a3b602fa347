// Les mots par lesquels on trouve les émojis. Le premier est le nom.

export default `
😄 rieur sourire content heureux 😁 radieux sourire dents 😂 pleurer_de_rire rire larmes mdr 🤣 mort_de_rire rire mdr 🙂 léger_sourire sourire
😉 clin_d’œil ironie 😊 souriant rougir content 😍 amoureux yeux cœurs amour 😃 joyeux sourire heureux 😀 sourire joie content 😆 éclat_de_rire rire mdr
😅 sueur sourire gêné ouf 🙃 à_l’envers ironie blague 😇 ange auréole innocent sage 🥰 cœurs amoureux amour 🤩 émerveillé étoiles génial waouh
😘 bisou baiser amour 😋 miam délicieux faim langue 😛 langue taquin 😜 langue_et_clin_d’œil taquin blague 🤪 fou dingue folie 🤑 argent riche
🤗 câlin étreinte bras 🤭 main_sur_la_bouche oups rire 🤫 chut silence secret 🤔 pensif réfléchir penser hmm 🤐 bouche_cousue silence secret
🤨 sceptique sourcil doute 😐 neutre 😑 blasé inexpressif 😶 sans_voix muet bouche 😏 narquois sourire malin 😒 mécontent agacé 🙄 yeux_au_ciel agacé
😬 grimace dents gêne aïe 🤥 menteur mensonge pinocchio nez 😌 soulagé calme apaisé 😔 abattu triste pensif 😪 somnolent fatigué sommeil
😴 endormi dormir sommeil 😷 masque malade médecin rhume 🤒 fièvre malade thermomètre 🤮 vomi vomir dégoût beurk 🥵 chaud chaleur transpirer
🥶 froid gelé glacé 😵 sonné étourdi 🤯 tête_qui_explose incroyable explosion 🤠 cow-boy chapeau 🥳 fête anniversaire 😎 lunettes_de_soleil cool classe
🤓 intello lunettes malin 🧐 monocle examiner curieux 😕 confus perplexe 😟 inquiet inquiétude 🙁 triste peine 😮 surpris surprise oh 😳 rougissant gêne embarras
🥺 suppliant s’il_te_plaît pitié 😨 effrayé peur 😢 larme pleurer triste 😭 sanglots pleurer triste 😱 cri peur horreur 😞 déçu triste 😓 sueur_froide effort
😩 épuisé fatigué 🥱 bâillement bâiller fatigué ennui 😤 souffle_du_nez vexé colère 😡 furieux rage colère rouge 😠 fâché colère 😈 diablotin diable démon malin
💀 crâne mort tête_de_mort 💩 caca crotte 🤡 clown cirque 👻 fantôme halloween 👽 extraterrestre alien 👾 monstre jeu_vidéo alien 🤖 robot bot machine
🙈 ne_rien_voir singe honte 🫡 salut_militaire salut oui 🫠 fondu fondre chaleur gêne
👍 pouce_levé bien oui ok j’aime 👎 pouce_baissé mal non 👋 coucou salut bonjour au_revoir main 👏 applaudissements bravo 🙌 mains_levées hourra bravo
🙏 merci prière s’il_te_plaît mains 👌 parfait ok main 💪 biceps force muscle ✋ main stop arrêt ✌️ victoire paix deux 🤞 doigts_croisés chance
🤘 cornes rock métal 🤙 appelle-moi téléphone 👈 à_gauche doigt 👉 à_droite doigt 👇 en_bas doigt ☝️ en_haut doigt index ✊ poing lutte
👊 coup_de_poing poing frapper 🤝 poignée_de_main accord 🖖 salut_vulcain spock ✍️ écrire main stylo 🫶 mains_en_cœur amour 👀 yeux regarder voir
👁️ œil voir 👂 oreille entendre écouter 🧠 cerveau penser intelligent 👶 bébé enfant 👦 garçon enfant 👧 fille enfant 👨 homme 👩 femme
🤦 main_sur_le_front honte facepalm 🤷 haussement_d’épaules sais_pas bof 🙋 main_levée question moi 🙇 courbette pardon merci
🧑‍💻 informaticien développeur ordinateur travail 🕵️ détective espion enquête 🥷 ninja 🦸 super-héros héros héroïne 🧙 magicien sorcière magie 🧟 zombie
🎅 père_noël noël 🏃 courir course sport vite 🚶 marcher piéton promenade 💃 danseuse danser fête
❤️ cœur amour rouge 🧡 cœur_orange 💛 cœur_jaune 💚 cœur_vert 💙 cœur_bleu 💜 cœur_violet 🖤 cœur_noir 🤍 cœur_blanc 💔 cœur_brisé triste chagrin
💕 deux_cœurs amour 💖 cœur_étincelant amour 💓 battement cœur amour 💘 flèche cupidon cœur amour 💯 cent points exactement parfait 💥 explosion boum
💫 étourdi étoile 💨 rapide vent vite 💤 sommeil dormir ronfler 💬 bulle parler discussion message 💭 pensée penser rêve bulle
🐶 chien chiot animal 🐱 chat chaton animal 🐰 lapin pâques 🦊 renard 🐻 ours 🐼 panda 🦁 lion 🐮 vache 🐷 cochon 🐸 grenouille 🐵 tête_de_singe singe
🐒 singe 🐧 manchot pingouin 🐦 oiseau 🦆 canard 🦉 chouette hibou 🐺 loup 🐴 cheval 🦄 licorne 🐝 abeille miel 🐛 chenille insecte bug 🦋 papillon
🕷️ araignée 🐢 tortue lent 🐍 serpent 🐙 pieuvre poulpe 🦀 crabe 🐟 poisson 🐬 dauphin 🐳 baleine 🦈 requin 🐘 éléphant 🐉 dragon 🐾 pattes traces
🌵 cactus désert 🎄 sapin_de_noël noël sapin 🌴 palmier plage vacances 🌱 pousse plante 🍀 trèfle chance 🍂 feuilles_mortes automne 🍄 champignon
💐 bouquet fleurs 🌹 rose fleur amour 🌻 tournesol fleur été 🌸 fleur_de_cerisier printemps 🌍 Terre monde planète 🌕 pleine_lune lune 🌙 lune nuit
⭐ étoile 🌟 étoile_brillante étoile ✨ étincelles magie brillant nouveau ⚡ éclair électricité rapide 🔥 feu flamme 🌈 arc-en-ciel ☀️ soleil météo chaud
☁️ nuage météo ☔ parapluie pluie ❄️ flocon neige hiver froid ⛄ bonhomme_de_neige hiver 🌊 vague mer eau 💧 goutte eau 🌪️ tornade tempête
🍎 pomme fruit 🍋 citron 🍌 banane 🍉 pastèque 🍓 fraise 🍒 cerises 🍍 ananas 🥑 avocat 🍅 tomate 🥕 carotte 🌽 maïs 🍞 pain 🥐 croissant petit-déjeuner
🧀 fromage 🥚 œuf 🥞 crêpes pancakes 🍔 hamburger burger 🍟 frites 🍕 pizza 🌭 hot-dog saucisse 🥪 sandwich 🌮 taco 🥗 salade sain 🍜 ramen soupe nouilles
🍣 sushi 🍚 riz 🍿 pop-corn cinéma 🍦 glace 🍩 donut beignet 🍪 cookie biscuit 🎂 gâteau_d’anniversaire anniversaire 🍰 gâteau part 🍫 chocolat
🍬 bonbon sucré ☕ café pause 🍵 thé 🍺 bière 🍻 trinquer bières santé 🍷 vin verre 🍸 cocktail verre 🍾 champagne fête 🥂 coupes trinquer santé
⚽ football ballon foot 🏀 basket 🏈 football_américain 🎾 tennis 🎱 billard 🏓 ping-pong tennis_de_table 🎯 cible fléchette but 🏆 trophée coupe gagner
🏅 médaille sport 🥇 médaille_d’or premier or 🎮 jeu_vidéo manette jouer 🎲 dé jeu hasard 🎨 palette art peinture 🎤 micro chanter karaoké 🎧 casque musique écouter
🎵 note_de_musique musique 🎶 notes musique chanson 🎸 guitare musique 🥁 tambour batterie 🎉 cotillons fête bravo félicitations 🎊 confettis fête
🎈 ballon anniversaire 🎁 cadeau anniversaire 🎃 citrouille halloween 🎆 feu_d’artifice
🚗 voiture auto 🚌 bus autobus 🚲 vélo bicyclette 🚆 train ✈️ avion voyage vol 🚀 fusée espace rapide lancement 🚢 bateau navire ⛵ voilier bateau ⚓ ancre port
🏠 maison chez_soi ⛺ tente camping ⛰️ montagne 🏖️ plage parasol vacances 🛸 soucoupe_volante ovni
🚨 gyrophare alarme urgence police ⌚ montre heure ⌛ sablier attendre temps ⏰ réveil heure ⏱️ chronomètre temps 📱 portable téléphone mobile
💻 ordinateur portable ⌨️ clavier taper 💾 disquette enregistrer 📷 appareil_photo photo image 📺 télévision télé ☎️ téléphone appel 🔋 batterie pile
🔌 prise courant 💡 ampoule idée lumière 🕯️ bougie lumière 🔧 clé_plate outil réparer 🛠️ outils marteau bricoler ⚙️ engrenage réglages 🧲 aimant
💊 pilule médicament 💉 seringue vaccin 🔑 clé 🔒 cadenas fermé verrouillé 🔓 cadenas_ouvert ouvert 🛡️ bouclier protection 💣 bombe 🚿 douche 🛏️ lit dormir
🚪 porte 💰 sac_d’argent argent 💵 billet dollar argent 💳 carte_bancaire payer 💎 diamant pierre 📧 e-mail courriel message ✉️ enveloppe lettre courrier
📦 colis carton livraison ✏️ crayon écrire 📝 note mémo écrire 📖 livre lire 📚 livres étudier lire 📋 presse-papiers liste 📅 calendrier date rendez-vous
📌 punaise épingler 📎 trombone pièce_jointe 🗑️ corbeille poubelle supprimer 📈 courbe_en_hausse hausse croissance 📉 courbe_en_baisse baisse
📊 histogramme statistiques chiffres 🔍 loupe chercher 🔗 lien chaîne 📣 mégaphone annonce 🔔 cloche sonnette notification 👑 couronne roi reine
💍 bague mariage fiançailles 🔮 boule_de_cristal avenir voyance
✅ fait coché oui terminé ✔️ coche juste correct ❌ croix non faux ❓ point_d’interrogation question ❗ point_d’exclamation important
‼️ double_point_d’exclamation important ⚠️ avertissement attention danger ⛔ sens_interdit stop 🚫 interdit non ♻️ recyclage recycler ♾️ infini toujours
🔄 recharger flèches répéter 🆗 d’accord ok 🆒 cool 🆘 au_secours aide sos 🔴 cercle_rouge point 🟢 cercle_vert point 🔵 cercle_bleu point 🟡 cercle_jaune point
🏁 drapeau_à_damier arrivée course 🚩 drapeau_rouge alerte 🏳️‍🌈 drapeau_arc-en-ciel fierté 🏴‍☠️ drapeau_pirate pirate
`;
