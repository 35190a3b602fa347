// A chat server in the usual way of Socket.IO: rooms, connection state recovery, and the adapter for Redis Streams.
// node socketio.mjs PORT REDIS, where REDIS is the JSON of the options of ioredis.

import { createServer } from 'node:http';

import { createAdapter } from '@socket.io/redis-streams-adapter';
import { Redis } from 'ioredis';
import { Server } from 'socket.io';

const [port, where] = process.argv.slice(2);
const redis = new Redis(JSON.parse(where));
redis.on('error', () => {});

const http = createServer();
const io = new Server(http, {
  // The default, 10,000 entries, is five seconds of the load here.
  adapter: createAdapter(redis, { maxLen: 1_000_000 }),
  connectionStateRecovery: { maxDisconnectionDuration: 120_000 },
  transports: ['websocket'],
});

io.on('connection', (socket) => {
  socket.on('enter', (room, done) => {
    socket.join(room);
    done();
  });
  socket.on('text', (room, text, done) => {
    io.to(room).emit('text', text);
    done();
  });
});

http.listen(Number(port), '127.0.0.1');
