// What the server has told us: who we are, the rooms, who is in ours, and how far each room has been followed. Applies
// frames and sends nothing.

/** The number of rooms whose positions are kept, and of ids that were ours. */
const MAX_POSITIONS = 64;
const MAX_OWN_IDS = 64;

/** Whether a `room` frame continues the history of a position, or is of another one. */
export const continues = ({ epoch, endSeq, newestSeq, newestTime }, { epoch: now, seq, events }) =>
  // A lower `seq`, or another time of the same one, means that the server has lost messages and reuses their numbers.
  epoch === now && seq >= endSeq && !events.some((event) => event.seq === newestSeq && event.time !== newestTime);

/** How far a room has been followed. */
export class Position {
  /** The history that `seq` counts in; null before the room was entered. */
  epoch = null;
  /** The `seq` of the room's last message, and of the last one that was seen, with its time. */
  endSeq = 0;
  newestSeq = null;
  newestTime = null;
  #from = 1;

  /** Applies a `room` frame. Returns what was missed since, as `[type, detail]`; nothing if this is a beginning. */
  enter(frame) {
    const { room, epoch, seq, events } = frame;
    const isSame = continues(this, frame);
    const happened = this.epoch === null || isSame ? [] : [['lost', { roomId: room.id }]];
    let last = isSame ? this.newestSeq ?? this.endSeq : seq;
    const isWhole = isSame && last === this.endSeq;
    const next = (upTo) => {
      if (upTo > last + 1) happened.push(['gap', { roomId: room.id, after: last, before: upTo }]);
      last = Math.max(last, upTo);
    };
    let from = seq + 1;
    for (let i = events.length - 1; i >= 0 && events[i].seq === from - 1; i -= 1) from -= 1;
    if (!isWhole || from > this.endSeq + 1) this.#from = from;
    for (const event of events) {
      if (event.seq <= last) continue;
      next(event.seq);
      happened.push(['said', event]);
    }
    next(seq + 1);
    const newest = events.at(-1);
    if (!isSame || newest) [this.newestSeq, this.newestTime] = [newest?.seq ?? null, newest?.time ?? null];
    Object.assign(this, { epoch, endSeq: seq });
    return happened;
  }

  /** Returns whether the event is new. */
  add({ seq, time }) {
    if (this.epoch === null || seq <= this.endSeq) return false;
    if (seq > this.endSeq + 1) this.#from = seq;
    Object.assign(this, { endSeq: seq, newestSeq: seq, newestTime: time });
    return true;
  }

  addPage(events) {
    if (events.at(-1)?.seq === this.#from - 1) this.#from = events[0].seq;
  }

  /** The `seq` from which everything up to the end was seen; the end + 1 if the last message was not. */
  completeFrom() {
    return this.#from;
  }
}

export class ClientState {
  /** 'connecting', 'online', 'waiting' (for the next attempt), 'replaced' (by another connection) or 'stopped'. */
  phase = 'connecting';
  retryAt = null;
  lostReason = '';
  wasOnline = false;
  version = null;
  /** The secret that resumes the session; null over the base protocol. */
  session = null;
  me = null;
  epoch = null;
  /** What the server can do beyond the core of the protocol. */
  features = [];
  limits = { maxTextChars: 4_000, maxNameChars: 32, maxTitleChars: 64 };
  gifs = [];
  /** id → { id, title, userCount, seq } */
  rooms = new Map();
  /** Whether the list of rooms has arrived on this connection. */
  isListed = false;
  /** `{ id, title }` of the room that the user wants to be in. */
  wanted = null;
  /**
   * The room the server has us in, and whether it sends us that room's events. A resumed session is in its room, but
   * gets no events until it enters again.
   */
  hereId = null;
  isSubscribed = false;
  /** Who is in the room: id → name; the ids of those whose connection is lost; how many they are in all. */
  members = new Map();
  away = new Set();
  memberCount = 0;
  /** The id after which the rest of the members is to be asked for, or null. */
  usersAfter = null;
  /** Until when nothing is sent, and why: 'rate_limited' or 'not_saved'. */
  pausedUntil = null;
  pauseReason = null;

  #store;
  #own;
  #positions = new Map();

  constructor({ store }) {
    this.#store = store;
    const own = store.get('own');
    this.#own = { epoch: own?.epoch ?? null, ids: Array.isArray(own?.ids) ? own.ids : [] };
  }

  /** How far a room has been followed, or null. */
  position(id) {
    return this.#positions.get(id) ?? null;
  }

  /** From where the server can resume a room's events, or null if nothing is known of it. */
  since(id) {
    const { epoch, newestSeq: seq, newestTime: time } = this.position(id) ?? {};
    return seq ? { epoch, seq, ...(time && { time }) } : null;
  }

  /** Whether a message is ours, also if it was sent in an earlier session. */
  isOwn({ from }) {
    return from?.id === this.me?.id || this.#own.ids.includes(from?.id);
  }

  isFollowing(roomId) {
    return this.isSubscribed && this.hereId === roomId;
  }

  disconnected({ phase, reason, retryAt }) {
    Object.assign(this, { phase, retryAt, lostReason: reason, isListed: false, hereId: null, isSubscribed: false });
    this.usersAfter = null;
  }

  /** Ids may change when the server restarts: `find(room)` returns the current room, or null. */
  relocate(find) {
    const found = this.wanted && find(this.wanted);
    if (found) this.wanted = { id: found.id, title: found.title };
  }

  /** Applies a frame. Returns what happened in the room, as `[type, detail]`. Unknown frames only count their `seq`. */
  apply(frame) {
    switch (frame.type) {
      case 'welcome': this.#welcome(frame); break;
      case 'list_rooms': this.#listRooms(frame); break;
      case 'room_added': case 'room_changed': this.#roomChanged(frame.room); break;
      case 'room_removed': this.rooms.delete(frame.roomId); break;
      case 'room': return this.#enteredRoom(frame);
      case 'enter_room': if (this.isFollowing(frame.roomId)) this.#entered(frame.user); break;
      case 'leave_room': this.#left(frame); break;
      case 'change_name': this.#renamed(frame); break;
      case 'users': this.#users(frame); break;
      case 'presence': this.#presence(frame); break;
      default: if (Number.isInteger(frame.seq) && frame.roomId !== undefined) return this.said(frame);
    }
    return [];
  }

  // ---- to be replaced by a program that keeps the messages

  entered(frame) {
    const { id } = frame.room;
    const position = this.position(id) ?? new Position();
    this.#positions.delete(id); // the most recent comes last
    this.#positions.set(id, position);
    if (this.#positions.size > MAX_POSITIONS) this.#positions.delete(this.#positions.keys().next().value);
    return position.enter(frame);
  }

  said(event) {
    const isNew = this.isFollowing(event.roomId) && this.position(event.roomId).add(event);
    return isNew ? [['said', event]] : [];
  }

  paged(roomId, { events }) {
    this.position(roomId)?.addPage(events);
  }

  // ---- frames

  #welcome({ user, session, resumed, roomId, epoch, features, limits, gifs }) {
    Object.assign(this, { phase: 'online', retryAt: null, lostReason: '', wasOnline: true });
    Object.assign(this, { me: { ...user }, session, limits, features: features ?? [], epoch: epoch ?? null });
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
  #enteredRoom(frame) {
    const { room, users, userCount = users.length, epoch } = frame;
    this.hereId = room.id;
    this.isSubscribed = true;
    this.members = new Map();
    this.away = new Set();
    this.#addUsers(users);
    this.#updateRest(users, userCount, userCount > users.length);
    const mine = this.members.get(this.me.id);
    if (mine !== undefined) this.me = { ...this.me, name: mine };
    this.#noteOwnId(epoch);
    return this.entered(frame);
  }

  #entered({ id, name }) {
    if (!this.members.has(id)) this.memberCount += 1;
    this.members.set(id, name);
    this.away.delete(id);
  }

  #left({ user, roomId }) {
    if (user.id === this.me.id) {
      this.hereId = null;
      this.isSubscribed = false;
      this.usersAfter = null;
    } else if (this.isFollowing(roomId)) {
      this.memberCount = Math.max(this.memberCount, 1) - 1;
      this.members.delete(user.id);
      this.away.delete(user.id);
    }
  }

  #renamed({ newName, userId, roomId }) {
    if (userId === this.me.id) this.me = { ...this.me, name: newName };
    if (this.isFollowing(roomId) && this.members.has(userId)) this.members.set(userId, newName);
  }

  #users({ roomId, users, userCount, more }) {
    if (!this.isFollowing(roomId)) return;
    this.#addUsers(users);
    this.#updateRest(users, userCount, more);
  }

  #presence({ roomId, users }) {
    if (!this.isFollowing(roomId)) return;
    for (const { id, away } of users) {
      if (away) this.away.add(id);
      else this.away.delete(id);
    }
  }

  #addUsers(users) {
    for (const { id, name, away } of users) {
      this.members.set(id, name);
      if (away) this.away.add(id);
      else this.away.delete(id);
    }
  }

  /** We ourselves are among the first ones even if our id is one of the last. */
  #updateRest(users, userCount, more) {
    const last = users.findLast(({ id }) => id !== this.me.id);
    this.usersAfter = more && last ? last.id : null;
    this.memberCount = this.usersAfter === null ? this.members.size : Math.max(userCount, this.members.size);
  }

  /** Ids are never reused within an epoch, but in another one they may be anybody's. The base protocol has no epochs. */
  #noteOwnId(epoch) {
    const { id } = this.me;
    const isSame = epoch === this.#own.epoch && this.version !== 'base';
    const earlier = isSame ? this.#own.ids.filter((one) => one !== id) : [];
    this.#own = { epoch, ids: [...earlier, id].slice(-MAX_OWN_IDS) };
    this.#store.set('own', this.#own);
  }
}
