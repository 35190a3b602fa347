// Las palabras con las que se encuentran los emojis. La primera es el nombre.

export default `
😄 risueño sonrisa feliz alegre 😁 radiante sonrisa dientes 😂 llorar_de_risa risa gracioso jaja 😃 sonriente alegre feliz 🤣 troncharse_de_risa risa suelo jaja
🙂 sonrisa_leve sonrisa amable 😉 guiño ironía 😊 sonrojado sonrisa contento 😍 enamorado ojos corazón amor 😀 sonrisa alegre feliz
😆 carcajada risa jaja 😅 sonrisa_con_sudor risa nervios uf 🙃 al_revés ironía broma 😇 ángel aureola inocente bueno 🥰 con_corazones enamorado amor
🤩 fascinado estrellas guau 😘 beso amor 😋 rico delicioso hambre lengua 😛 lengua burla broma 😜 lengua_y_guiño broma loco
🤪 loco payaso alocado 🤑 cara_de_dinero dinero rico 🤗 abrazo abrazar 🤭 tapándose_la_boca risita ups mano 🤫 silencio callar secreto chis
🤔 pensativo pensar duda mmm 🤐 boca_cerrada cremallera secreto callar 🤨 ceja_levantada escéptico duda 😐 neutral serio 😑 inexpresivo harto
😶 sin_palabras mudo boca 😏 pícaro sonrisa presumido 😒 descontento fastidio 🙄 ojos_en_blanco fastidio harto 😬 mueca dientes vergüenza
🤥 mentiroso mentira pinocho nariz 😌 aliviado tranquilo calma 😔 apenado triste pensativo 😪 somnoliento sueño cansado 😴 dormido dormir sueño
😷 mascarilla enfermo médico resfriado 🤒 fiebre enfermo termómetro 🤮 vómito vomitar asco 🥵 calor sudar caliente 🥶 frío congelado hielo
😵 mareado aturdido 🤯 cabeza_explotando alucinante explosión increíble 🤠 vaquero sombrero 🥳 fiesta cumpleaños celebrar 😎 gafas_de_sol genial guay
🤓 empollón gafas listo 🧐 monóculo examinar curioso 😕 confundido duda 😟 preocupado preocupación 🙁 triste pena 😮 sorprendido sorpresa oh
😳 ruborizado vergüenza sorpresa 🥺 suplicante por_favor ojos 😨 asustado miedo temor 😢 llorando lágrima triste llorar 😭 llanto llorar lágrimas triste
😱 grito miedo terror susto 😞 decepcionado triste 😓 sudor_frío sudor esfuerzo 😩 agotado cansado 🥱 bostezo sueño aburrido 😤 resoplido orgullo enfado
😡 furioso rabia ira rojo 😠 enfadado enojado 😈 diablillo demonio travieso 💀 calavera muerto muerte 💩 caca mierda 🤡 payaso circo 👻 fantasma halloween
👽 extraterrestre alien marciano 👾 marciano videojuego monstruo 🤖 robot bot máquina 🙈 no_ver mono vergüenza 🫡 saludo_militar saludo sí 🫠 derritiéndose calor vergüenza
👍 pulgar_arriba bien vale sí me_gusta 👎 pulgar_abajo mal no 👋 saludo hola adiós mano 👏 aplauso bravo palmas 🙌 manos_en_alto hurra celebrar
🙏 gracias por_favor rezar manos 👌 perfecto vale ok mano 💪 fuerza músculo bíceps ✋ mano alto para ✌️ victoria paz dos 🤞 dedos_cruzados suerte
🤘 rock cuernos metal 🤙 llámame teléfono 👈 izquierda dedo señalar 👉 derecha dedo señalar 👇 abajo dedo señalar ☝️ arriba dedo índice
✊ puño lucha 👊 puñetazo golpe puño 🤝 apretón_de_manos acuerdo trato 🖖 saludo_vulcano spock ✍️ escribir mano bolígrafo 🫶 manos_de_corazón amor
👀 ojos mirar ver 👁️ ojo ver 👂 oreja oír escuchar 🧠 cerebro pensar listo 👶 bebé niño 👦 niño chico 👧 niña chica 👨 hombre 👩 mujer
🤦 mano_en_la_frente vergüenza facepalm 🤷 encogerse_de_hombros ni_idea igual 🙋 mano_levantada pregunta yo 🙇 reverencia perdón gracias
🧑‍💻 programador informático ordenador trabajo 🕵️ detective espía buscar 🥷 ninja 🦸 superhéroe héroe heroína 🧙 mago bruja magia 🧟 zombi
🎅 papá_noel navidad santa 🏃 correr deporte prisa 🚶 caminar andar paseo 💃 bailarina bailar fiesta
❤️ corazón amor rojo 🧡 corazón_naranja 💛 corazón_amarillo 💚 corazón_verde 💙 corazón_azul 💜 corazón_morado violeta 🖤 corazón_negro 🤍 corazón_blanco
💔 corazón_roto triste desamor 💕 dos_corazones amor 💖 corazón_brillante amor 💓 latido corazón amor 💘 flechazo cupido corazón amor
💯 cien puntos exacto perfecto 💥 explosión choque bum 💫 mareo estrella 💨 ráfaga rápido viento 💤 sueño dormir ronquido 💬 bocadillo hablar chat mensaje
💭 pensamiento pensar sueño nube
🐶 perro perrito mascota 🐱 gato gatito mascota 🐰 conejo pascua 🦊 zorro 🐻 oso 🐼 panda 🦁 león 🐮 vaca 🐷 cerdo 🐸 rana 🐵 cara_de_mono mono
🐒 mono 🐧 pingüino 🐦 pájaro ave 🦆 pato 🦉 búho 🐺 lobo 🐴 caballo 🦄 unicornio 🐝 abeja miel 🐛 oruga bicho insecto error 🦋 mariposa 🕷️ araña
🐢 tortuga lento 🐍 serpiente 🐙 pulpo 🦀 cangrejo 🐟 pez pescado 🐬 delfín 🐳 ballena 🦈 tiburón 🐘 elefante 🐉 dragón 🐾 huellas patas
🌵 cactus desierto 🎄 árbol_de_navidad navidad 🌴 palmera playa vacaciones 🌱 brote planta crecer 🍀 trébol suerte 🍂 hojas_secas otoño 🍄 seta hongo
💐 ramo flores 🌹 rosa flor amor 🌻 girasol flor verano 🌸 flor_de_cerezo primavera flor 🌍 Tierra mundo planeta 🌕 luna_llena luna 🌙 luna noche
⭐ estrella 🌟 estrella_brillante estrella ✨ destellos brillo magia nuevo ⚡ rayo electricidad rápido 🔥 fuego llama 🌈 arcoíris ☀️ sol tiempo calor
☁️ nube tiempo ☔ paraguas lluvia ❄️ copo_de_nieve nieve invierno frío ⛄ muñeco_de_nieve invierno 🌊 ola mar agua 💧 gota agua 🌪️ tornado tormenta
🍎 manzana fruta 🍋 limón 🍌 plátano banana 🍉 sandía 🍓 fresa 🍒 cerezas 🍍 piña 🥑 aguacate 🍅 tomate 🥕 zanahoria 🌽 maíz 🍞 pan 🥐 cruasán desayuno
🧀 queso 🥚 huevo 🥞 tortitas 🍔 hamburguesa 🍟 patatas_fritas papas 🍕 pizza 🌭 perrito_caliente salchicha 🥪 sándwich bocadillo 🌮 taco 🥗 ensalada sano
🍜 ramen sopa fideos 🍣 sushi 🍚 arroz 🍿 palomitas cine 🍦 helado 🍩 dónut rosquilla 🍪 galleta 🎂 tarta_de_cumpleaños cumpleaños 🍰 tarta pastel
🍫 chocolate 🍬 caramelo dulce ☕ café pausa 🍵 té 🍺 cerveza 🍻 brindis cervezas salud 🍷 vino copa 🍸 cóctel copa 🍾 champán cava celebrar 🥂 copas brindis salud
⚽ fútbol balón 🏀 baloncesto 🏈 fútbol_americano 🎾 tenis 🎱 billar 🏓 ping-pong tenis_de_mesa 🎯 diana dardo objetivo 🏆 trofeo copa ganar 🏅 medalla deporte
🥇 medalla_de_oro primero oro 🎮 videojuego mando jugar 🎲 dado juego azar 🎨 paleta arte pintar 🎤 micrófono cantar karaoke 🎧 auriculares música cascos
🎵 nota_musical música 🎶 notas música canción 🎸 guitarra música 🥁 tambor batería 🎉 confeti fiesta celebrar enhorabuena 🎊 bola_de_confeti fiesta
🎈 globo cumpleaños 🎁 regalo cumpleaños 🎃 calabaza halloween 🎆 fuegos_artificiales
🚗 coche auto carro 🚌 autobús bus 🚲 bicicleta bici 🚆 tren ✈️ avión viaje volar 🚀 cohete espacio rápido lanzar 🚢 barco ⛵ velero barco ⚓ ancla puerto
🏠 casa hogar ⛺ tienda_de_campaña camping ⛰️ montaña 🏖️ playa sombrilla vacaciones 🛸 platillo_volante ovni
🚨 sirena alarma emergencia policía ⌚ reloj hora ⌛ reloj_de_arena esperar tiempo ⏰ despertador alarma hora ⏱️ cronómetro tiempo 📱 móvil teléfono celular
💻 portátil ordenador computadora ⌨️ teclado escribir 💾 disquete guardar 📷 cámara foto 📺 televisión tele ☎️ teléfono llamada 🔋 batería pila
🔌 enchufe corriente 💡 bombilla idea luz 🕯️ vela luz 🔧 llave_inglesa herramienta arreglar 🛠️ herramientas martillo construir ⚙️ engranaje ajustes
🧲 imán 💊 pastilla medicina 💉 jeringuilla vacuna 🔑 llave 🔒 candado cerrado seguro 🔓 candado_abierto abierto 🛡️ escudo protección 💣 bomba
🚿 ducha 🛏️ cama dormir 🚪 puerta 💰 bolsa_de_dinero dinero 💵 billete dólar dinero 💳 tarjeta pagar crédito 💎 gema diamante 📧 correo email mensaje
✉️ sobre carta correo 📦 paquete caja envío ✏️ lápiz escribir 📝 nota apuntes escribir 📖 libro leer 📚 libros estudiar leer 📋 portapapeles lista
📅 calendario fecha cita 📌 chincheta fijar 📎 clip adjunto 🗑️ papelera basura borrar 📈 gráfico_al_alza subida crecer 📉 gráfico_a_la_baja bajada
📊 gráfico_de_barras estadística datos 🔍 lupa buscar 🔗 enlace cadena vínculo 📣 megáfono anuncio 🔔 campana timbre aviso 👑 corona rey reina
💍 anillo boda compromiso 🔮 bola_de_cristal futuro adivinar
✅ hecho listo sí marca ✔️ marca correcto bien ❌ cruz no mal ❓ interrogación pregunta ❗ exclamación importante ‼️ doble_exclamación importante
⚠️ advertencia cuidado atención ⛔ prohibido_el_paso alto 🚫 prohibido no ♻️ reciclaje reciclar ♾️ infinito siempre 🔄 recargar flechas repetir
🆗 vale ok bien 🆒 genial cool guay 🆘 socorro ayuda sos 🔴 círculo_rojo punto 🟢 círculo_verde punto 🔵 círculo_azul punto 🟡 círculo_amarillo punto
🏁 bandera_a_cuadros meta carrera 🚩 bandera_roja aviso 🏳️‍🌈 bandera_arcoíris orgullo 🏴‍☠️ bandera_pirata pirata
`;
