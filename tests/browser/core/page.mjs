// The page under test: a chat without a DOM, with a fake clock and a fake server.

import { BaseProtocol } from '../../../src/web/core/base.js';
import { Chat } from '../../../src/web/core/chat.js';
import { FakeClock, FakeServer, stores } from './fake.mjs';

export const ANNA = { id: 901, name: 'Anna' };
export const BEN = { id: 902, name: 'Ben' };

export class Page {
  /** The page's requests in order, each with its type and content, without `ref`. */
  asked = [];

  constructor({ clock = new FakeClock(), server = new FakeServer(clock), storage = stores(), ...options } = {}) {
    Object.assign(this, { clock, server, storage, options });
    this.#load();
  }

  /** A page that is online, and in room 1. */
  static inRoom(options) {
    const page = new Page(options);
    page.server.flow();
    page.chat.enter(1);
    page.server.flow();
    return page;
  }

  #load() {
    const { clock, storage, server, options } = this;
    const base = (about) => new BaseProtocol(about);
    this.chat = new Chat({ url: 'ws://fake', WebSocket: server.WebSocket, storage, clock, base, ...options });
    this.state = this.chat.state;
    if (!options.isIdle) this.chat.start();
  }

  reload() {
    this.chat.stop();
    this.#load();
    return this;
  }

  get socket() {
    return this.server.sockets.at(-1);
  }

  get room() {
    return this.server.rooms.get(1);
  }

  flow() {
    this.server.flow();
  }

  /** Moves the clock second by second, and delivers messages. */
  wait(seconds) {
    for (let second = 0; second < seconds; second += 1) {
      this.clock.advance(1_000);
      this.flow();
    }
  }

  /** Loses the connection, which is back a moment later. */
  loseAndReturn(code, reason) {
    this.server.cut(this.socket, code, reason);
    this.wait(2);
  }

  /** Records requests from now on; `answer(request)` may refuse them (see FakeServer). */
  watch(answer = () => undefined) {
    this.asked.length = 0;
    this.server.onRequest = (request, session) => {
      const { ref, ...rest } = request;
      this.asked.push(rest);
      return answer(request, session);
    };
    return this.asked;
  }

  /** The room's record, as texts. */
  record(id = 1) {
    return this.server.rooms.get(id).record.map(({ text, gifId }) => text ?? gifId);
  }

  /** What is on screen: texts, pending ones with their status, gaps, presence. */
  shown() {
    const lines = this.state.timeline.entries.map((entry) => {
      switch (entry.kind) {
        case 'text': return entry.text;
        case 'gif': return `gif ${entry.gifId}`;
        case 'gap': return `${entry.status} gap after ${entry.after} before ${entry.before}`;
        default: return entry.kind;
      }
    });
    return [...lines, ...this.state.pending.map(({ text, gifId, status }) => `${text ?? gifId}: ${status}`)];
  }

  types(type) {
    return this.asked.filter((request) => request.type === type);
  }
}
