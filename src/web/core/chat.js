// The chat as the views see it. Turns what the user wants (enter, say, rename …) into calls of the protocol's client,
// and handles refusals. The views call its methods and read `state`.

import { CLOCK, Engine } from '../../../clients/js/src/engine.js';
import { BaseProtocol } from './base.js';
import { Name } from './name.js';
import { Notes } from './notes.js';
import { Pages } from './pages.js';
import { Pending } from './pending.js';
import { Navigation } from './navigation.js';
import { ReadMarks } from './read.js';
import { State } from './state.js';
import { browserStorage } from './storage.js';
import { Versions } from './versions.js';

/** Control characters other than tabs and line breaks, such as a terminal leaves in what is pasted. The server refuses them. */
const FORBIDDEN = /[^\P{Cc}\t\n]/gu;

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
  #pages;
  #name;
  #notes;
  #navigation;
  #typedAt = -Infinity;

  /**
   * `storage` is `{ local, session }`, each with get(key), set(key, value) and remove(key). `clock` has now(),
   * setTimeout, clearTimeout and random(). `isMentioned(text, name)` finds mentions. `loadGifs()` resolves to the list
   * of GIFs, for servers that do not send it.
   */
  constructor({
    url, WebSocket = globalThis.WebSocket, storage = browserStorage(), clock = CLOCK,
    isMentioned = () => false, loadGifs = async () => [],
  }) {
    const { local, session } = storage;
    this.#clock = clock;
    this.#loadGifs = loadGifs;
    this.#outbox = new Pending({ store: session, clock });
    this.#marks = new ReadMarks({ store: local, clock });
    this.state = new State({
      clock, store: session, outbox: this.#outbox, marks: this.#marks, isMentioned, changed: () => this.#changed(),
    });
    const { state } = this;
    this.#client = new Engine({
      url, WebSocket, clock, state,
      store: session,
      outbox: this.#outbox,
      features: ['presence', 'mentions'],
      versions: new Versions(),
      base: (options) => new BaseProtocol(options),
    });
    const client = this.#client;
    this.#notes = new Notes(storage);
    this.#name = new Name({ store: local, state, client });
    this.#pages = new Pages({ state, client });
    this.#navigation = new Navigation({ state, client, store: session, outbox: this.#outbox, pages: this.#pages });
    this.#listen();
  }

  #listen() {
    const client = this.#client;
    client.on('change', () => this.#changed());
    client.on('welcome', (frame) => this.#welcomed(frame));
    client.on('disconnected', () => this.#outbox.failUnverifiable());
    client.on('list_rooms', () => this.#navigation.listed());
    client.on('removed', () => this.#navigation.want(null));
    client.on('room_gone', (gone) => this.#navigation.roomGone(gone));
    client.on('news', (entry) => { for (const listener of this.#messageListeners) listener(entry); });
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

  // ---- what the user wants

  start() {
    this.#navigation.begin();
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
    this.#navigation.enter(roomId);
    this.#client.proceed();
  }

  leave() {
    this.#navigation.want(null);
    this.#client.proceed();
  }

  open(link) {
    this.#navigation.open(link);
    this.#client.proceed();
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
    this.#client.typing();
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

  // ---- helpers

  #welcomed({ resumed, gifs }) {
    this.#name.welcomed(resumed);
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
