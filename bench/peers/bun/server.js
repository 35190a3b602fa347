// A subset of the base protocol (welcome, enter_room, text) on Bun, with its native topics as rooms.

import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { port: { type: 'string', default: '8776' } } });

let lastId = 0;

const server = Bun.serve({
  hostname: '127.0.0.1',
  port: Number(values.port),
  fetch(request, server) {
    const id = ++lastId;
    const data = { user: { id, name: `User ${id}` }, room: null };
    if (server.upgrade(request, { data })) return undefined;
    return new Response('This is a WebSocket server.\n', { status: 426 });
  },
  websocket: {
    perMessageDeflate: false,
    idleTimeout: 0,
    backpressureLimit: 64 << 20,
    open(socket) {
      socket.send(JSON.stringify({ type: 'welcome', user: socket.data.user }));
    },
    message(socket, data) {
      let request;
      try {
        request = JSON.parse(data);
      } catch {
        return;
      }
      const { user } = socket.data;
      switch (request.type) {
        case 'enter_room':
          enter(socket, `room ${request.roomId}`);
          break;
        case 'text':
          tell(socket.data.room, { type: 'text', text: request.text, from: user });
          break;
      }
    },
  },
});

console.log('ready');

function enter(socket, room) {
  if (socket.data.room !== null) socket.unsubscribe(socket.data.room);
  socket.subscribe(room);
  socket.data.room = room;
  tell(room, { type: 'enter_room', user: socket.data.user });
}

// The server's publish also reaches the sender; that of a socket would not.
function tell(room, event) {
  if (room !== null) server.publish(room, JSON.stringify(event));
}
