// Adapts a server that speaks only the base protocol: translates between it and the wschat.v2 frames that the page
// speaks. The base protocol has no refs, so only one request is in flight at a time, and any answer or refusal belongs
// to it. It has no history either: sequence numbers are made up here, with a gap wherever messages may have been
// missed.

/** The limits that docs/protocol.md promises; the base protocol does not send any. */
const LIMITS = { maxTextChars: 4_000, maxNameChars: 32, maxTitleChars: 64 };

/** Refusals that can only answer one type of request. */
const ABOUT = {
  bad_name: 'change_name', bad_title: 'create_room', too_many_rooms: 'create_room', unknown_room: 'enter_room',
};

/** Announcements come as texts from this id, which nobody has. */
const OPERATOR = 0;

const isSame = (event, request) =>
  event.type === request.type && event.text === request.text && event.gifId === request.gifId;

/** The request without what only wschat.v2 has. */
const inBase = ({ ref, since, roomId, ...base }) => (base.type === 'enter_room' ? { ...base, roomId } : base);

/** Ids may begin anew when the server restarts, and titles may be those of several rooms. */
const name = ({ id, title }) => `${id} ${title}`;

export class BaseProtocol {
  #send;
  #receive;
  #clock;
  #epoch;
  #me = null;
  #here = null;
  /** id → { id, title, members: Map id → name } */
  #rooms = new Map();
  /** Room id and title → the last sequence number given out. Survives reconnects. */
  #seqs = new Map();
  #queue = [];
  #current = null;

  /** `send(request)` sends to the server, `receive(frame)` delivers to the page. */
  constructor({ send, receive, clock }) {
    this.#send = send;
    this.#receive = receive;
    this.#clock = clock;
    this.#epoch = `base-${Math.floor(clock.random() * 2 ** 32).toString(36)}`;
  }

  /** New connection: requests of the old one get no answer. */
  reset() {
    this.#left();
    this.#queue = [];
    this.#current = null;
  }

  send(request) {
    switch (request.type) {
      case 'typing': return true; // nobody could be told
      case 'history':
        this.#receive({ type: 'history', roomId: request.roomId, events: [], more: false, ref: request.ref });
        return true;
    }
    this.#queue.push(request);
    this.#sendNext();
    return true;
  }

  receive(frame) {
    switch (frame.type) {
      case 'welcome': return this.#welcome(frame);
      case 'list_rooms': return this.#listRooms(frame);
      case 'enter_room': return this.#entered(frame.user);
      case 'leave_room': return this.#leftBy(frame.user);
      case 'change_name': return this.#renamed(frame);
      case 'text': case 'gif': return frame.from.id === OPERATOR ? this.#announced(frame) : this.#said(frame);
      case 'error': return this.#refused(frame);
    }
  }

  // ---- requests, one at a time

  #sendNext() {
    if (this.#current !== null || this.#queue.length === 0) return;
    const request = this.#queue.shift();
    const before = new Set(this.#rooms.keys());
    this.#current = { request, before };
    this.#send(inBase(request));
    // Outside a room nobody is told of a new name. The room list arrives after a refusal would have.
    if (request.type === 'change_name' && this.#here === null) this.#send({ type: 'list_rooms' });
  }

  /** The request in flight, if it has this type. */
  #inFlight(type) {
    return this.#current?.request.type === type ? this.#current.request : null;
  }

  /**
   * Delivers the answer before sending the next request, so that requests made in response queue behind those waiting.
   */
  #answer(frame) {
    const ref = this.#current?.request.ref;
    this.#current = null;
    this.#receive({ ...frame, ...(ref !== undefined && { ref }) });
    this.#sendNext();
  }

  #refused(error) {
    const type = this.#current?.request.type;
    if (type === undefined || (ABOUT[error.code] ?? type) !== type) this.#receive(error);
    else this.#answer(error);
  }

  #refresh() {
    if (!this.#queue.some(({ type }) => type === 'list_rooms')) this.#queue.push({ type: 'list_rooms' });
    this.#sendNext();
  }

  // ---- frames

  #welcome({ user }) {
    this.#me = { ...user };
    this.#receive({ type: 'welcome', user, session: null, resumed: false, limits: LIMITS, gifs: null });
  }

  /** The list is authoritative: it replaces what events have built up. */
  #listRooms({ rooms }) {
    this.#rooms = new Map(Object.values(rooms).map(({ id, title, users }) => {
      const members = new Map(Object.values(users).map((user) => [user.id, user.name]));
      return [id, { id, title, members }];
    }));
    const shown = Object.fromEntries([...this.#rooms].map(([id, room]) => [id, this.#summary(room)]));
    const frame = { type: 'list_rooms', rooms: shown };
    const renaming = this.#inFlight('change_name');
    const creating = this.#inFlight('create_room');
    const made = creating && [...this.#rooms.values()]
      .find(({ id, title }) => title === creating.title && !this.#current.before.has(id));
    if (this.#inFlight('list_rooms')) {
      this.#answer(frame);
    } else {
      this.#receive(frame);
      if (made) this.#answer({ type: 'room_added', room: this.#summary(made) });
      else if (renaming && this.#here === null) this.#renamedOutside(renaming.name);
    }
    const room = this.#rooms.get(this.#here);
    if (room?.members.has(this.#me.id)) this.#show(room);
  }

  /** Nothing confirms a rename outside a room. That no refusal came before the list is the confirmation. */
  #renamedOutside(newName) {
    const oldName = this.#me.name;
    this.#me.name = newName;
    const time = this.#clock.time();
    this.#answer({ type: 'change_name', oldName, newName, userId: this.#me.id, time });
  }

  /** The frame does not name the room: it is the one we asked to enter. */
  #entered(user) {
    const time = this.#clock.time();
    if (user.id !== this.#me.id) {
      const room = this.#rooms.get(this.#here);
      room?.members.set(user.id, user.name);
      this.#receive({ type: 'enter_room', user, roomId: this.#here, time });
      return this.#countChanged(room);
    }
    const asked = this.#inFlight('enter_room');
    if (!asked) return;
    this.#here = asked.roomId;
    const room = this.#rooms.get(asked.roomId) ?? { id: asked.roomId, title: '', members: new Map() };
    this.#rooms.set(room.id, room);
    room.members.set(user.id, user.name);
    this.#refresh();
    this.#answer(this.#snapshot(room));
    this.#countChanged(room);
  }

  /** Tells the page who is in our room: the last list may have been out of date. */
  #show(room) {
    this.#receive(this.#snapshot(room));
  }

  #snapshot({ id, title, members }) {
    const users = [...members].map(([userId, name]) => ({ id: userId, name }));
    const seq = this.#seqs.get(name({ id, title })) ?? 0;
    return { type: 'room', room: { id, title }, users, epoch: this.#epoch, seq, complete: false, events: [] };
  }

  #leftBy(user) {
    const room = this.#rooms.get(this.#here);
    const frame = { type: 'leave_room', user, roomId: this.#here, time: this.#clock.time() };
    room?.members.delete(user.id);
    if (user.id === this.#me.id) this.#left();
    if (user.id === this.#me.id && this.#inFlight('leave_room')) this.#answer(frame);
    else this.#receive(frame);
    this.#countChanged(room);
  }

  /** Skips one number, which stands for the messages that we do not hear while away. */
  #left() {
    const left = this.#nameHere();
    if (this.#seqs.has(left)) this.#seqs.set(left, this.#seqs.get(left) + 1);
    this.#here = null;
  }

  /** The frame does not say who was renamed. It was us if we asked; otherwise the only other member of that name. */
  #renamed({ oldName, newName }) {
    const room = this.#rooms.get(this.#here);
    const frame = { type: 'change_name', oldName, newName, roomId: this.#here, time: this.#clock.time() };
    if (this.#inFlight('change_name') && this.#me.name === oldName) {
      this.#me.name = newName;
      room?.members.set(this.#me.id, newName);
      return this.#answer({ ...frame, userId: this.#me.id });
    }
    const ids = [...(room?.members ?? [])].filter(([id, name]) => name === oldName && id !== this.#me.id);
    if (ids.length !== 1) return this.#refresh();
    const [[userId]] = ids;
    room.members.set(userId, newName);
    this.#receive({ ...frame, userId });
  }

  #announced({ text }) {
    this.#receive({ type: 'announcement', text, time: this.#clock.time() });
  }

  #said(event) {
    const here = this.#nameHere();
    const seq = (this.#seqs.get(here) ?? 0) + 1;
    this.#seqs.set(here, seq);
    const frame = { ...event, roomId: this.#here, time: this.#clock.time(), seq };
    const isAnswer = event.from.id === this.#me.id && this.#current !== null && isSame(event, this.#current.request);
    if (isAnswer) this.#answer(frame);
    else this.#receive(frame);
  }

  #nameHere() {
    return name(this.#rooms.get(this.#here) ?? {});
  }

  #countChanged(room) {
    if (room) this.#receive({ type: 'room_changed', room: this.#summary(room) });
  }

  #summary({ id, title, members }) {
    return { id, title, userCount: members.size };
  }
}
