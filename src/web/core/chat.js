// What the user wants, made into requests: enter, say, rename and so on; what to do after a (re)connect; and what a
// refusal means. The views call this and read `state`.

import { BaseProtocol } from './base.js';
import { Connection } from './connection.js';
import { Name } from './name.js';
import { Notes } from './notes.js';
import { Outbox } from './outbox.js';
import { Pages } from './pages.js';
import { Places } from './places.js';
import { ReadMarks } from './read.js';
import { Requests } from './requests.js';
import { Sending } from './sending.js';
import { State } from './state.js';
import { browserStorage } from './storage.js';

const TYPING_INTERVAL_MS = 2_500;
/** A line that is silent for so long may be dead, which only a question can tell. */
const SILENCE_MS = 45_000;
/** Not one of the requests whose answer matters. */
const TYPING_REF = 'typing';
/** What stands around the text in a request. */
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
  #sending;
  #listeners = new Set();
  #messageListeners = new Set();
  #pages;
  #name;
  #notes;
  #places;
  #typedAt = -Infinity;
  #heardAt = 0;
  #probeTimer = null;

  /**
   * `storage` is `{ local, session }` with get(key), set(key, value) and remove(key); `clock` has now(), setTimeout,
   * clearTimeout and random(); `isMentioned(text, name)` knows mentions; `loadGifs()` promises the pictures for when
   * the server does not say which there are.
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
        frame: (frame, version) => this.#heard(frame, version),
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
    this.#pages = new Pages({ state, requests, learn: (events) => this.#learn(events) });
    this.#places = new Places({
      state, requests, store: storage.session, outbox: this.#outbox, pages: this.#pages,
      goOn: () => this.#goOn(),
    });
    this.#sending = new Sending({
      clock, state, requests, outbox: this.#outbox, pages: this.#pages, goOn: () => this.#goOn(),
    });
  }

  /** `listener()` after any change; gives what ends it. */
  subscribe(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** `listener(entry)` for each message of others that has just been said, not for what is caught up with. */
  onMessage(listener) {
    this.#messageListeners.add(listener);
    return () => this.#messageListeners.delete(listener);
  }

  // ---- what the user wants

  start() {
    this.#places.begin();
    this.#connection.open();
  }

  /** After sleep or another network there is no point in waiting, and a line that looks alive may be dead. */
  wake() {
    if (this.#connection.isReplaced) return;
    if (this.state.phase === 'online') this.#probe();
    else this.#connection.open();
  }

  /** Takes the session back from the window that has taken it. */
  takeOver() {
    if (this.#connection.isReplaced) this.#connection.open();
  }

  stop() {
    this.#connection.close();
    this.#lost({ phase: 'waiting', code: 1000, reason: '' });
    this.#marks.flush();
  }

  enter(roomId) {
    this.#places.enter(roomId);
    this.#goOn();
  }

  leave() {
    this.#places.want(null);
    this.#goOn();
  }

  open(link) {
    this.#places.open(link);
    this.#goOn();
  }

  /** Whether it was taken; if not, it is still the writer's. */
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
    if (entry) this.#outbox.retry(ref, this.#places.find(entry.room));
    this.#goOn();
  }

  discard(ref) {
    if (this.#outbox.find(ref)?.failed) this.#outbox.discard(ref);
    this.#changed();
  }

  /** An empty name is the wish to go without. */
  rename(name) {
    this.#name.choose(name.trim());
    this.#changed();
  }

  create(title) {
    this.#places.create(title.trim());
    this.#changed();
  }

  /** Whether something was asked for. */
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

  /** Whether the user sees the newest messages now. */
  attend(isAttending) {
    if (this.state.attend(isAttending)) this.#changed();
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

  // ---- what the connection brings

  #connecting() {
    this.state.phase = 'connecting';
    this.state.retryAt = null;
    this.#changed();
  }

  #lost({ phase, code, reason, retryAt }) {
    this.#clock.clearTimeout(this.#probeTimer);
    this.state.disconnected({ phase, reason, retryAt });
    this.#sending.lost({ code, reason });
    this.#requests.lost();
    this.#base.reset();
    this.#changed();
  }

  #heard(frame, version) {
    this.#heardAt = this.#clock.now();
    this.state.version = version;
    if (version === 'base') this.#base.receive(frame);
    else this.#receive(frame);
  }

  #receive(frame) {
    const { state } = this;
    const wasHere = state.hereId;
    if (frame.type === 'error') {
      this.#refused(frame);
      return this.#goOn();
    }
    const isOurs = frame.from === undefined || frame.from.id === state.me?.id;
    this.#learn(frame.type === 'room' ? frame.events : frame.from ? [frame] : []);
    const entry = state.apply(frame);
    if (isOurs && frame.ref !== undefined) this.#requests.answer(frame);
    switch (frame.type) {
      case 'welcome': this.#welcomed(frame); break;
      case 'list_rooms': this.#places.listed(); break;
      case 'room_changed': this.#places.titleChanged(frame.room); break;
      case 'leave_room': if (frame.user.id === state.me.id) this.#places.left(wasHere, frame); break;
      case 'change_name': if (frame.userId === state.me.id) this.#requests.answerFirst('change_name', frame); break;
    }
    if (entry) for (const listener of this.#messageListeners) listener(entry);
    this.#goOn();
  }

  /** What of ours has been said. */
  #learn(events) {
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

  // ---- what is asked

  /** Does what is to be done next: go where something is to be said, or where the user wants to be, and say it. */
  #goOn() {
    const { state } = this;
    // While we are on our way nobody knows in which room something would be said.
    if (state.phase === 'online' && state.isListed && !this.#places.isMoving()) {
      const head = this.#outbox.head;
      // What was said before the user went elsewhere is sent before going.
      const target = head && !this.#sending.holdsBack ? head.room : state.wanted;
      if (!this.#places.isAt(target)) this.#places.go(target);
      else if (head && head.room.id === target?.id) this.#sending.next();
      this.#pages.goOn();
    }
    this.#changed();
  }

  /** Asks something that costs nothing, where a frame has not come for a while. */
  #watchSilence() {
    this.#probeTimer = this.#clock.setTimeout(() => {
      this.#requests.calm();
      if (this.#clock.now() - this.#heardAt >= SILENCE_MS) this.#probe();
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
    this.#goOn();
    return true;
  }

  #changed() {
    for (const listener of this.#listeners) listener();
  }
}
