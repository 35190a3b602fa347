// A program that uses the client, with a fake clock and a fake server, and what happened to it.

import { Client } from '../../../clients/js/src/client.js';
import { FakeClock, FakeServer } from '../core/fake.mjs';

const EVENTS = ['message', 'gap', 'lost', 'room_gone', 'removed', 'failed', 'disconnected', 'error'];

export class Bot {
  clock = new FakeClock();
  server = new FakeServer(this.clock);
  /** What it was told, as strings. */
  told = [];
  asked = [];

  constructor(options = {}) {
    this.server.onRequest = ({ ref, ...request }, session) => {
      this.asked.push(request);
      return this.answer?.(request, session);
    };
    this.client = new Client({ url: 'ws://fake', WebSocket: this.server.WebSocket, clock: this.clock, ...options });
    for (const type of EVENTS) this.client.on(type, (detail) => this.told.push(telling(type, detail)));
    this.client.start();
    this.server.flow();
  }

  get state() {
    return this.client.state;
  }

  get socket() {
    return this.server.sockets.at(-1);
  }

  get room() {
    return this.server.rooms.get(1);
  }

  record(id = 1) {
    return this.server.rooms.get(id).record.map(({ text, gifId }) => text ?? gifId);
  }

  flow() {
    this.server.flow();
  }

  wait(seconds) {
    for (let second = 0; second < seconds; second += 1) {
      this.clock.advance(1_000);
      this.flow();
    }
  }

  /** Loses the connection; what happens before it is back is up to `meanwhile`. */
  lose(meanwhile = () => {}) {
    this.server.cut(this.socket);
    meanwhile();
    this.wait(2);
  }

  push(frame) {
    this.server.push(this.socket, frame);
    this.flow();
  }

  /** What it was told since the last call. */
  news() {
    return this.told.splice(0);
  }

  types(type) {
    return this.asked.filter((request) => request.type === type);
  }
}

function telling(type, detail) {
  switch (type) {
    case 'message': return `${detail.own ? 'own ' : ''}${detail.text ?? `gif ${detail.gifId}`}`;
    case 'gap': return `gap ${detail.after}–${detail.before}`;
    case 'failed': return `failed ${detail.entry.text}: ${detail.error.code}`;
    case 'disconnected': return `disconnected ${detail.code}${detail.retryAt === null ? ' for good' : ''}`;
    case 'error': return `error ${detail.code}`;
    case 'room_gone': return `no room ${detail.room.title ?? detail.room.id}`;
    default: return type;
  }
}
