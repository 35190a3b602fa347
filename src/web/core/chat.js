// What the user wants, made into requests: enter, say, rename and so on; what to do after a (re)connect; and what a
// refusal means. The views call this and read `state`.

import { BaseProtocol } from './base.js';
import { Connection } from './connection.js';
import { Outbox } from './outbox.js';
import { ReadMarks } from './read.js';
import { Requests } from './requests.js';
import { Sending } from './sending.js';
import { State } from './state.js';
import { browserStorage } from './storage.js';

const TYPING_INTERVAL_MS = 2_500;
/** A line that is silent for so long may be dead, which only a question can tell. */
const SILENCE_MS = 45_000;
const OLDER_PAGE = 50;
const MAX_PAGE = 100;
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
  /** A name to be taken, and the one to go back to if it is refused. */
  #renaming = null;
  #creating = null;
  /** A link, and a message in the room, that are to be shown as soon as it can be. */
  #link = null;
  #seqToShow = null;
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
    this.state.hasName = storage.local.get('name') !== null;
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
    this.#sending = new Sending({
      clock,
      outbox: this.#outbox,
      state: this.state,
      requests: this.#requests,
      askHistory: (roomId, before, then) => this.#askHistory(roomId, before, MAX_PAGE, then),
      goOn: () => this.#goOn(),
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
    if (this.state.wanted === null && this.#link === null) {
      this.state.wanted = this.#storage.session.get('room');
      this.state.show(this.state.wanted);
    }
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
    const room = this.state.rooms.get(roomId);
    if (!room) return this.#noSuchRoom(roomId);
    if (this.state.wanted?.id !== roomId || this.state.room?.id !== roomId) this.#want(room);
  }

  leave() {
    this.#want(null);
  }

  open(link) {
    const { rooms } = this.state;
    if (rooms.size === 0 && !this.state.isListed) {
      this.#link = link; // the list will tell
      return;
    }
    this.#link = null;
    const room = rooms.get(link.room) ?? this.#titled(String(link.room));
    if (!room) return this.#noSuchRoom(link.room);
    this.enter(room.id);
    if (link.seq !== undefined) this.show(link.seq);
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
    if (entry) this.#outbox.retry(ref, this.#find(entry.room));
    this.#goOn();
  }

  discard(ref) {
    if (this.#outbox.find(ref)?.failed) this.#outbox.discard(ref);
    this.#changed();
  }

  /** An empty name is the wish to go without. */
  rename(name) {
    name = name.trim();
    const { local } = this.#storage;
    const before = local.get('name');
    this.state.hasName = true;
    local.set('name', name);
    if (name !== '' && name !== this.state.me?.name) {
      this.#renaming = { name, before: this.#renaming?.before ?? before };
      if (this.state.phase === 'online') this.#askName(this.#renaming);
    }
    this.#changed();
  }

  create(title) {
    title = title.trim();
    if (title === '') return;
    this.state.notice = null;
    this.#creating = title;
    if (this.state.isListed) this.#askRoom(title);
    this.#changed();
  }

  /** Whether something was asked for. */
  loadOlder() {
    const { inRoom, room, timeline, loadingOlder } = this.state;
    if (!inRoom || loadingOlder || !timeline.hasOlder || timeline.isFull) return false;
    this.state.loadingOlder = true;
    const done = () => { if (this.state.timeline === timeline) this.state.loadingOlder = false; };
    this.#askHistory(room.id, timeline.oldestSeq ?? timeline.endSeq + 1, OLDER_PAGE, { done, refused: done, lost: done });
    this.#changed();
    return true;
  }

  /** A page of it, from its end. */
  loadGap({ key }) {
    const { inRoom, room, timeline } = this.state;
    const gap = timeline.gap(key);
    if (!inRoom || gap?.status !== 'open') return;
    timeline.setGap(key, 'loading');
    const open = () => timeline.setGap(key, 'open');
    const done = (events, more) => {
      const isFilling = events.some(({ seq }) => seq > gap.after && seq < gap.before);
      timeline.setGap(key, more && isFilling ? 'open' : 'gone');
    };
    this.#askHistory(room.id, gap.before, MAX_PAGE, { done, refused: open, lost: open });
    this.#changed();
  }

  show(seq) {
    const { inRoom, room, timeline } = this.state;
    this.#seqToShow = null;
    if (timeline.has(seq)) {
      this.state.target = { seq };
    } else if (!inRoom) {
      this.#seqToShow = seq;
    } else {
      const none = () => { this.state.notice = { key: 'no_such_message' }; };
      const done = () => (timeline.has(seq) ? this.state.timeline === timeline && this.show(seq) : none());
      const lost = () => { this.#seqToShow = seq; };
      this.#askHistory(room.id, seq + MAX_PAGE / 2, MAX_PAGE, { done, refused: none, lost });
    }
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
    const { room } = this.state;
    if (!room) return;
    const { [room.id]: _, ...drafts } = this.#storage.session.get('drafts') ?? {};
    this.#storage.session.set('drafts', text === '' ? drafts : { ...drafts, [room.id]: text });
  }

  draft() {
    return this.#storage.session.get('drafts')?.[this.state.room?.id] ?? '';
  }

  mute(roomId, isMuted) {
    const title = this.state.rooms.get(roomId)?.title;
    if (title === undefined) return;
    const others = (this.#storage.local.get('muted') ?? []).filter((one) => one !== title);
    this.#storage.local.set('muted', isMuted ? [...others, title] : others);
    this.#changed();
  }

  isMuted(roomId) {
    return (this.#storage.local.get('muted') ?? []).includes(this.state.rooms.get(roomId)?.title);
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
      case 'list_rooms': this.#listed(); break;
      case 'room_changed': this.#titleChanged(frame.room); break;
      case 'leave_room': if (frame.user.id === state.me.id) this.#left(wasHere, frame); break;
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
    const name = this.#storage.local.get('name');
    const wish = this.#renaming ?? (!resumed && name ? { name, before: null } : null);
    if (wish && wish.name !== this.state.me.name) this.#askName(wish);
    if (!gifs) this.#loadGifs().then((own) => { this.state.gifs = own; this.#changed(); }, () => {});
    this.#watchSilence();
  }

  /** Ids may be other rooms' after a restart: the title tells. */
  #listed() {
    const find = (room) => this.#find(room);
    const { session } = this.#storage;
    const drafts = session.get('drafts');
    const { room } = this.state;
    this.#outbox.relocate(find);
    this.state.relocate(find);
    const now = this.state.room;
    if (room && now.id !== room.id && drafts?.[room.id]) session.set('drafts', { [now.id]: drafts[room.id] });
    if (this.#creating !== null && !this.#requests.isOpen('create_room')) {
      // Before the connection was lost it may have been made.
      const made = this.#titled(this.#creating);
      if (made) this.#made(made);
      else this.#askRoom(this.#creating);
    }
    if (this.#link) this.open(this.#link);
  }

  #titleChanged({ id, title }) {
    const rename = (room) => (room.id === id ? { id, title } : null);
    this.#outbox.relocate(rename);
    if (this.state.timelineOf(id) || this.state.wanted?.id === id) this.state.relocate((room) => rename(room) ?? room);
  }

  /** On the way to another room it was left by the way; else the user is out. */
  #left(roomId, frame) {
    if (this.#requests.isOpen('enter_room')) return;
    if (this.#requests.isOpen('leave_room')) return this.#requests.answerFirst('leave_room', frame);
    if (this.state.wanted?.id === roomId) this.#want(null);
  }

  #refused(error) {
    if (error.ref === TYPING_REF || this.#requests.refuse(error)) return;
    this.state.notice = refusal(error);
  }

  // ---- what is asked

  /** Does what is to be done next, if anything is: go where something is to be said, or the user wants to be, and say it. */
  #goOn() {
    const { state } = this;
    if (state.phase === 'online' && state.isListed && !this.#isMoving()) {
      const head = this.#outbox.head;
      // What was said before the user went elsewhere is sent before going.
      const target = head && !this.#sending.holdsBack ? head.room : state.wanted;
      if (target === null) this.#askToLeave();
      else if (state.hereId !== target.id || !state.hears) this.#askToEnter(target);
      else if (head?.room.id === target.id) this.#sending.next();
      if (this.#seqToShow !== null && state.inRoom) this.show(this.#seqToShow);
    }
    this.#changed();
  }

  #isMoving() {
    return this.#requests.isOpen('enter_room') || this.#requests.isOpen('leave_room');
  }

  #askToEnter(room) {
    if (!this.state.rooms.has(room.id)) return this.#gone(room);
    const since = this.state.since(room.id);
    this.#requests.ask({ type: 'enter_room', roomId: room.id, ...(since && { since }) }, {
      isPatient: true,
      refused: (error) => this.#gone(room, error.code === 'unknown_room' ? null : refusal(error)),
    });
  }

  #askToLeave() {
    if (this.state.hereId === null) return;
    const out = () => { this.state.hereId = null; };
    this.#requests.ask({ type: 'leave_room' }, { isPatient: true, refused: out });
  }

  #askName({ name, before }) {
    this.#requests.ask({ type: 'change_name', name }, {
      isPatient: true,
      answered: () => { if (this.#renaming?.name === name) this.#renaming = null; },
      // A name that the server refuses must not come back with every connection.
      refused: (error) => {
        this.#renaming = null;
        if (before) this.#storage.local.set('name', before);
        else this.#storage.local.remove('name');
        this.state.hasName = this.#storage.local.get('name') !== null;
        this.state.notice = refusal(error);
      },
    });
  }

  #askRoom(title) {
    this.#requests.ask({ type: 'create_room', title }, {
      answered: ({ room }) => this.#made(room),
      refused: (error) => {
        this.#creating = null;
        this.state.notice = refusal(error);
      },
    });
  }

  #made(room) {
    this.#creating = null;
    this.#want(room);
  }

  /** What comes is taken into the timeline, and what of ours is in it is acknowledged. */
  #askHistory(roomId, before, limit, { done, refused, lost }) {
    const timeline = this.state.timelineOf(roomId);
    const page = Math.min(limit, this.state.limits.historyMaxPage ?? limit);
    this.#requests.ask({ type: 'history', roomId, before, limit: page }, {
      isPatient: true,
      answered: ({ events, more }) => {
        this.#learn(events);
        timeline.addPage(events, more, before);
        done(events, more);
      },
      refused,
      lost,
    });
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

  #want(room) {
    this.state.wanted = room && { id: room.id, title: room.title };
    if (room) this.#storage.session.set('room', this.state.wanted);
    else this.#storage.session.remove('room');
    this.#seqToShow = null;
    this.state.notice = null;
    this.state.show(this.state.wanted);
    this.#goOn();
  }

  /** The room of today for one of yesterday, or null. */
  #find({ id, title }) {
    const room = this.state.rooms.get(id);
    return room?.title === title ? room : this.#titled(title);
  }

  #titled(title) {
    return [...this.state.rooms.values()].find((room) => room.title === title) ?? null;
  }

  /** What was to be said there stays, for the user to see. */
  #gone(room, notice = null) {
    const { state } = this;
    this.#outbox.failRoom(room.id, 'room_gone');
    if (state.wanted?.id === room.id) {
      state.wanted = null;
      this.#storage.session.remove('room');
      const here = state.hears ? state.rooms.get(state.hereId) : null;
      if (here) this.#want(here);
      else if (this.#outbox.of(room).length === 0) state.show(null);
    }
    if (notice) state.notice = notice;
    else this.#noSuchRoom(room.title);
    this.#goOn();
  }

  #noSuchRoom(room) {
    const canBeMade = typeof room === 'string';
    this.state.notice = { key: 'no_such_room', vars: { room }, ...(canBeMade && { action: 'create', title: room }) };
    this.#changed();
  }

  #changed() {
    for (const listener of this.#listeners) listener();
  }
}

/** What the server says no to: its code for those who have words of their own for it, and its message for the others. */
const refusal = ({ code, message }) => ({ code, message });
