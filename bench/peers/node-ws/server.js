// A subset of the base protocol (welcome, enter_room, text) on Node.js with ws.

import { parseArgs } from 'node:util';
import { WebSocketServer } from 'ws';

const { values } = parseArgs({ options: { port: { type: 'string', default: '8776' } } });

const rooms = new Map(); // room id → Set of sockets
let lastId = 0;

const server = new WebSocketServer({
  host: '127.0.0.1',
  port: Number(values.port),
  backlog: 4096,
  perMessageDeflate: false,
});

server.on('listening', () => console.log('ready'));

server.on('connection', (socket) => {
  const id = ++lastId;
  socket.user = { id, name: `User ${id}` };
  socket.room = null;
  socket.on('error', () => {});
  socket.on('close', () => leave(socket));
  socket.on('message', (data) => {
    let request;
    try {
      request = JSON.parse(data);
    } catch {
      return;
    }
    switch (request.type) {
      case 'enter_room':
        enter(socket, Number(request.roomId));
        break;
      case 'text':
        tell(socket.room, { type: 'text', text: request.text, from: socket.user });
        break;
    }
  });
  socket.send(JSON.stringify({ type: 'welcome', user: socket.user }));
});

function enter(socket, id) {
  leave(socket);
  if (!rooms.has(id)) rooms.set(id, new Set());
  socket.room = rooms.get(id);
  socket.room.add(socket);
  tell(socket.room, { type: 'enter_room', user: socket.user });
}

function leave(socket) {
  socket.room?.delete(socket);
  socket.room = null;
}

function tell(room, event) {
  if (room === null) return;
  const frame = Buffer.from(JSON.stringify(event));
  for (const member of room) member.send(frame, { binary: false });
}
