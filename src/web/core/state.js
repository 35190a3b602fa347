// The state of the page: what the server has told (its base class), what was said, and how far it was read. It
// applies the server's frames and sends nothing. chat.js sends requests; the views only read.

import { continues, ServerState } from '../../../clients/js/src/state.js';
import { Timeline } from './timeline.js';

/** Without a message after this long, somebody no longer counts as typing. */
const TYPING_MS = 6_000;
/** The number of rooms whose timelines are kept. */
const MAX_MEMORIES = 8;

const NOTHING = new Timeline(() => ({}));
const NOBODY = new Map();

export class State extends ServerState {
  /** `{ id, title }` of the room on screen. The id is null if the server's ids have begun anew, and it was not found. */
  room = null;
  wasOnline = false;
  divider = null;
  notice = null;
  target = null;
  /** Whether the log is to go to the first unread message: since a room was entered that has some, until it is there. */
  landing = false;
  /** The first unread message, while it is being loaded. */
  seeking = null;
  loadingOlder = false;
  hasName = false;
  /**
   * `{ link, isInvited, isAnswered }`: the room that is entered as soon as the user's name is settled; `isInvited` if they
   * came by a link, `isAnswered` while the server has the name. Or null.
   */
  asking = null;
  /** The link that is followed once the list of rooms is here, or null. */
  following = null;

  #clock;
  #outbox;
  #marks;
  #isMentioned;
  #changed;
  /** The room that `members` are in: they stay on screen while the connection is lost. */
  #membersOf = null;
  #typing = new Map();
  /** Room id → { title, timeline } */
  #memories = new Map();
  #isWatching = false;
  /** The base protocol's numbers mean nothing to the next page, so how far a room was read is not kept. */
  #readInBase = null;
  /** Room id → `{ seq, at }`: the message that this page has noticed last, and when by `clock.now()`. */
  #active = new Map();
  /** How far the server's time is ahead of `clock.now()`: the device may believe in another time of day. */
  #aheadMs = 0;
  #counted = {};

  constructor({ clock, store, outbox, marks, isMentioned, changed }) {
    super({ store });
    this.#clock = clock;
    this.#outbox = outbox;
    this.#marks = marks;
    this.#isMentioned = isMentioned;
    this.#changed = changed;
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

  /** The people in the room on screen: id → name; and how many they are, some of whom may not be known yet. */
  get people() {
    return this.#isMembersRoom ? this.members : NOBODY;
  }

  get peopleCount() {
    return this.#isMembersRoom ? this.memberCount : 0;
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

  /** Whether the user is looking at the newest messages. */
  get isWatching() {
    return this.#isWatching;
  }

  /** The number of unread messages; 0 for a room that was never read. */
  unread(id) {
    if (id === this.room?.id && (this.inRoom || this.version === 'base')) return this.#unreadHere().count;
    const room = this.rooms.get(id);
    const mark = room?.seq === undefined ? null : this.#marks.get(room);
    // In another epoch the numbers mean other messages.
    if (mark === null || (this.epoch !== null && mark.epoch !== this.epoch)) return 0;
    return Math.max(0, room.seq - mark.seq);
  }

  /** How many unread messages mention the user: those that the server counts, and those below what was read. */
  mentions(id) {
    if (id === this.room?.id && this.inRoom) return this.#unreadHere().mentions;
    const room = this.rooms.get(id);
    const memory = this.#memories.get(id);
    const mark = room && memory?.title === room.title ? this.#marks.get(room) : null;
    const isSame = mark !== null && mark.epoch === memory.timeline.epoch && mark.epoch === (this.epoch ?? mark.epoch);
    return (room?.mentions ?? 0) + (isSame ? memory.timeline.mentionsAfter(mark.seq) : 0);
  }

  /** When something was said in a room last, in the server's time; 0 if this page does not know. */
  activeAt(id) {
    const noticed = this.#active.get(id);
    return Math.max(noticed ? noticed.at + this.#aheadMs : 0, this.previews.get(id)?.last?.time ?? 0);
  }

  /** Whether the page knows when the last message of a room was said. */
  isActivityKnown({ id, seq = 0 }) {
    return seq <= Math.max(this.#active.get(id)?.seq ?? 0, this.previews.get(id)?.last?.seq ?? 0);
  }

  // ---- for the chat

  position(id) {
    return this.#memories.get(id)?.timeline ?? null;
  }

  show(room) {
    if (room?.id === this.room?.id && room?.title === this.room?.title) return;
    this.room = room && { id: room.id, title: room.title };
    this.divider = null;
    this.target = null;
    this.landed();
    this.loadingOlder = false;
    this.#readInBase = null;
    this.#clearTyping();
    this.#isWatching = false;
    if (!room) return;
    this.#memory(room);
    if (this.timeline.epoch === null) return;
    this.#placeDivider(null);
    // What is missing is known only after entering.
    this.seeking = null;
  }

  setWatching(isWatching) {
    if (isWatching === this.#isWatching) return false;
    this.#isWatching = isWatching;
    const { epoch, endSeq } = this.timeline;
    if (epoch === null) return true;
    if (isWatching) {
      this.#read();
      if (this.divider !== null && this.timeline.othersAfter(this.divider) === 0) this.divider = null;
    } else {
      if (this.#unreadHere().count === 0) this.divider = endSeq;
      this.#marks.flush();
    }
    return true;
  }

  /** The user has seen the messages up to `seq`. Returns whether that is news. */
  see(seq) {
    const read = this.#readSeq;
    if (read === null || seq <= read) return false;
    this.#read(Math.min(seq, this.timeline.endSeq));
    return true;
  }

  /** The log is where the user begins to read. */
  landed() {
    Object.assign(this, { landing: false, seeking: null });
  }

  disconnected(loss) {
    super.disconnected(loss);
    this.#clearTyping();
  }

  relocate(find) {
    super.relocate(find);
    const memories = [...this.#memories].map(([id, { title, timeline }]) => {
      const room = find({ id, title });
      return room && room.id !== null ? [room.id, { title: room.title, timeline }] : null;
    });
    const gone = this.#memories.get(this.room?.id);
    const wasHere = gone && gone.title === this.room.title;
    this.#memories = new Map(memories.filter((memory) => memory !== null));
    const found = this.room && find(this.room);
    if (found) this.room = { id: found.id, title: found.title };
    // A room that is gone stays while it is on screen.
    if (wasHere && !this.#memories.has(this.room.id)) this.#memories.set(this.room.id, gone);
  }

  apply(frame) {
    const { type, roomId, user, time } = frame;
    const isNew = !this.members.has(user?.id);
    const before = type === 'list_rooms' ? this.rooms : null;
    const was = type === 'room_changed' ? this.rooms.get(frame.room.id) : undefined;
    // In another epoch the numbers mean other messages.
    if (type === 'welcome' && (frame.epoch ?? null) !== this.epoch) this.#active.clear();
    if (type === 'welcome' && time !== undefined) this.#aheadMs = time - this.#clock.now();
    const happened = super.apply(frame);
    for (const room of before?.values() ?? [was]) if (this.#isMentionedMore(room)) happened.push(['mention', this.rooms.get(room.id)]);
    this.wasOnline ||= type === 'welcome';
    if (was && frame.room.seq > was.seq) this.#noteActive(was.id, frame.room.seq);
    if (type === 'room_removed') this.#active.delete(roomId);
    if (type === 'announcement') this.#announced(frame);
    if (type === 'erased') this.position(roomId)?.erase(frame);
    if (!this.isFollowing(roomId)) return happened;
    switch (type) {
      case 'enter_room': if (isNew) this.position(roomId).entered(user, time); break;
      case 'leave_room': this.#left(user, roomId, time); break;
      case 'change_name': this.#renamed(frame); break;
      case 'typing': this.#startTyping(frame); break;
    }
    return happened;
  }

  /** Whether a room mentions the user more often than it did. In ours the messages themselves tell. */
  #isMentionedMore(was) {
    const is = this.rooms.get(was?.id);
    return is?.title === was?.title && (is?.mentions ?? 0) > (was?.mentions ?? 0) && !this.isFollowing(was.id);
  }

  // ---- frames

  entered(frame) {
    const { room, epoch, seq } = frame;
    this.#clearTyping();
    const { timeline } = this.#memory(room);
    const before = continues(timeline, frame) ? timeline.newestSeq : null;
    if (timeline.epoch !== null && before === null) this.divider = null;
    timeline.enter(frame);
    // The server has lost messages, and gives their numbers to others, which are not read.
    if (this.version !== 'base') this.#marks.lower(room, seq, epoch);
    // The base protocol has no history, so gaps cannot be filled.
    if (this.version === 'base') timeline.setGaps('open', 'gone');
    this.#membersOf = room.id;
    this.#noteSeq(room.id, seq);
    if (room.id === this.room?.id) this.#placeDivider(before);
    // The list lags behind, and the messages are here by now.
    if (this.rooms.get(room.id)?.mentions) this.rooms.set(room.id, { ...this.rooms.get(room.id), mentions: 0 });
    return [];
  }

  said(event) {
    const { roomId, seq, from } = event;
    const timeline = this.position(roomId);
    this.#noteSeq(roomId, seq);
    // An old message may be repeated. If it is older than everything here, it would stand alone.
    if (!timeline || timeline.epoch === null || seq < timeline.oldestSeq) return [];
    const isNew = seq > timeline.endSeq && this.isFollowing(roomId);
    if (!isNew && !timeline.hasMissing) return [];
    this.#stopTyping(from?.id);
    const [entry] = timeline.add([event]);
    if (roomId === this.room?.id && this.#isWatching) this.#read();
    return entry && isNew && !entry.own ? [['news', entry]] : [];
  }

  paged(roomId, { events, more }, { before }) {
    this.position(roomId)?.addPage(events, more, before);
  }

  /** Everyone is to see it: in a room, out of a room, and still when more is said. */
  #announced({ text, time }) {
    this.notice = { key: 'announcement', vars: { text } };
    if (this.room) this.timeline.announced(text, time);
  }

  #left(user, roomId, time) {
    this.#stopTyping(user.id);
    this.position(roomId).left(user, time);
  }

  #renamed({ oldName, newName, userId, roomId, time }) {
    const typing = this.#typing.get(userId);
    if (typing) typing.name = newName;
    if (oldName !== newName) this.position(roomId).renamed(userId, oldName, newName, time);
  }

  #startTyping({ user, roomId }) {
    if (roomId !== this.room?.id || user.id === this.me.id) return;
    this.#stopTyping(user.id);
    const timer = this.#clock.setTimeout(() => {
      this.#typing.delete(user.id);
      this.#changed();
    }, TYPING_MS);
    this.#typing.set(user.id, { name: user.name, timer });
  }

  // ---- helpers

  get #isMembersRoom() {
    return this.#membersOf !== null && this.#membersOf === this.room?.id;
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

  #describe(event) {
    const own = this.isOwn(event);
    const { text } = event;
    return { own, mentionsMe: !own && typeof text === 'string' && this.#isMentioned(text, this.me.name) };
  }

  #noteSeq(id, seq) {
    const room = this.rooms.get(id);
    if (!room || this.version === 'base' || room.seq >= seq) return;
    this.rooms.set(id, { ...room, seq });
    this.#noteActive(id, seq);
  }

  #noteActive(id, seq) {
    this.#active.set(id, { seq, at: this.#clock.now() });
  }

  /** `before` is the last message that was known before entering, or null. */
  #placeDivider(before) {
    const { timeline } = this;
    const read = this.#readSeq;
    if (read !== null && timeline.othersAfter(read) > 0) {
      // Whoever has not read everything from before goes on reading there.
      if (this.divider === null || before === null || read >= before) this.divider = read;
      this.landing = true;
      this.seeking = timeline.isMissing(read + 1) ? read + 1 : null;
      this.#isWatching = false;
    } else if (this.#isWatching || read === null) {
      this.#read();
    }
    if (!this.#isWatching) this.divider ??= timeline.endSeq;
  }

  /** How far the room on screen was read; null if never. */
  get #readSeq() {
    if (this.room === null) return null;
    if (this.version === 'base') return this.#readInBase;
    const mark = this.#marks.get(this.room);
    return mark !== null && mark.epoch === this.timeline.epoch ? mark.seq : null;
  }

  #read(seq = this.timeline.endSeq) {
    const { epoch } = this.timeline;
    if (epoch === null) return;
    if (this.version === 'base') this.#readInBase = seq;
    else this.#marks.mark(this.room, seq, epoch);
  }

  /** The unread messages of the room on screen. Cached, because the list of rooms asks on every draw. */
  #unreadHere() {
    const { timeline } = this;
    const read = this.#readSeq;
    if (read === null || this.#isWatching) return { count: 0, mentions: 0 };
    const { revision } = timeline;
    const counted = this.#counted;
    if (counted.timeline !== timeline || counted.revision !== revision || counted.read !== read) {
      const count = timeline.othersAfter(read);
      this.#counted = { timeline, revision, read, count, mentions: timeline.mentionsAfter(read) };
    }
    return this.#counted;
  }

  #stopTyping(id) {
    this.#clock.clearTimeout(this.#typing.get(id)?.timer);
    this.#typing.delete(id);
  }

  #clearTyping() {
    for (const id of [...this.#typing.keys()]) this.#stopTyping(id);
  }
}
