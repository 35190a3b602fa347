// What the server has told us: who we are, the rooms, and who is in ours. Applies frames and sends nothing. How far each
// room has been followed is up to a subclass, with position(id), entered(frame), said(event) and paged(roomId, page,
// query).

/** The number of ids that were ours. */
const MAX_OWN_IDS = 64;

/** Whether a `room` frame continues the history of a position, or is of another one. */
export const continues = ({ epoch, endSeq }, { epoch: now, seq, reset }) =>
  // A lower `seq` means that the server has lost messages and reuses their numbers.
  !reset && epoch === now && seq >= endSeq;

export class ServerState {
  /**
   * 'connecting', 'online', 'waiting' (for the next attempt), 'replaced' (by another connection), 'kicked' (by the
   * operator) or 'stopped'.
   */
  phase = 'connecting';
  /** Like `pausedUntil` by `clock.now()`, which is not the time of day. */
  retryAt = null;
  lostReason = '';
  version = null;
  /** The secret that resumes the session; null over the base protocol. */
  session = null;
  me = null;
  epoch = null;
  /** What the server can do beyond the core of the protocol. */
  features = [];
  limits = { maxTextChars: 4_000, maxNameChars: 32, maxTitleChars: 64 };
  gifs = [];
  /** id → { id, title, userCount, seq, mentions }: `mentions` of us since we were last in the room. */
  rooms = new Map();
  /** Room id → what the last `previews` said of it: { roomId, userCount, users, last? } */
  previews = new Map();
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

  constructor({ store }) {
    this.#store = store;
    const own = store.get('own');
    this.#own = { epoch: own?.epoch ?? null, ids: Array.isArray(own?.ids) ? own.ids : [] };
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

  /** Ids may begin anew when the server restarts: `find(room)` returns the current room, or null. */
  relocate(find) {
    const found = this.wanted && find(this.wanted);
    if (found) this.wanted = { id: found.id, title: found.title };
  }

  /** Applies a frame. Returns what happened in the room, as `[type, detail]`. Unknown frames only count their `seq`. */
  apply(frame) {
    const isHere = this.isFollowing(frame.roomId);
    switch (frame.type) {
      case 'welcome': this.#welcome(frame); break;
      case 'list_rooms':
        this.rooms = new Map(Object.values(frame.rooms).map((room) => [room.id, this.#listed(room)]));
        this.isListed = true;
        break;
      case 'room_added': case 'room_changed': this.#roomChanged(frame.room); break;
      case 'room_removed': for (const known of [this.rooms, this.previews]) known.delete(frame.roomId); break;
      case 'previews': for (const preview of frame.previews) this.previews.set(preview.roomId, preview); break;
      case 'room': return this.#enteredRoom(frame);
      case 'enter_room': if (isHere) this.#entered(frame.user); break;
      case 'leave_room': this.#left(frame); break;
      case 'change_name': this.#renamed(frame); break;
      case 'users': if (isHere) this.#addUsers(frame, frame.more); break;
      case 'presence': if (isHere) for (const user of frame.users) this.#setAway(user); break;
      default: if (Number.isInteger(frame.seq) && frame.roomId !== undefined) return this.said(frame);
    }
    return [];
  }

  // ---- frames

  #welcome({ user, session, resumed, roomId, epoch, features, limits, gifs }) {
    Object.assign(this, { phase: 'online', retryAt: null, lostReason: '' });
    if (epoch !== this.epoch) this.previews.clear();
    Object.assign(this, { me: { ...user }, session, limits, features: features ?? [], epoch: epoch ?? null });
    this.hereId = resumed ? roomId ?? null : null;
    this.isSubscribed = false;
    if (gifs) this.gifs = gifs;
  }

  #roomChanged(room) {
    const known = this.rooms.get(room.id);
    // The list's numbers are batched and may lag behind the events.
    const seq = known?.seq > room.seq ? known.seq : room.seq;
    this.rooms.set(room.id, { ...this.#listed(room), ...(seq !== undefined && { seq }) });
  }

  /** We have seen what mentions us in the room that we are in. */
  #listed(room) {
    return { ...room, mentions: room.id === this.hereId ? 0 : room.mentions ?? 0 };
  }

  /** A full snapshot of the room. */
  #enteredRoom(frame) {
    const { room, users, userCount = users.length, epoch } = frame;
    Object.assign(this, { hereId: room.id, isSubscribed: true, members: new Map(), away: new Set() });
    if (this.rooms.has(room.id)) this.#roomChanged(this.rooms.get(room.id));
    this.#addUsers({ users, userCount }, userCount > users.length);
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
      Object.assign(this, { hereId: null, isSubscribed: false, usersAfter: null });
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

  #setAway({ id, away }) {
    this.away[away ? 'add' : 'delete'](id);
  }

  #addUsers({ users, userCount }, more) {
    for (const user of users) {
      this.members.set(user.id, user.name);
      this.#setAway(user);
    }
    // We ourselves are among the first ones even if our id is one of the last.
    const last = users.findLast(({ id }) => id !== this.me.id);
    this.usersAfter = more && last ? last.id : null;
    this.memberCount = this.usersAfter === null ? this.members.size : Math.max(userCount, this.members.size);
  }

  /** Ids are never reused within an epoch, but in another one they may be anybody's. The base protocol has no epochs. */
  #noteOwnId(epoch) {
    const isSame = epoch === this.#own.epoch && this.version !== 'base';
    const earlier = isSame ? this.#own.ids.filter((one) => one !== this.me.id) : [];
    this.#own = { epoch, ids: [...earlier, this.me.id].slice(-MAX_OWN_IDS) };
    this.#store.set('own', this.#own);
  }
}
