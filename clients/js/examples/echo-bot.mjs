// Repeats what others say after "!echo". Start it with the server's address and a room:
//
//    node echo-bot.mjs ws://localhost:8776 'Room 1'
//
// Node before 22 has no WebSocket of its own: `npm install ws` there.

import { Client } from 'wschat-client';

const [url = 'ws://localhost:8776', room = 'Room 1'] = process.argv.slice(2);
const WebSocket = globalThis.WebSocket ?? (await import('ws')).default;
const client = new Client({ url, WebSocket, name: 'Echo', room });

client.on('room', (frame) => console.log(`in ${frame.room.title}`));
client.on('room_gone', () => { throw new Error(`there is no room ${room}`); });
client.on('disconnected', ({ reason, retryAt }) => {
  console.log(`disconnected${reason && `: ${reason}`}${retryAt === null ? '' : ', trying again'}`);
});
client.on('failed', ({ error }) => console.error(`not said: ${error.message}`));
process.once('SIGINT', () => client.stop());

client.start();
client.on('message', ({ own, text = '' }) => {
  if (!own && text.startsWith('!echo ')) client.say(text.slice('!echo '.length));
});
