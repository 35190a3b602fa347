// A client of wschat.v2 for bots and other programs: one room at a time, methods that return promises, and events. See
// README.md.

import { CLOCK, Engine } from './engine.js';
import { Outbox } from './outbox.js';
import { FollowingState } from './position.js';

/** Why a request or a message came to nothing: `code` is the server's, or 'lost', 'room_gone', 'unknown' or 'full'. */
export class ChatError extends Error {
  name = 'ChatError';

  constructor({ code, message, retryAfterMs }) {
    super(message || code);
    Object.assign(this, { code, retryAfterMs });
  }
}

export class Client extends Engine {
  #name;
  /** The promises of messages, by ref. */
  #promises = new Map();

  constructor({
    url, WebSocket = globalThis.WebSocket, name = null, room = null, store = new Map(),
    features = ['presence'], maxFrameBytes, clock = CLOCK,
  }) {
    if (!WebSocket) throw new TypeError('There is no WebSocket here: pass one, such as that of the package ws.');
    const outbox = new Outbox({ store, clock, settled: (entry, event) => this.#settled(entry, event) });
    super({ url, WebSocket, store, clock, features, maxFrameBytes, outbox, state: new FollowingState({ store }) });
    this.#name = name;
    if (room !== null) this.state.wanted = this.#find(room);
    // A new session has a new name.
    this.on('welcome', ({ user }) => {
      if (this.#name !== null && this.#name !== user.name) this.ask({ type: 'change_name', name: this.#name });
    });
    this.on('said', (event) => this.#said(event));
  }

  /** Goes to a room, by id or title, and returns there after every loss. */
  enter(room) {
    this.state.wanted = this.#find(room);
    this.proceed();
  }

  leave() {
    this.state.wanted = null;
    this.proceed();
  }

  /** Resolves with the event when the message is saved; rejects with a ChatError when it never will be. */
  say(text, room) {
    return this.#send({ kind: 'text', text }, room);
  }

  gif(gifId, room) {
    return this.#send({ kind: 'gif', gifId }, room);
  }

  rename(name) {
    this.#name = name;
    return this.request({ type: 'change_name', name });
  }

  async createRoom(title) {
    return (await this.request({ type: 'create_room', title })).room;
  }

  /** One page of messages. The query has `before`, `after` or `around`, `limit`, `maxBytes`. */
  history(roomId, query) {
    return this.request({ type: 'history', roomId, ...query });
  }

  /** The messages before `before`, or all, page by page, the newest page first. */
  async *pages(roomId, query = {}) {
    for (let { before } = query; ;) {
      const { events, more } = await this.history(roomId, { ...query, before });
      if (events.length > 0) yield events;
      if (!more || events.length === 0) return;
      before = events[0].seq;
    }
  }

  /** Sends any request. Resolves with its answer; rejects with a ChatError. Waits and retries when rate limited. */
  request(request) {
    return new Promise((resolve, reject) => {
      const lost = () => reject(new ChatError({ code: 'lost', message: 'The connection was lost.' }));
      if (this.state.phase !== 'online') return lost();
      const refused = (error) => reject(new ChatError(error));
      this.ask(request, { answered: resolve, refused, lost, retriesWhenLimited: true });
    });
  }

  /** A message of a type that we do not know has only been counted. */
  #said(event) {
    if (event.type !== 'text' && event.type !== 'gif') return;
    this.emit('message', { ...event, own: this.state.isOwn(event) });
  }

  /** A room by id or title. If the list has not come yet, it is found as soon as it has. */
  #find(room) {
    const sought = typeof room === 'number' ? { id: room } : { id: null, title: room };
    const { id, title } = this.find(sought) ?? sought;
    return { id, title };
  }

  #send(content, room) {
    const place = room === undefined ? this.state.wanted : this.#find(room);
    const sent = new Promise((resolve, reject) => {
      if (place === null) return reject(new ChatError({ code: 'not_in_room', message: 'Enter a room first.' }));
      if (this.outbox.isFull) return reject(new ChatError({ code: 'full', message: 'Too many messages wait.' }));
      this.#promises.set(this.outbox.add(content, place), { resolve, reject });
      this.proceed();
    });
    sent.catch(() => {}); // the program may not care
    return sent;
  }

  /** An entry was acknowledged by `event`, or has failed. */
  #settled(entry, event) {
    const promise = this.#promises.get(entry.ref);
    this.#promises.delete(entry.ref);
    if (event) return promise?.resolve(event);
    this.outbox.discard(entry.ref);
    const error = new ChatError({ code: entry.failed.reason, message: entry.failed.problem });
    this.emit('failed', { entry, error });
    promise?.reject(error);
  }
}
