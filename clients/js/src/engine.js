// The client of wschat.v2 at work: connects, resumes, goes to the room that is wanted, and sends every message exactly
// once. It tells what happens by events; client.js has the methods for programs. See docs/protocol-v2.md.

import { Connection } from './connection.js';
import { Requests } from './requests.js';
import { Sender } from './sender.js';

/** After this long without a frame the connection may be dead; a request finds out. */
const SILENCE_MS = 45_000;
/** The ref of requests whose answer does not matter. */
const TYPING_REF = 'typing';
/** What it means if a connection has ended for good. */
const ENDED = { 4001: 'replaced', 4003: 'kicked' };
const MAX_PAGE = 100;

/** The clock of those who do not bring their own. `now` measures durations: the time of day may be put back or forward. */
export const CLOCK = {
  now: () => performance.now(), time: () => Date.now(), random: () => Math.random(),
  setTimeout: (action, ms) => setTimeout(action, ms), clearTimeout: (timer) => clearTimeout(timer),
};

export class Engine {
  state;
  outbox;
  #store;
  #clock;
  #hello;
  #connection;
  #base;
  #requests;
  #sender;
  #listeners = new Map();
  #lastFrameAt = 0;
  #probeTimer = null;

  /**
   * `state` is a ServerState and `outbox` an Outbox. `store` has get(key) and set(key, value) for JSON values,
   * `clock` now(), time(), setTimeout, clearTimeout and random(). For servers without wschat.v2, `base({ send, receive,
   * clock })` makes what translates the base protocol, and `versions` decides what to offer.
   */
  constructor({ url, WebSocket, features, maxFrameBytes, store, clock, base, versions, state, outbox }) {
    Object.assign(this, { state, outbox });
    this.#store = store;
    this.#clock = clock;
    this.#hello = { type: 'hello', features, ...(maxFrameBytes && { maxFrameBytes }) };
    this.#connection = new Connection({
      url, WebSocket, clock, versions,
      secret: () => store.get('session'),
      handlers: {
        connecting: () => {
          Object.assign(state, { phase: 'connecting', retryAt: null });
          this.emit('change');
        },
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
    this.#sender = new Sender({ client: this, clock });
  }

  /** Calls `listener(detail)` for every event of this type. Returns the function that unsubscribes. */
  on(type, listener) {
    if (!this.#listeners.has(type)) this.#listeners.set(type, new Set());
    this.#listeners.get(type).add(listener);
    return () => this.#listeners.get(type).delete(listener);
  }

  emit(type, detail) {
    for (const listener of this.#listeners.get(type) ?? []) listener(detail);
  }

  // ---- the connection

  /** Connects, also after the connection was replaced or refused, or the user was kicked. */
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

  /** Ends a connection that leads nowhere. The next one is tried soon. */
  giveUp() { this.#connection.giveUp('connection lost'); }

  /** Closes the connection. The session waits to be resumed for a while; to leave the room at once, await `leave`. */
  stop(code = 1000, reason = '') {
    this.#connection.close();
    this.#lost({ code, reason, retryAt: null });
  }

  // ---- requests

  /**
   * The current room for a remembered `{ id, title }`, or null. Several rooms may have one title, so it is the id that
   * counts; a title only where there is no id, and where no other room has it.
   */
  find({ id, title }) {
    const { rooms } = this.state;
    if (id !== null && this.#hasSameIds) return rooms.get(id) ?? null;
    const room = rooms.get(id);
    if (room && (title === undefined || room.title === title)) return room;
    const [only, other] = [...rooms.values()].filter((one) => one.title === title);
    return other === undefined ? only ?? null : null;
  }

  /** Call this at most every two seconds while somebody types: the server ignores more. */
  typing() {
    if (this.state.isSubscribed) this.#transmit({ type: 'typing', roomId: this.state.hereId, ref: TYPING_REF });
  }

  /** See `Requests`, for both. */
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
    const isMoving = this.isOpen('enter_room') || this.isOpen('leave_room');
    if (state.phase === 'online' && state.isListed && !isMoving) {
      const head = this.outbox.head;
      // Messages written before the user went elsewhere are sent before leaving.
      const target = head && !this.#sender.isStalled ? head.room : state.wanted;
      const isThere = target === null ? state.hereId === null : state.isFollowing(target.id);
      if (!isThere) this.#go(target);
      else if (head && head.room.id === target?.id) this.#sender.next();
      this.emit('idle');
    }
    this.emit('change');
  }

  // ---- events from the connection

  #lost({ code, reason, retryAt }) {
    this.#clock.clearTimeout(this.#probeTimer);
    const phase = retryAt !== null ? 'waiting' : ENDED[code] ?? 'stopped';
    if (phase === 'kicked') this.#store.set('session', null); // it is over
    this.state.disconnected({ phase, reason, retryAt });
    this.#sender.lost({ code, reason });
    this.#requests.lost();
    this.#base?.reset();
    this.emit('disconnected', { code, reason, retryAt });
    this.emit('change');
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
    const titleBefore = state.rooms.get(frame.room?.id)?.title;
    if (frame.type === 'error') {
      if (frame.ref !== TYPING_REF && !this.#requests.refuse(frame)) this.emit('error', frame);
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
      case 'list_rooms': this.#relocate(); break;
      case 'room': this.#askForUsers(); break;
      case 'room_added': case 'room_changed': if (frame.room.title !== titleBefore) this.#relocate(); break;
      case 'leave_room': if (isOurs) this.#left(wasHere, frame); break;
    }
    this.emit(frame.type, frame);
    for (const [type, detail] of happened) this.emit(type, detail);
    return this.proceed();
  }

  /** Acknowledges our own messages among the events. */
  #acknowledge(events) {
    for (const event of events) this.outbox.acknowledge(event, this.state.me?.id);
  }

  #welcomed({ session, features }) {
    if (session) this.#store.set('session', session);
    // What we want and the server can do.
    const common = this.#hello.features.filter((name) => features?.includes(name));
    if (features) this.ask({ ...this.#hello, features: common }, { refused() {} });
    this.ask({ type: 'list_rooms' });
    this.#watchSilence();
  }

  #askForUsers() {
    const { hereId: roomId, usersAfter: after, limits: { usersMaxPage: limit } } = this.state;
    const then = { retriesWhenLimited: true, answered: () => this.#askForUsers(), refused() {} };
    if (after !== null) this.ask({ type: 'users', roomId, after, limit }, then);
  }

  /** The base protocol has no epochs: there the ids may have begun anew with every connection. */
  get #hasSameIds() {
    return this.state.epoch !== null && this.#store.get('epoch') === this.state.epoch;
  }

  /**
   * Finds the remembered rooms again. If the ids have begun anew, a room that is not found keeps only its title: its id
   * is another room's, or will be.
   */
  #relocate() {
    const { epoch } = this.state;
    const isAnew = epoch !== null && !this.#hasSameIds;
    const gone = ({ title }) => (isAnew && title !== undefined ? { id: null, title } : null);
    const find = (room) => this.find(room) ?? gone(room);
    this.outbox.relocate(find);
    this.state.relocate(find);
    this.emit('relocated', find);
    if (isAnew) this.#store.set('epoch', epoch);
  }

  /** We have left `roomId`: at our request, on the way to another room, or because the server said so. */
  #left(roomId, frame) {
    if (frame.ref !== undefined || this.isOpen('enter_room') || this.state.wanted?.id !== roomId) return;
    this.state.wanted = null;
    this.emit('removed', { roomId });
  }

  // ---- going to a room

  /** The title is compared too: over the base protocol, the id may mean another room after a restart. */
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
    // Not being in a room is what we wanted.
    const refused = () => { this.state.hereId = null; };
    this.ask({ type: 'leave_room' }, { retriesWhenLimited: true, refused });
  }

  /** Its messages fail, and we stay where we are. */
  #roomGone(room, error) {
    const { state } = this;
    this.outbox.failRoom(room, 'room_gone');
    const wasWanted = state.wanted?.id === room.id && state.wanted.title === room.title;
    const here = state.isSubscribed ? state.rooms.get(state.hereId) ?? null : null;
    if (wasWanted) state.wanted = here && { id: here.id, title: here.title };
    this.emit('room_gone', { room, error, here, wasWanted });
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

  #transmit(request) {
    return (this.state.version === 'base' ? this.#base : this.#connection).send(request);
  }
}
