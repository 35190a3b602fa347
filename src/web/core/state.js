// The client-side state: who we are, the rooms, the members of ours, and what was said. It applies the server's frames
// and sends nothing. chat.js sends requests; the views only read.

import { Timeline } from './timeline.js';

/** Without a message after this long, somebody no longer counts as typing. */
const TYPING_MS = 6_000;
/** The number of rooms whose timelines are kept. */
const MAX_MEMORIES = 8;
const MAX_OWN_IDS = 64;

const NOTHING = new Timeline(() => ({}));

export class State {
  /** 'connecting', 'online', 'waiting' (for the next attempt) or 'replaced' (by another tab, for good). */
  phase = 'connecting';
  retryAt = null;
  lostReason = '';
  wasOnline = false;
  version = null;
  /** The secret that resumes the session; null over the base protocol. */
  session = null;
  me = null;
  limits = { maxTextChars: 4_000, maxNameChars: 32, maxTitleChars: 64 };
  gifs = [];
  /** id → { id, title, userCount, seq } */
  rooms = new Map();
  /** Whether the list of rooms has arrived on this connection. */
  isListed = false;
  /** `{ id, title }` of the room on screen, and of the one the user wants to be in. */
  room = null;
  wanted = null;
  /**
   * The room the server has us in, and whether it sends us that room's events. A resumed session is in its room, but
   * gets no events until it enters again.
   */
  hereId = null;
  isSubscribed = false;
  divider = null;
  notice = null;
  target = null;
  pausedUntil = null;
  pauseReason = null;
  loadingOlder = false;
  hasName = false;

  #clock;
  #storage;
  #outbox;
  #marks;
  #isMentioned;
  #changed;
  #members = new Map();
  #membersOf = null;
  #typing = new Map();
  /** Room id → { title, timeline } */
  #memories = new Map();
  #own;
  #isWatching = false;
  /** The room has just been chosen, so the divider does not know yet how far it was read. */
  #isFresh = false;
  #counted = {};

  constructor({ clock, storage, outbox, marks, isMentioned, changed }) {
    this.#clock = clock;
    this.#storage = storage;
    this.#outbox = outbox;
    this.#marks = marks;
    this.#isMentioned = isMentioned;
    this.#changed = changed;
    const own = storage.session.get('own');
    this.#own = { epoch: own?.epoch ?? null, ids: Array.isArray(own?.ids) ? own.ids : [] };
  }

  // ---- for the views

  get inRoom() {
    if (this.room === null || !this.isSubscribed || this.hereId !== this.room.id) return false;
    // A room that is gone stays on screen with its unsent messages, and its id may mean another room by now.
    return (this.rooms.get(this.hereId)?.title ?? this.room.title) === this.room.title;
  }

  get entering() {
    return this.phase === 'online' && this.wanted !== null && !this.inRoom ? this.wanted : null;
  }

  get members() {
    return this.#membersOf !== null && this.#membersOf === this.room?.id ? this.#members : new Map();
  }

  get typing() {
    return new Map([...this.#typing].map(([id, { name }]) => [id, name]));
  }

  get timeline() {
    const memory = this.#memories.get(this.room?.id);
    return memory && memory.title === this.room.title ? memory.timeline : NOTHING;
  }

  /** Messages for the current room that are not acknowledged. */
  get pending() {
    if (this.room === null) return [];
    const under = this.phase === 'online' && this.pausedUntil === null ? 'sending' : 'waiting';
    return this.#outbox.of(this.room).map(({ ref, kind, text, gifId, time, failed }) => ({
      key: `p${ref}`,
      kind,
      ...(kind === 'text' ? { text } : { gifId }),
      ref,
      time,
      from: this.me ?? { id: 0, name: '' },
      own: true,
      status: failed ? 'failed' : under,
      problem: failed?.problem ?? '',
      reason: failed?.reason ?? null,
    }));
  }

  /** The number of unread messages; 0 for a room that was never read. */
  unread(id) {
    if (id === this.room?.id) return this.#isWatching || this.divider === null ? 0 : this.#othersAfterDivider();
    const room = this.rooms.get(id);
    const mark = room?.seq === undefined ? null : this.#marks.get(room);
    return mark === null ? 0 : Math.max(0, room.seq - mark.seq);
  }

  // ---- for the chat

  timelineOf(id) {
    return this.#memories.get(id)?.timeline ?? null;
  }

  /** From where the server can resume a room's events, or null if nothing is known of it. */
  since(id) {
    const timeline = this.timelineOf(id);
    return timeline?.newestSeq ? { epoch: timeline.epoch, seq: timeline.newestSeq } : null;
  }

  show(room) {
    if (room?.id === this.room?.id && room?.title === this.room?.title) return;
    this.room = room && { id: room.id, title: room.title };
    this.divider = null;
    this.target = null;
    this.loadingOlder = false;
    this.#isFresh = true;
    this.#clearTyping();
    if (room) this.#memory(room);
  }

  setWatching(isWatching) {
    if (isWatching === this.#isWatching) return false;
    this.#isWatching = isWatching;
    const { epoch, endSeq } = this.timeline;
    if (epoch === null) return true;
    if (isWatching) {
      this.#read();
      if (this.divider !== null && this.#othersAfterDivider() === 0) this.divider = null;
    } else {
      this.divider = endSeq;
      this.#marks.flush();
    }
    return true;
  }

  disconnected({ phase, reason, retryAt = null }) {
    Object.assign(this, { phase, retryAt, lostReason: reason, isListed: false, hereId: null, isSubscribed: false });
    this.#clearTyping();
  }

  /** Ids may change when the server restarts: `find(room)` returns the current room, or null. */
  relocate(find) {
    const memories = [...this.#memories].map(([id, { title, timeline }]) => {
      const room = find({ id, title });
      return room && [room.id, { title: room.title, timeline }];
    });
    const gone = this.#memories.get(this.room?.id);
    this.#memories = new Map(memories.filter((memory) => memory !== null));
    // A room that is gone stays while it is on screen.
    if (gone && gone.title === this.room.title && !find(this.room) && !this.#memories.has(this.room.id)) {
      this.#memories.set(this.room.id, gone);
    }
    const now = (room) => {
      const found = room && find(room);
      return found ? { id: found.id, title: found.title } : room;
    };
    this.room = now(this.room);
    this.wanted = now(this.wanted);
  }

  /** Applies a frame. Returns the new entry if somebody else has said something, else null. */
  apply(frame) {
    switch (frame.type) {
      case 'welcome': this.#welcome(frame); break;
      case 'list_rooms': this.#listRooms(frame); break;
      case 'room_added': case 'room_changed': this.#roomChanged(frame.room); break;
      case 'room_removed': this.rooms.delete(frame.roomId); break;
      case 'room': this.#enteredRoom(frame); break;
      case 'enter_room': this.#entered(frame); break;
      case 'leave_room': this.#left(frame); break;
      case 'change_name': this.#renamed(frame); break;
      case 'typing': this.#startTyping(frame); break;
      case 'text': case 'gif': return this.#said(frame);
    }
    return null;
  }

  // ---- frames

  #welcome({ user, session, resumed, roomId, limits, gifs }) {
    Object.assign(this, { phase: 'online', retryAt: null, lostReason: '', wasOnline: true });
    Object.assign(this, { me: { ...user }, session, limits });
    this.hereId = resumed ? roomId ?? null : null;
    this.isSubscribed = false;
    if (gifs) this.gifs = gifs;
  }

  #listRooms({ rooms }) {
    this.rooms = new Map(Object.values(rooms).map((room) => [room.id, room]));
    this.isListed = true;
  }

  #roomChanged(room) {
    const known = this.rooms.get(room.id);
    // The list's numbers are batched and may lag behind the events.
    const seq = known?.seq > room.seq ? known.seq : room.seq;
    this.rooms.set(room.id, { ...room, ...(seq !== undefined && { seq }) });
  }

  /** A full snapshot of the room. */
  #enteredRoom({ room, users, epoch, seq, events }) {
    this.hereId = room.id;
    this.isSubscribed = true;
    this.#members = new Map(users.map(({ id, name }) => [id, name]));
    this.#membersOf = room.id;
    const mine = this.#members.get(this.me.id);
    if (mine !== undefined) this.me = { ...this.me, name: mine };
    this.#clearTyping();
    this.#noteOwnId(epoch);
    const { timeline } = this.#memory(room);
    const before = timeline.epoch === epoch && seq >= timeline.endSeq ? timeline.newestSeq : null;
    if (timeline.epoch !== null && before === null) this.divider = null;
    timeline.enter({ epoch, seq, events });
    // The base protocol has no history, so gaps cannot be filled.
    if (this.version === 'base') timeline.setGaps('open', 'gone');
    this.#noteSeq(room.id, seq);
    if (room.id === this.room?.id) this.#placeDivider(before);
  }

  #entered({ user, roomId, time }) {
    if (!this.#isSubscribedTo(roomId) || user.id === this.me.id) return;
    const isNew = !this.#members.has(user.id);
    this.#members.set(user.id, user.name);
    if (isNew) this.timelineOf(roomId).entered(user, time);
  }

  #left({ user, roomId, time }) {
    if (user.id === this.me.id) {
      this.hereId = null;
      this.isSubscribed = false;
      return;
    }
    if (!this.#isSubscribedTo(roomId)) return;
    this.#members.delete(user.id);
    this.#stopTyping(user.id);
    this.timelineOf(roomId).left(user, time);
  }

  #renamed({ oldName, newName, userId, roomId, time }) {
    if (userId === this.me.id) this.me = { ...this.me, name: newName };
    if (!this.#isSubscribedTo(roomId)) return;
    if (this.#members.has(userId)) this.#members.set(userId, newName);
    const typing = this.#typing.get(userId);
    if (typing) typing.name = newName;
    if (oldName !== newName) this.timelineOf(roomId).renamed(userId, oldName, newName, time);
  }

  #startTyping({ user, roomId }) {
    if (!this.#isSubscribedTo(roomId) || roomId !== this.room?.id || user.id === this.me.id) return;
    this.#stopTyping(user.id);
    const timer = this.#clock.setTimeout(() => {
      this.#typing.delete(user.id);
      this.#changed();
    }, TYPING_MS);
    this.#typing.set(user.id, { name: user.name, timer });
  }

  #said(event) {
    const { roomId, seq, from } = event;
    const timeline = this.timelineOf(roomId);
    this.#noteSeq(roomId, seq);
    // An old message may be repeated. If it is older than everything here, it would stand alone.
    if (!timeline || timeline.epoch === null || seq < timeline.oldestSeq) return null;
    const isNew = seq > timeline.endSeq && this.#isSubscribedTo(roomId);
    if (!isNew && !timeline.hasMissing) return null;
    this.#stopTyping(from.id);
    const [entry] = timeline.add([event]);
    if (roomId === this.room?.id && this.#isWatching) this.#read();
    return entry && isNew && !entry.own ? entry : null;
  }

  // ---- helpers

  #isSubscribedTo(roomId) {
    return this.isSubscribed && this.hereId === roomId;
  }

  #memory({ id, title }) {
    const memory = this.#memories.get(id) ?? { title, timeline: new Timeline((event) => this.#describe(event)) };
    memory.title = title;
    this.#memories.delete(id); // the most recent comes last
    this.#memories.set(id, memory);
    for (const old of this.#memories.keys()) {
      if (this.#memories.size <= MAX_MEMORIES) break;
      if (old !== this.room?.id && old !== this.hereId) this.#memories.delete(old);
    }
    return memory;
  }

  #describe({ from, text }) {
    const own = from.id === this.me.id || this.#own.ids.includes(from.id);
    return { own, mentionsMe: !own && text !== undefined && this.#isMentioned(text, this.me.name) };
  }

  /**
   * Ids are never reused within an epoch, but in another one they may be anybody's. The base protocol has no epochs.
   */
  #noteOwnId(epoch) {
    const { id } = this.me;
    const isSame = epoch === this.#own.epoch && this.version !== 'base';
    const earlier = isSame ? this.#own.ids.filter((one) => one !== id) : [];
    this.#own = { epoch, ids: [...earlier, id].slice(-MAX_OWN_IDS) };
    this.#storage.session.set('own', this.#own);
  }

  #noteSeq(id, seq) {
    const room = this.rooms.get(id);
    if (room && this.version !== 'base' && !(room.seq >= seq)) this.rooms.set(id, { ...room, seq });
  }

  /** `before` is the last message that was known before entering, or null. */
  #placeDivider(before) {
    const { timeline } = this;
    const mark = this.version === 'base' ? null : this.#marks.get(this.room);
    const read = this.#isFresh ? (mark?.epoch === timeline.epoch ? mark.seq : null) : before;
    if (this.divider === null && read !== null && timeline.othersAfter(read) > 0) this.divider = read;
    this.#isFresh = false;
    if (this.#isWatching || mark?.epoch !== timeline.epoch) this.#read();
    if (!this.#isWatching) this.divider ??= timeline.endSeq;
  }

  #read() {
    const { epoch, endSeq } = this.timeline;
    if (this.version !== 'base' && epoch !== null) this.#marks.mark(this.room, endSeq, epoch);
  }

  /** Cached, because the list of rooms asks on every draw. */
  #othersAfterDivider() {
    const { timeline, divider } = this;
    const { revision } = timeline;
    const counted = this.#counted;
    if (counted.timeline !== timeline || counted.revision !== revision || counted.divider !== divider) {
      this.#counted = { timeline, revision, divider, count: timeline.othersAfter(divider) };
    }
    return this.#counted.count;
  }

  #stopTyping(id) {
    this.#clock.clearTimeout(this.#typing.get(id)?.timer);
    this.#typing.delete(id);
  }

  #clearTyping() {
    for (const id of [...this.#typing.keys()]) this.#stopTyping(id);
  }
}
