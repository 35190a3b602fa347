// The chat as the views see it. Turns what the user wants (enter, say, rename …) into requests, restores the state
// after a reconnect, and handles refusals. The views call its methods and read `state`.

import { BaseProtocol } from './base.js';
import { Connection } from './connection.js';
import { Name } from './name.js';
import { Notes } from './notes.js';
import { Outbox } from './outbox.js';
import { Pages } from './pages.js';
import { Navigation } from './navigation.js';
import { ReadMarks } from './read.js';
import { Requests } from './requests.js';
import { Sender } from './sender.js';
import { State } from './state.js';
import { browserStorage } from './storage.js';

const TYPING_INTERVAL_MS = 2_500;
/** After this long without a frame the connection may be dead; a request finds out. */
const SILENCE_MS = 45_000;
/** The ref of requests whose answer does not matter. */
const TYPING_REF = 'typing';
/** Allowance for everything in a request but the text. */
const ENVELOPE_BYTES = 160;

const CLOCK = {
  now: () => Date.now(),
  setTimeout: (action, ms) => setTimeout(action, ms),
  clearTimeout: (timer) => clearTimeout(timer),
  random: () => Math.random(),
};

export class Chat {
  #storage;
  #clock;
  #loadGifs;
  #connection;
  #base;
  #requests;
  #outbox;
  #marks;
  #sender;
  #listeners = new Set();
  #messageListeners = new Set();
  #pages;
  #name;
  #notes;
  #navigation;
  #typedAt = -Infinity;
  #lastFrameAt = 0;
  #probeTimer = null;

  /**
   * `storage` is `{ local, session }`, each with get(key), set(key, value) and remove(key). `clock` has now(),
   * setTimeout, clearTimeout and random(). `isMentioned(text, name)` finds mentions. `loadGifs()` resolves to the list
   * of GIFs, for servers that do not send it.
   */
  constructor({
    url, WebSocket = globalThis.WebSocket, storage = browserStorage(), clock = CLOCK,
    isMentioned = () => false, loadGifs = async () => [],
  }) {
    this.#storage = storage;
    this.#clock = clock;
    this.#loadGifs = loadGifs;
    this.#outbox = new Outbox({ store: storage.session, clock });
    this.#marks = new ReadMarks({ store: storage.local, clock });
    const changed = () => this.#changed();
    this.state = new State({ clock, storage, outbox: this.#outbox, marks: this.#marks, isMentioned, changed });
    this.#connection = new Connection({
      url, WebSocket, clock,
      secret: () => storage.session.get('session'),
      handlers: {
        connecting: () => this.#connecting(),
        frame: (frame, version) => this.#frameArrived(frame, version),
        lost: (loss) => this.#lost({ phase: 'waiting', ...loss }),
        replaced: (reason) => this.#lost({ phase: 'replaced', code: 0, reason }),
      },
    });
    this.#base = new BaseProtocol({
      clock,
      send: (request) => this.#connection.send(request),
      receive: (frame) => this.#receive(frame),
    });
    this.#requests = new Requests({
      clock,
      send: (request) => this.#send(request),
      giveUp: () => this.#connection.giveUp('no answer'),
    });
    const { state } = this;
    const requests = this.#requests;
    this.#notes = new Notes(storage);
    this.#name = new Name({ store: storage.local, state, requests });
    this.#pages = new Pages({ state, requests, acknowledge: (events) => this.#acknowledge(events) });
    this.#navigation = new Navigation({
      state, requests, store: storage.session, outbox: this.#outbox, pages: this.#pages,
      proceed: () => this.#proceed(),
    });
    this.#sender = new Sender({
      clock, state, requests, outbox: this.#outbox, pages: this.#pages, proceed: () => this.#proceed(),
    });
  }

  /** Calls `listener()` after every change. Returns the function that unsubscribes. */
  subscribe(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Calls `listener(entry)` for every new message from others, but not for history. Returns the function that
   * unsubscribes.
   */
  onMessage(listener) {
    this.#messageListeners.add(listener);
    return () => this.#messageListeners.delete(listener);
  }

  // ---- what the user wants

  start() {
    this.#navigation.begin();
    this.#connection.open();
  }

  /**
   * Reconnects at once: after sleep or a change of network there is no point in waiting. An open connection may be
   * dead, so it is probed.
   */
  wake() {
    if (this.#connection.isReplaced) return;
    if (this.state.phase === 'online') this.#probe();
    else this.#connection.open();
  }

  /** Takes the session back from the tab that has taken it. */
  takeOver() {
    if (this.#connection.isReplaced) this.#connection.open();
  }

  stop() {
    this.#connection.close();
    this.#lost({ phase: 'waiting', code: 1000, reason: '' });
    this.#marks.flush();
  }

  enter(roomId) {
    this.#navigation.enter(roomId);
    this.#proceed();
  }

  leave() {
    this.#navigation.want(null);
    this.#proceed();
  }

  open(link) {
    this.#navigation.open(link);
    this.#proceed();
  }

  /** Returns whether the message was accepted; if not, it stays in the box. */
  say(text) {
    const { maxTextChars, maxMessageBytes = Infinity } = this.state.limits;
    const bytes = new TextEncoder().encode(JSON.stringify(text)).length + ENVELOPE_BYTES;
    if (text.trim() === '' || [...text].length > maxTextChars || bytes > maxMessageBytes) return false;
    return this.#add({ kind: 'text', text });
  }

  gif(gifId) {
    return this.#add({ kind: 'gif', gifId });
  }

  retry(ref) {
    const entry = this.#outbox.find(ref);
    if (entry) this.#outbox.retry(ref, this.#navigation.find(entry.room));
    this.#proceed();
  }

  discard(ref) {
    if (this.#outbox.find(ref)?.failed) this.#outbox.discard(ref);
    this.#changed();
  }

  /** An empty name means that the user does not want one. */
  rename(name) {
    this.#name.choose(name.trim());
    this.#changed();
  }

  create(title) {
    this.#navigation.create(title.trim());
    this.#changed();
  }

  /** Returns whether a request was sent. */
  loadOlder() {
    const isAsked = this.#pages.loadOlder();
    this.#changed();
    return isAsked;
  }

  loadGap(gap) {
    this.#pages.loadGap(gap);
    this.#changed();
  }

  show(seq) {
    this.#pages.show(seq);
    this.#changed();
  }

  targetShown() {
    this.state.target = null;
  }

  typing() {
    const now = this.#clock.now();
    if (!this.state.inRoom || now - this.#typedAt < TYPING_INTERVAL_MS) return;
    this.#typedAt = now;
    this.#send({ type: 'typing', ref: TYPING_REF });
  }

  /** Whether the user is looking at the newest messages. */
  setWatching(isWatching) {
    if (this.state.setWatching(isWatching)) this.#changed();
  }

  setDraft(text) {
    if (this.state.room) this.#notes.setDraft(this.state.room.title, text);
  }

  draft() {
    return this.#notes.draft(this.state.room?.title);
  }

  mute(roomId, isMuted) {
    this.#notes.mute(this.state.rooms.get(roomId)?.title, isMuted);
    this.#changed();
  }

  isMuted(roomId) {
    return this.#notes.isMuted(this.state.rooms.get(roomId)?.title);
  }

  dismiss() {
    this.state.notice = null;
    this.#changed();
  }

  // ---- events from the connection

  #connecting() {
    this.state.phase = 'connecting';
    this.state.retryAt = null;
    this.#changed();
  }

  #lost({ phase, code, reason, retryAt }) {
    this.#clock.clearTimeout(this.#probeTimer);
    this.state.disconnected({ phase, reason, retryAt });
    this.#sender.lost({ code, reason });
    this.#requests.lost();
    this.#base.reset();
    this.#changed();
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
      this.#refused(frame);
      return this.#proceed();
    }
    const isOurs = frame.from === undefined || frame.from.id === state.me?.id;
    this.#acknowledge(frame.type === 'room' ? frame.events : frame.from ? [frame] : []);
    const entry = state.apply(frame);
    if (isOurs && frame.ref !== undefined) this.#requests.answer(frame);
    switch (frame.type) {
      case 'welcome': this.#welcomed(frame); break;
      case 'list_rooms': this.#navigation.listed(); break;
      case 'room_changed': this.#navigation.titleChanged(frame.room); break;
      case 'leave_room': if (frame.user.id === state.me.id) this.#navigation.left(wasHere, frame); break;
      case 'change_name': if (frame.userId === state.me.id) this.#requests.answerOldest('change_name', frame); break;
    }
    if (entry) for (const listener of this.#messageListeners) listener(entry);
    this.#proceed();
  }

  /** Acknowledges our own messages among the events. */
  #acknowledge(events) {
    for (const event of events) this.#outbox.acknowledge(event, this.state.me?.id);
  }

  #welcomed({ session, resumed, gifs }) {
    if (session) this.#storage.session.set('session', session);
    this.#requests.ask({ type: 'list_rooms' });
    this.#name.welcomed(resumed);
    if (!gifs) this.#loadGifs().then((own) => { this.state.gifs = own; this.#changed(); }, () => {});
    this.#watchSilence();
  }

  #refused(error) {
    if (error.ref === TYPING_REF || this.#requests.refuse(error)) return;
    this.state.notice = { code: error.code, message: error.message };
  }

  // ---- requests

  /** Does the next step: goes to the room of the next unsent message or to the room the user wants, and sends. */
  #proceed() {
    const { state } = this;
    // While we change rooms, it is not certain in which room a message would be said.
    if (state.phase === 'online' && state.isListed && !this.#navigation.isMoving()) {
      const head = this.#outbox.head;
      // Messages written before the user went elsewhere are sent before leaving.
      const target = head && !this.#sender.isStalled ? head.room : state.wanted;
      if (!this.#navigation.isAt(target)) this.#navigation.go(target);
      else if (head && head.room.id === target?.id) this.#sender.next();
      this.#pages.proceed();
    }
    this.#changed();
  }

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
    if (this.state.version === 'base' || !room) this.#requests.ask({ type: 'list_rooms' });
    else this.#requests.ask({ type: 'history', roomId: room.id, before: 1, limit: 1 }, { refused() {} });
  }

  // ---- helpers

  #send(request) {
    return this.state.version === 'base' ? this.#base.send(request) : this.#connection.send(request);
  }

  #add(content) {
    const { room } = this.state;
    if (!room || this.#outbox.isFull) return false;
    this.#outbox.add(content, room);
    this.#proceed();
    return true;
  }

  #changed() {
    for (const listener of this.#listeners) listener();
  }
}
