// The chat as the views see it. Turns what the user wants (enter, say, rename …) into calls of the protocol's client,
// and handles refusals. The views call its methods and read `state`.

import { CLOCK, Engine } from '../../../clients/js/src/engine.js';
import { LateBase } from './late.js';
import { Name } from './name.js';
import { Notes } from './notes.js';
import { Pages } from './pages.js';
import { Pending } from './pending.js';
import { Navigation } from './navigation.js';
import { Previews } from './previews.js';
import { ReadMarks } from './read.js';
import { State } from './state.js';
import { browserStorage, clientStore } from './storage.js';
import { Tabs } from './tabs.js';
import { Versions } from './versions.js';

/** Control characters other than tabs and line breaks, such as a terminal leaves in what is pasted. The server refuses them. */
const FORBIDDEN = /[^\P{Cc}\t\n]/gu;

/** Most servers speak wschat.v2, so it is loaded when one does not. */
const loadBase = async (options) => new (await import('./base.js')).BaseProtocol(options);

const TYPING_INTERVAL_MS = 2_500;
/** Allowance for everything in a request but the text. */
const ENVELOPE_BYTES = 200;

export class Chat {
  #clock;
  #loadGifs;
  #client;
  #outbox;
  #marks;
  #listeners = new Set();
  #messageListeners = new Set();
  #mentionListeners = new Set();
  #pages;
  #name;
  #notes;
  #navigation;
  #tabs;
  #previews;
  #asksName;
  /** Enters the room that `state.asking` is about. */
  #enterNamed = null;
  #typedAt = -Infinity;

  /**
   * `storage` is `{ local, session }`, each with get(key), set(key, value) and remove(key), and maybe `onChange`: see
   * core/storage.js. `clock` has now(), time(), setTimeout, clearTimeout and random(). `isMentioned(text, name)` finds
   * mentions. `loadGifs()` resolves to the list of GIFs, for servers that do not send it. With `asksName` no room is
   * entered before the user has chosen a name, or has said that they want none: `state.asking` says that this is
   * awaited, and `rename` answers. `base(options)` makes what translates the base protocol, or promises it.
   */
  constructor({
    url, WebSocket = globalThis.WebSocket, storage = browserStorage(), clock = CLOCK,
    isMentioned = () => false, loadGifs = async () => [], asksName = false, base = loadBase,
  }) {
    const { local, session } = storage;
    this.#clock = clock;
    this.#loadGifs = loadGifs;
    this.#asksName = asksName;
    const store = clientStore(storage);
    this.#outbox = new Pending({ store, shared: local, clock });
    this.#marks = new ReadMarks({ store: local, clock });
    this.state = new State({
      clock, store, outbox: this.#outbox, marks: this.#marks, isMentioned, changed: () => this.#changed(),
    });
    const { state } = this;
    this.#client = new Engine({
      url, WebSocket, clock, state,
      store,
      outbox: this.#outbox,
      features: ['presence', 'mentions'],
      versions: new Versions(),
      base: (about) => new LateBase(() => base(about), () => this.#client.giveUp()),
    });
    const client = this.#client;
    this.#notes = new Notes(storage);
    this.#name = new Name({ store: local, state, client });
    this.#pages = new Pages({ state, client });
    this.#navigation = new Navigation({ state, client, store: session, outbox: this.#outbox, pages: this.#pages });
    this.#previews = new Previews({ state, client, clock });
    this.#tabs = new Tabs({ storage, state, client, outbox: this.#outbox });
    this.#listen();
  }

  #listen() {
    const client = this.#client;
    client.on('change', () => this.#changed());
    client.on('welcome', (frame) => this.#welcomed(frame));
    client.on('disconnected', () => { this.#outbox.failUnverifiable(); this.#tabs.disconnected(); });
    client.on('list_rooms', () => this.#navigation.listed());
    client.on('relocated', (find) => { this.#notes.relocate(find); this.#navigation.relocated(); });
    client.on('removed', () => this.#navigation.want(null));
    client.on('room_gone', (gone) => this.#navigation.roomGone(gone));
    client.on('news', (entry) => { for (const listener of this.#messageListeners) listener(entry); });
    client.on('mention', (room) => { for (const listener of this.#mentionListeners) listener(room); });
    client.on('error', ({ code, message }) => { this.state.notice = { code, message }; });
    client.on('idle', () => this.#pages.proceed());
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

  /** Calls `listener(room)` when the user is mentioned in another room. Returns the function that unsubscribes. */
  onMention(listener) {
    this.#mentionListeners.add(listener);
    return () => this.#mentionListeners.delete(listener);
  }

  // ---- what the user wants

  start() {
    if (this.state.hasName || !this.#asksName) this.#navigation.begin();
    this.#client.start();
  }

  /** Reconnects at once, or makes sure that the connection is alive. */
  wake() {
    this.#client.wake();
  }

  /** Takes the session back from the tab that has taken it; or connects again although the server did not want it. */
  takeOver() {
    this.#client.start();
  }

  stop() {
    this.#client.stop();
    this.#marks.flush();
  }

  enter(roomId) {
    this.#named(() => this.#navigation.enter(roomId), { link: { room: roomId }, isInvited: false });
  }

  leave() {
    this.#navigation.want(null);
    this.#client.proceed();
  }

  open(link) {
    this.#named(() => this.#navigation.open(link), { link, isInvited: true });
  }

  /** Returns whether the message was accepted; if not, it stays in the box. */
  say(written) {
    const text = written.replace(/\r\n?/g, '\n').replace(FORBIDDEN, '');
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
    if (entry) this.#outbox.retry(ref, this.#client.find(entry.room));
    this.#client.proceed();
  }

  discard(ref) {
    if (this.#outbox.find(ref)?.failed) this.#outbox.discard(ref);
    this.#changed();
  }

  /** An empty name means that the user does not want one. */
  rename(name) {
    this.#name.choose(name.trim());
    this.#enterOnceNamed();
    this.#changed();
  }

  create(title) {
    this.#named(() => this.#navigation.create(title.trim()), { link: { room: title.trim() }, isInvited: false });
    this.#changed();
  }

  /** Returns whether a request was sent. */
  loadOlder() {
    const isAsked = this.#pages.loadOlder();
    this.#changed();
    return isAsked;
  }

  loadGap(gap, from) {
    this.#pages.loadGap(gap, from);
    this.#changed();
  }

  show(seq) {
    this.#pages.show(seq);
    this.#changed();
  }

  targetShown() {
    this.state.target = null;
  }

  /** Asks for what is new in these rooms: `state.previews` will have it, if the server knows previews. */
  previews(ids) {
    this.#previews.ask(ids);
  }

  typing() {
    const now = this.#clock.now();
    if (!this.state.inRoom || now - this.#typedAt < TYPING_INTERVAL_MS) return;
    this.#typedAt = now;
    this.#client.typing();
  }

  /** The log has gone to the first unread message. */
  landed() {
    this.state.landed();
  }

  /** Whether the user is looking at the newest messages. */
  setWatching(isWatching) {
    if (this.state.setWatching(isWatching)) this.#changed();
  }

  /** The user has seen the messages of the room up to this one. */
  see(seq) {
    if (this.state.see(seq)) this.#changed();
  }

  setDraft(text) {
    if (this.state.room) this.#notes.setDraft(this.state.room, text);
  }

  draft() {
    return this.#notes.draft(this.state.room);
  }

  mute(roomId, isMuted) {
    this.#notes.mute(this.state.rooms.get(roomId), isMuted);
    this.#changed();
  }

  isMuted(roomId) {
    return this.#notes.isMuted(this.state.rooms.get(roomId));
  }

  dismiss() {
    this.state.notice = null;
    this.#changed();
  }

  // ---- helpers

  /** Others read the name from the first moment on, so it is settled before a room is entered. */
  #named(enter, asking) {
    if (this.#asksName && !this.state.hasName) {
      this.#enterNamed = enter;
      this.state.asking = asking;
      this.#changed();
    } else {
      enter();
      this.#client.proceed();
    }
  }

  /** Asks again if the name is refused. */
  #enterOnceNamed() {
    if (this.#enterNamed === null) return;
    const { asking } = this.state;
    this.state.asking = { ...asking, isAnswered: true };
    this.#name.whenSettled(() => {
      const enter = this.#enterNamed;
      if (enter === null) return;
      if (!this.state.hasName) {
        this.state.asking = { ...asking };
      } else {
        this.#enterNamed = null;
        this.state.asking = null;
        enter();
        this.#client.proceed();
      }
      this.#changed();
    });
  }

  #welcomed({ resumed, gifs }) {
    this.#name.welcomed(resumed);
    this.#tabs.welcomed();
    this.#previews.proceed();
    if (!gifs) this.#loadGifs().then((own) => { this.state.gifs = own; this.#changed(); }, () => {});
  }

  #add(content) {
    const { room } = this.state;
    if (!room || this.#outbox.isFull) return false;
    this.#outbox.add(content, room);
    this.#client.proceed();
    return true;
  }

  #changed() {
    for (const listener of this.#listeners) listener();
  }
}
