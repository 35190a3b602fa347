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
  loadingOlder = false;
  hasName = false;

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
  /** The room has just been chosen, so the divider does not know yet how far it was read. */
  #isFresh = false;
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

  /** The number of unread messages; 0 for a room that was never read. */
  unread(id) {
    if (id === this.room?.id) return this.#isWatching || this.divider === null ? 0 : this.#othersAfterDivider();
    const room = this.rooms.get(id);
    const mark = room?.seq === undefined ? null : this.#marks.get(room);
    // In another epoch the numbers mean other messages.
    if (mark === null || (this.epoch !== null && mark.epoch !== this.epoch)) return 0;
    return Math.max(0, room.seq - mark.seq);
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
    const happened = super.apply(frame);
    this.wasOnline ||= type === 'welcome';
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

  // ---- frames

  entered(frame) {
    const { room, epoch, seq } = frame;
    this.#clearTyping();
    const { timeline } = this.#memory(room);
    const before = continues(timeline, frame) ? timeline.newestSeq : null;
    if (timeline.epoch !== null && before === null) this.divider = null;
    timeline.enter(frame);
    // The base protocol has no history, so gaps cannot be filled.
    if (this.version === 'base') timeline.setGaps('open', 'gone');
    this.#membersOf = room.id;
    this.#noteSeq(room.id, seq);
    if (room.id === this.room?.id) this.#placeDivider(before);
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
