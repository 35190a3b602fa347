// The client of wschat.v2: connects, resumes, goes to the room that is wanted, sends every message exactly once, and
// follows the room without a gap or a repeat. See docs/protocol-v2.md.

import { Connection } from './connection.js';
import { Outbox } from './outbox.js';
import { Requests } from './requests.js';
import { Sender } from './sender.js';
import { ClientState } from './state.js';

const TYPING_INTERVAL_MS = 2_500;
/** After this long without a frame the connection may be dead; a request finds out. */
const SILENCE_MS = 45_000;
/** The ref of requests whose answer does not matter. */
const TYPING_REF = 'typing';
const REPLACED = 4001;
const MAX_PAGE = 100;

const CLOCK = {
  now: () => Date.now(),
  setTimeout: (action, ms) => setTimeout(action, ms),
  clearTimeout: (timer) => clearTimeout(timer),
  random: () => Math.random(),
};

/** Keeps values as long as the program runs. */
export class MemoryStore {
  #values = new Map();

  get(key) {
    return this.#values.get(key) ?? null;
  }

  set(key, value) {
    this.#values.set(key, structuredClone(value));
  }

  remove(key) {
    this.#values.delete(key);
  }
}

/** Why a request or a message came to nothing: `code` is the server's, or 'lost', 'room_gone' or 'unknown'. */
export class ChatError extends Error {
  constructor({ code, message, retryAfterMs }) {
    super(message || code);
    this.name = 'ChatError';
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

export class Client {
  state;
  #store;
  #clock;
  #hello;
  #chosenName;
  #connection;
  #base;
  #requests;
  #outbox;
  #sender;
  #listeners = new Map();
  /** The promises of messages, by ref. */
  #promises = new Map();
  #typedAt = -Infinity;
  #lastFrameAt = 0;
  #probeTimer = null;

  /**
   * `store` has get(key), set(key, value) and remove(key) for JSON values. `clock` has now(), setTimeout, clearTimeout
   * and random(). `base({ send, receive, clock })` makes what translates the base protocol. For `state` and `outbox`, a
   * program may bring its own.
   */
  constructor({
    url, WebSocket = globalThis.WebSocket, name = null, room = null, features = ['presence'], maxFrameBytes,
    store = new MemoryStore(), clock = CLOCK, base = null, state = null, outbox = null,
  }) {
    if (!WebSocket) throw new TypeError('There is no WebSocket here: pass one, such as that of the package ws.');
    this.#store = store;
    this.#clock = clock;
    this.#hello = { type: 'hello', features, ...(maxFrameBytes && { maxFrameBytes }) };
    this.#chosenName = name;
    this.#outbox = outbox ?? new Outbox({ store, clock, settled: (entry, event) => this.#settled(entry, event) });
    this.state = state ?? new ClientState({ store });
    this.#connection = new Connection({
      url, WebSocket, clock,
      speaksBase: base !== null,
      secret: () => store.get('session'),
      handlers: {
        connecting: () => this.#connecting(),
        frame: (frame, version) => this.#frameArrived(frame, version),
        lost: (loss) => this.#lost(loss),
      },
    });
    this.#base = base?.({
      clock,
      send: (request) => this.#connection.send(request),
      receive: (frame) => this.#receive(frame),
    });
    this.#requests = new Requests({
      clock,
      send: (request) => this.#transmit(request),
      giveUp: () => this.#connection.giveUp('no answer'),
    });
    this.#sender = new Sender({
      clock, state: this.state, requests: this.#requests, outbox: this.#outbox,
      page: (...query) => this.page(...query),
      proceed: () => this.proceed(),
    });
    if (room !== null) this.state.wanted = this.#named(room);
  }

  /** Calls `listener(detail)` for every event of this type. Returns the function that unsubscribes. */
  on(type, listener) {
    if (!this.#listeners.has(type)) this.#listeners.set(type, new Set());
    this.#listeners.get(type).add(listener);
    return () => this.#listeners.get(type).delete(listener);
  }

  /** Every new message from now on. */
  async *messages() {
    const waiting = [];
    let wake = () => {};
    const unsubscribe = this.on('message', (message) => { waiting.push(message); wake(); });
    try {
      for (;;) {
        while (waiting.length === 0) await new Promise((resolve) => { wake = resolve; });
        yield waiting.shift();
      }
    } finally {
      unsubscribe();
    }
  }

  // ---- the connection

  /** Connects, also after the connection was replaced or refused. */
  start() {
    this.#connection.open();
  }

  /**
   * Reconnects at once: after sleep or a change of network there is no point in waiting. An open connection may be
   * dead, so it is probed.
   */
  wake() {
    if (this.#connection.isStopped) return;
    if (this.state.phase === 'online') this.#probe();
    else this.#connection.open();
  }

  /** Closes the connection. The session waits to be resumed for a while; to leave the room at once, await `leave`. */
  stop() {
    this.#connection.close();
    this.#lost({ code: 1000, reason: '', retryAt: null });
  }

  // ---- rooms

  /** Goes to a room, by id or title, and returns there after every loss. */
  enter(room) {
    this.state.wanted = this.#named(room);
    this.proceed();
  }

  leave() {
    this.state.wanted = null;
    this.proceed();
  }

  async createRoom(title) {
    return (await this.request({ type: 'create_room', title })).room;
  }

  /** The current room for a remembered `{ id, title }`, or null. */
  find({ id, title }) {
    const { rooms } = this.state;
    const room = rooms.get(id);
    if (room && (title === undefined || room.title === title)) return room;
    return [...rooms.values()].find((one) => one.title === title) ?? null;
  }

  isMoving() {
    return this.#requests.isOpen('enter_room') || this.#requests.isOpen('leave_room');
  }

  // ---- messages

  /** Resolves with the event when the message is saved; rejects with a ChatError when it never will be. */
  say(text, room) {
    return this.#send({ kind: 'text', text }, room);
  }

  gif(gifId, room) {
    return this.#send({ kind: 'gif', gifId }, room);
  }

  typing() {
    const now = this.#clock.now();
    const { isSubscribed, hereId } = this.state;
    if (!isSubscribed || now - this.#typedAt < TYPING_INTERVAL_MS) return;
    this.#typedAt = now;
    this.#transmit({ type: 'typing', roomId: hereId, ref: TYPING_REF });
  }

  rename(name) {
    this.#chosenName = name;
    return this.request({ type: 'change_name', name });
  }

  /** One page of messages: `{ events, more, newer }`. The query has `before`, `after` or `around`, `limit`, `maxBytes`. */
  history(roomId, query = {}) {
    return this.request({ type: 'history', roomId, ...query });
  }

  /** All pages of messages before `before`, or of all, the newest page first. */
  async *pages(roomId, { before, ...query } = {}) {
    for (let at = before; ;) {
      const { events, more } = await this.history(roomId, { ...query, ...(at !== undefined && { before: at }) });
      if (events.length > 0) yield events;
      if (!more || events.length === 0) return;
      at = events[0].seq;
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

  // ---- for programs that bring their own state: without promises

  /** See `Requests.ask`. */
  ask(request, then) {
    return this.#requests.ask(request, then);
  }

  isOpen(type) {
    return this.#requests.isOpen(type);
  }

  /** Adds a page to what is known of the room. Then calls `done(events, more)`, `refused(error)` or `lost()`. */
  page(roomId, query, { done, refused, lost }) {
    const { historyMaxPage: limit = MAX_PAGE } = this.state.limits;
    this.ask({ type: 'history', roomId, limit: Math.min(MAX_PAGE, limit), ...query }, {
      retriesWhenLimited: true,
      answered: (page) => {
        this.#acknowledge(page.events);
        this.state.paged(roomId, page, query);
        done(page.events, page.more);
      },
      refused,
      lost,
    });
  }

  /** Does the next step: goes to the room of the next unsent message or to the room that is wanted, and sends. */
  proceed() {
    const { state } = this;
    // While we change rooms, it is not certain in which room a message would be said.
    if (state.phase === 'online' && state.isListed && !this.isMoving()) {
      const head = this.#outbox.head;
      // Messages written before the user went elsewhere are sent before leaving.
      const target = head && !this.#sender.isStalled ? head.room : state.wanted;
      const isThere = target === null ? state.hereId === null : state.isFollowing(target.id);
      if (!isThere) this.#go(target);
      else if (head && head.room.id === target?.id) this.#sender.next();
      this.#emit('idle');
    }
    this.#emit('change');
  }

  // ---- events from the connection

  #connecting() {
    Object.assign(this.state, { phase: 'connecting', retryAt: null });
    this.#emit('change');
  }

  #lost({ code, reason, retryAt }) {
    this.#clock.clearTimeout(this.#probeTimer);
    const phase = retryAt !== null ? 'waiting' : code === REPLACED ? 'replaced' : 'stopped';
    this.state.disconnected({ phase, reason, retryAt });
    this.#sender.lost({ code, reason });
    this.#requests.lost();
    this.#base?.reset();
    this.#emit('disconnected', { code, reason, retryAt });
    this.#emit('change');
  }

  #frameArrived(frame, version) {
    this.#lastFrameAt = this.#clock.now();
    this.state.version = version;
    if (version === 'base') this.#base.receive(frame);
    else this.#receive(frame);
  }

  #receive(frame) {
    const { state } = this;
    const wasHere = state.hereId;
    if (frame.type === 'error') {
      if (frame.ref !== TYPING_REF && !this.#requests.refuse(frame)) this.#emit('error', frame);
      return this.proceed();
    }
    this.#acknowledge(frame.type === 'room' ? frame.events : [frame]);
    const happened = state.apply(frame);
    // Everybody in the room sees the ref of a request in what it caused.
    const author = frame.from?.id ?? frame.user?.id ?? frame.userId ?? state.me?.id;
    const isOurs = author === state.me?.id;
    if (isOurs && frame.ref !== undefined) this.#requests.answer(frame);
    switch (frame.type) {
      case 'welcome': this.#welcomed(frame); break;
      case 'list_rooms': this.#relocate((room) => this.find(room)); break;
      case 'room': this.#askForUsers(); break;
      case 'room_changed': this.#titleChanged(frame.room); break;
      case 'leave_room': if (isOurs) this.#left(wasHere, frame); break;
      case 'change_name': if (isOurs && frame.ref === undefined) this.#requests.answerOldest('change_name', frame); break;
    }
    this.#emit(frame.type, frame);
    for (const [type, detail] of happened) this.#happened(type, detail);
    return this.proceed();
  }

  /** A message of a type that we do not know has only been counted. */
  #happened(type, detail) {
    if (type !== 'said') this.#emit(type, detail);
    else if (detail.type === 'text' || detail.type === 'gif') {
      this.#emit('message', { ...detail, own: this.state.isOwn(detail) });
    }
  }

  /** Acknowledges our own messages among the events. */
  #acknowledge(events) {
    for (const event of events) this.#outbox.acknowledge(event, this.state.me?.id);
  }

  #welcomed({ session, features }) {
    if (session) this.#store.set('session', session);
    if (features) this.ask(this.#hello, { refused() {} });
    this.ask({ type: 'list_rooms' });
    const name = this.#chosenName;
    if (name !== null && name !== this.state.me.name) this.ask({ type: 'change_name', name });
    this.#watchSilence();
  }

  #askForUsers() {
    const { hereId: roomId, usersAfter: after, limits: { usersMaxPage: limit } } = this.state;
    if (after === null) return;
    this.ask({ type: 'users', roomId, after, ...(limit && { limit }) }, {
      retriesWhenLimited: true,
      answered: () => this.#askForUsers(),
      refused: () => {},
    });
  }

  #titleChanged({ id, title }) {
    this.#relocate((room) => (room.id === id ? { id, title } : room));
  }

  #relocate(find) {
    this.#outbox.relocate(find);
    this.state.relocate(find);
  }

  /** We have left `roomId`: at our request, on the way to another room, or because the server said so. */
  #left(roomId, frame) {
    if (frame.ref !== undefined || this.#requests.isOpen('enter_room')) return;
    if (this.#requests.isOpen('leave_room')) return this.#requests.answerOldest('leave_room', frame);
    if (this.state.wanted?.id !== roomId) return;
    this.state.wanted = null;
    this.#emit('removed', { roomId });
  }

  // ---- going to a room

  /** The title is compared too: after a server restart the id may mean another room. */
  #go(room) {
    if (room === null) this.#leave();
    else if (this.state.rooms.get(room.id)?.title === room.title) this.#enter(room);
    else this.#roomGone(room, null);
  }

  #enter(room) {
    const since = this.state.since(room.id);
    this.ask({ type: 'enter_room', roomId: room.id, ...(since && { since }) }, {
      retriesWhenLimited: true,
      refused: (error) => this.#roomGone(room, error.code === 'unknown_room' ? null : error),
    });
  }

  #leave() {
    this.ask({ type: 'leave_room' }, {
      retriesWhenLimited: true,
      refused: () => { this.state.hereId = null; }, // not being in a room is what we wanted
    });
  }

  /** Its messages fail, and we stay where we are. */
  #roomGone(room, error) {
    const { state } = this;
    this.#outbox.failRoom(room, 'room_gone');
    const wasWanted = state.wanted?.id === room.id && state.wanted.title === room.title;
    const here = state.isSubscribed ? state.rooms.get(state.hereId) ?? null : null;
    if (wasWanted) state.wanted = here && { id: here.id, title: here.title };
    this.#emit('room_gone', { room, error, here, wasWanted });
    this.proceed();
  }

  // ---- dead connections

  /** Sends a cheap request if nothing has arrived for a while; without an answer, the connection is given up. */
  #watchSilence() {
    this.#probeTimer = this.#clock.setTimeout(() => {
      this.#requests.resetTimeout();
      if (this.#clock.now() - this.#lastFrameAt >= SILENCE_MS) this.#probe();
      this.#watchSilence();
    }, SILENCE_MS);
  }

  #probe() {
    const [room] = this.state.rooms.values();
    if (this.state.version === 'base' || !room) this.ask({ type: 'list_rooms' });
    else this.ask({ type: 'history', roomId: room.id, before: 1, limit: 1 }, { refused() {} });
  }

  // ---- helpers

  #transmit(request) {
    return (this.state.version === 'base' ? this.#base : this.#connection).send(request);
  }

  /** A room given by id or title. */
  #named(room) {
    const named = typeof room === 'number' ? { id: room } : { id: null, title: room };
    const found = this.find(named);
    return found ? { id: found.id, title: found.title } : named;
  }

  #send(content, room) {
    const place = room === undefined ? this.state.wanted : this.#named(room);
    const sent = new Promise((resolve, reject) => {
      if (place === null) return reject(new ChatError({ code: 'not_in_room', message: 'Enter a room first.' }));
      if (this.#outbox.isFull) return reject(new ChatError({ code: 'full', message: 'Too many messages wait.' }));
      this.#promises.set(this.#outbox.add(content, place), { resolve, reject });
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
    this.#outbox.discard(entry.ref);
    const error = new ChatError({ code: entry.failed.reason ?? 'lost', message: entry.failed.problem });
    this.#emit('failed', { entry, error });
    promise?.reject(error);
  }

  #emit(type, detail) {
    for (const listener of this.#listeners.get(type) ?? []) listener(detail);
  }
}
