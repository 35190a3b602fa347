// A stand-in for the network: a server that speaks wschat.v2, from a small model. Every message waits until it is
// delivered, so that the connection can be cut between any two of them.

import { isMentioned } from '../../../src/web/text/mention.js';
import { historyPage } from './record.mjs';

export { FakeClock, FakeStore, stores } from './doubles.mjs';

const LIMITS = {
  maxMessageBytes: 65_536, maxTextChars: 4_000, maxNameChars: 32, maxTitleChars: 64, messagesPerSecond: 10,
  messageBurst: 30, pingIntervalMs: 25_000, resumeGraceSeconds: 60, historyOnEnter: 50, historyMaxPage: 100,
  usersMaxPage: 250,
};

/** More steps than this mean an endless loop. */
const MAX_FLOW = 20_000;

export class FakeServer {
  /** Connections that are open or opening, oldest first. */
  sockets = [];
  /** All connections ever opened, with the protocols that were offered. */
  offers = [];
  /** `(request, session)` → an error; or true to ignore the request; or undefined to handle it. */
  onRequest = () => undefined;
  /** Whether the server is running, and which protocol it speaks. */
  isUp = true;
  speaks = 'wschat.v2';
  onEnter = 50;
  /** How many events fit in one frame. */
  frameEvents = 1_000;
  /** How many users fit in one frame. */
  frameUsers = 250;
  features = ['presence', 'users', 'history.after', 'history.around', 'mentions', 'previews'];
  /** Everything that was ever in the history, by epoch and in order, and the texts that were lost. */
  said = [];
  lost = new Set();

  constructor(clock, titles = ['Room 1', 'Room 2', 'Room 3']) {
    this.clock = clock;
    this.titles = titles;
    this.#begin();
    const server = this;
    /** The WebSocket class for the page. */
    this.WebSocket = class extends FakeSocket {
      constructor(url, protocols) {
        super(server, protocols);
      }
    };
  }

  #begin() {
    this.epoch = `epoch ${this.said.length + 1}`;
    this.said.push([]);
    this.sessions = new Map();
    this.lastUser = 0;
    this.lastRoom = 0;
    this.rooms = new Map();
    for (const title of this.titles) this.makeRoom(title);
  }

  makeRoom(title) {
    this.lastRoom += 1;
    this.rooms.set(this.lastRoom, { id: this.lastRoom, title, record: [], keptFrom: 1, lastSeq: 0 });
    return this.rooms.get(this.lastRoom);
  }

  titled(title) {
    return [...this.rooms.values()].find((room) => room.title === title);
  }

  // ---- faults

  /** Stops the server as a power cut does. Without `keeps` it forgets everything. */
  restart({ keeps }) {
    for (const socket of [...this.sockets]) this.cut(socket);
    if (!keeps) this.#begin();
  }

  /** Cuts all connections; what is in flight is lost. */
  cut(socket, code = 1006, reason = '') {
    this.#disconnected(socket);
    socket.up = [];
    socket.down = [];
    socket.closed(code, reason);
  }

  /** Loses the last messages of each room, as if they had not been on the disk; their numbers are used again. */
  loseTail(count) {
    this.restart({ keeps: true });
    const gone = new Set();
    for (const room of this.rooms.values()) {
      for (const event of room.record.splice(Math.max(0, room.record.length - count))) gone.add(event);
      room.lastSeq = room.record.at(-1)?.seq ?? Math.min(room.lastSeq, room.keptFrom - 1);
    }
    for (const { text } of gone) this.lost.add(text);
    for (const { refs } of this.sessions.values()) {
      for (const [name, event] of refs) if (gone.has(event)) refs.delete(name);
    }
    const isKept = ({ roomId, seq }) => ![...gone].some((event) => event.roomId === roomId && event.seq === seq);
    this.said[this.said.length - 1] = this.said.at(-1).filter(isKept);
  }

  /** Restores an older history, whose sessions are not ours. */
  restore(count, { keepsSessions }) {
    this.loseTail(count);
    this.said.push([...this.said.at(-1)]);
    this.epoch = `epoch ${this.said.length}`;
    if (!keepsSessions) this.sessions.clear();
  }

  /** Expires the sessions of everyone who is away. */
  endGrace() {
    for (const [secret, session] of this.sessions) if (!session.socket) this.#depart(secret);
  }

  /** Prunes old messages. */
  prune(room, keptFrom = room.lastSeq + 1) {
    room.keptFrom = Math.max(room.keptFrom, keptFrom);
    room.record = room.record.filter(({ seq }) => seq >= room.keptFrom);
  }

  /** Erases one message. */
  erase(room, seq) {
    room.record = room.record.map((event) => (event.seq === seq
      ? { type: 'gone', roomId: event.roomId, time: event.time, seq } : event));
  }

  /** Removes a room, if it is empty. */
  removeRoom(id) {
    if (this.#users(this.rooms.get(id)).length > 0) return;
    this.rooms.delete(id);
    for (const { mentions } of this.sessions.values()) mentions.delete(id);
    this.#tellList(() => ({ type: 'room_removed', roomId: id }));
  }

  /** A user without a connection. */
  sayAs(user, room, text, ref) {
    return this.#say(room, { type: 'text', text, from: user }, ref);
  }

  /** Delivers messages until none is in flight. */
  flow() {
    let left = MAX_FLOW;
    for (let isQuiet = false; !isQuiet;) {
      isQuiet = true;
      for (const socket of [...this.sockets]) {
        for (; this.step(socket); left -= 1) {
          isQuiet = false;
          if (left === 0) throw new Error('the page and the server do not come to rest');
        }
      }
    }
  }

  /** Delivers one message, the oldest, in one direction. */
  step(socket, up = socket.up.length > 0) {
    if (socket.readyState === 0) return this.#open(socket);
    if (up && socket.up.length > 0) {
      const [text] = socket.up.splice(0, 1);
      this.#receive(socket, JSON.parse(text));
      return true;
    }
    if (!up && socket.down.length > 0) {
      const [text] = socket.down.splice(0, 1);
      socket.dispatch('message', { data: text });
      return true;
    }
    return socket.up.length + socket.down.length > 0 && this.step(socket, !up);
  }

  push(socket, frame) {
    socket.down.push(JSON.stringify(frame));
  }

  // ---- connections

  #open(socket) {
    const isV2 = socket.protocols[0] === 'wschat.v2';
    if (!this.isUp || (isV2 && this.speaks !== 'wschat.v2')) {
      this.cut(socket);
      return true;
    }
    socket.opened(isV2 ? 'wschat.v2' : '');
    if (!isV2) {
      this.onBase?.(socket);
      return true;
    }
    const secret = socket.protocols.find((one) => one.startsWith('session.'))?.slice('session.'.length);
    const known = this.sessions.get(secret);
    if (known?.socket) {
      const old = known.socket;
      known.socket = null;
      this.cut(old, 4001, 'replaced');
    }
    const session = known ?? this.#newSession();
    Object.assign(session, { socket, isSubscribed: false, follows: false, counts: false });
    socket.session = session;
    const { user, room } = session;
    this.push(socket, {
      type: 'welcome', user, session: session.secret, resumed: known !== undefined,
      ...(known && room && { roomId: room }), epoch: this.epoch, time: this.clock.now(), features: this.features,
      server: { name: 'fake', version: '0' }, limits: LIMITS,
      gifs: [{ id: 1, alt: 'A waving hand' }],
    });
    return true;
  }

  #newSession() {
    this.lastUser += 1;
    const secret = `${this.epoch}-${this.lastUser}`.replaceAll(' ', '');
    const user = { id: this.lastUser, name: `User ${this.lastUser}` };
    const session = { secret, user, room: null, refs: new Map(), made: new Map(), mentions: new Map(), socket: null };
    this.sessions.set(secret, session);
    return session;
  }

  #disconnected(socket) {
    this.sockets = this.sockets.filter((one) => one !== socket);
    if (socket.session?.socket === socket) socket.session.socket = null;
  }

  /** The page has closed the connection. */
  closedByPage(socket) {
    this.#disconnected(socket);
  }

  #depart(secret) {
    const session = this.sessions.get(secret);
    this.sessions.delete(secret);
    if (session.room) this.#leave(session);
  }

  // ---- requests

  #receive(socket, request) {
    const { session } = socket;
    if (!session) return this.onBaseRequest?.(socket, request);
    const verdict = this.onRequest(request, session);
    if (verdict === true) return undefined;
    const error = verdict ?? this.#serve(session, request);
    if (error) this.push(socket, { type: 'error', message: `No: ${error.code}.`, ...error, ...ref(request) });
  }

  #serve(session, request) {
    const { socket, user } = session;
    const reply = (frame) => this.push(socket, { ...frame, ...ref(request) });
    switch (request.type) {
      case 'list_rooms':
        session.follows = true;
        return reply({ type: 'list_rooms', rooms: this.#list(session), epoch: this.epoch });
      case 'hello': {
        const features = (request.features ?? []).filter((name) => ['presence', 'mentions'].includes(name));
        session.counts = features.includes('mentions');
        return reply({ type: 'hello', features, maxFrameBytes: 1_048_576 });
      }
      case 'previews': return reply(this.#previews(request.roomIds));
      case 'users': return reply(this.#page(this.rooms.get(request.roomId), request));
      case 'create_room': {
        const before = this.rooms.get(session.made.get(request.ref));
        if (before) return reply({ type: 'room_added', room: this.#summary(before) });
        if (session.made.has(request.ref)) return { code: 'already_said' };
        const room = this.#summary(this.makeRoom(request.title));
        session.made.set(request.ref, room.id);
        this.#tellList(() => ({ type: 'room_added', room }), session);
        return reply({ type: 'room_added', room });
      }
      case 'enter_room': {
        const room = this.rooms.get(request.roomId);
        if (!room) return { code: 'unknown_room' };
        if (session.room !== room.id) {
          if (session.room) this.#leave(session);
          this.#tell(room, { type: 'enter_room', user, roomId: room.id, time: this.clock.now() });
          session.room = room.id;
          session.mentions.delete(room.id);
        }
        session.isSubscribed = true;
        return reply(this.#snapshot(room, request.since));
      }
      case 'leave_room':
        if (isElsewhere(session, request)) return { code: 'not_in_room' };
        session.isSubscribed = true;
        return this.#leave(session, ref(request));
      case 'change_name': {
        const frame = { type: 'change_name', oldName: user.name, newName: request.name, userId: user.id };
        const answer = ref(request);
        session.user = { ...user, name: request.name };
        const room = this.rooms.get(session.room);
        if (room) this.#tell(room, { ...frame, roomId: room.id, time: this.clock.now(), ...answer });
        if (!room || !session.isSubscribed) this.push(socket, { ...frame, time: this.clock.now(), ...answer });
        return undefined;
      }
      case 'history': {
        const room = this.rooms.get(request.roomId);
        if (!room) return { code: 'unknown_room' };
        const { events, more, newer } = historyPage(room.record, request, this.frameEvents);
        return reply({ type: 'history', roomId: room.id, epoch: this.epoch, events, more, newer });
      }
      case 'text': case 'gif': return this.#asksToSay(session, request);
      case 'typing':
        if (isElsewhere(session, request)) return { code: 'not_in_room' };
        return reply({ type: 'typing', user, roomId: session.room, time: this.clock.now() });
      default: return { code: 'unknown_type' };
    }
  }

  #asksToSay(session, request) {
    const { type, text, gifId, ref: name } = request;
    const before = session.refs.get(name);
    if (before) {
      const room = this.rooms.get(before.roomId);
      if (!room || before.seq < room.keptFrom) return { code: 'already_said', roomId: before.roomId, seq: before.seq };
      this.push(session.socket, before);
      return undefined;
    }
    if (isElsewhere(session, request)) return { code: 'not_in_room' };
    const room = this.rooms.get(session.room);
    const what = type === 'text' ? { type, text } : { type, gifId };
    const event = this.#say(room, { ...what, from: session.user }, name);
    session.refs.set(name, event);
    if (!session.isSubscribed) this.push(session.socket, event);
    return undefined;
  }

  #say(room, what, name) {
    room.lastSeq += 1;
    const { from, ...said } = what;
    const place = { from, roomId: room.id, time: this.clock.now(), seq: room.lastSeq };
    const event = { ...said, ...place, ...(name && { ref: name }) };
    room.record.push(event);
    this.said.at(-1).push({ ...event, title: room.title });
    this.#tell(room, event);
    this.#countMentions(room, event);
    this.#tellList((session) => ({ type: 'room_changed', room: this.#summary(room, session) }));
    return event;
  }

  #leave(session, answer = {}) {
    const room = this.rooms.get(session.room);
    const frame = { type: 'leave_room', user: session.user, roomId: room?.id, time: this.clock.now(), ...answer };
    if (room) this.#tell(room, frame);
    session.room = null;
    session.isSubscribed = false;
  }

  #tell(room, frame) {
    for (const { socket, isSubscribed, room: where } of this.sessions.values()) {
      if (socket && isSubscribed && where === room.id) this.push(socket, frame);
    }
  }

  /** `frame(session)` is what the session is told. */
  #tellList(frame, but) {
    for (const session of this.sessions.values()) {
      if (session.socket && session.follows && session !== but) this.push(session.socket, frame(session));
    }
  }

  #countMentions(room, { text = '', from }) {
    for (const { user, room: where, mentions } of this.sessions.values()) {
      if (user.id === from?.id || where === room.id || !isMentioned(text, user.name)) continue;
      mentions.set(room.id, (mentions.get(room.id) ?? 0) + 1);
    }
  }

  /** Other people, without a session: room id → users in the order of ids. */
  crowd = new Map();

  #users(room) {
    const users = [...this.sessions.values()].filter((session) => session.room === room.id).map(({ user }) => user);
    return [...users, ...(this.crowd.get(room.id) ?? [])];
  }

  #page(room, { after = 0, limit = this.frameUsers }) {
    const rest = this.#users(room).filter(({ id }) => id > after);
    const users = rest.slice(0, Math.min(limit, this.frameUsers));
    const userCount = this.#users(room).length;
    return { type: 'users', roomId: room.id, users, userCount, more: rest.length > users.length };
  }

  #list(session) {
    return Object.fromEntries([...this.rooms].map(([id, room]) => [id, this.#summary(room, session)]));
  }

  #summary(room, session) {
    const mentions = session?.counts && session.mentions.get(room.id);
    return {
      id: room.id, title: room.title, userCount: this.#users(room).length, seq: room.lastSeq,
      ...(mentions && { mentions }),
    };
  }

  #previews(ids) {
    const previews = ids.map((id) => this.rooms.get(id)).filter(Boolean).map((room) => {
      const users = this.#users(room);
      const said = room.record.findLast(({ type }) => type !== 'gone');
      const { type, text, gifId, from, time, seq } = said ?? {};
      const cut = text?.length > 200 && { cut: true };
      const last = { type, ...(type === 'text' ? { text: text.slice(0, 200), ...cut } : { gifId }), from, time, seq };
      return { roomId: room.id, userCount: users.length, users: users.slice(0, 5), ...(said && { last }) };
    });
    return { type: 'previews', epoch: this.epoch, previews };
  }

  #snapshot(room, since) {
    const last = room.record.find(({ seq }) => seq === since?.seq);
    const isSame = !last || since.time === undefined || since.time === last.time;
    const isKnown = since && since.epoch === this.epoch && since.seq <= room.lastSeq && isSame;
    const asked = isKnown ? room.record.filter(({ seq }) => seq > since.seq) : room.record.slice(-this.onEnter);
    const events = asked.slice(-this.frameEvents);
    const first = events[0]?.seq ?? room.lastSeq + 1;
    const complete = since ? Boolean(isKnown) && first === since.seq + 1 : true;
    return {
      type: 'room', room: { id: room.id, title: room.title }, users: this.#users(room).slice(0, this.frameUsers),
      userCount: this.#users(room).length, epoch: this.epoch,
      seq: room.lastSeq, complete, ...(since && !isKnown && { reset: true }), events,
    };
  }
}

/** Whether the user is in no room, or not in the one that the request names. */
const isElsewhere = ({ room }, { roomId = room }) => !room || room !== roomId;

const ref = (request) => (request.ref === undefined ? {} : { ref: request.ref });

class FakeSocket {
  readyState = 0;
  protocol = '';
  /** Messages in flight to the server, and to the page. */
  up = [];
  down = [];
  session = null;
  #listeners = [];

  constructor(server, protocols) {
    this.server = server;
    this.protocols = protocols;
    server.offers.push(protocols);
    server.sockets.push(this);
  }

  addEventListener(type, listener) {
    this.#listeners.push({ type, listener });
  }

  send(text) {
    if (this.readyState === 1) this.up.push(text);
  }

  close() {
    this.server.closedByPage(this);
    this.closed(1000, '');
  }

  opened(protocol) {
    this.readyState = 1;
    this.protocol = protocol;
    this.dispatch('open', {});
  }

  closed(code, reason) {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.dispatch('close', { code, reason });
  }

  dispatch(type, event) {
    for (const one of this.#listeners) if (one.type === type) one.listener(event);
  }
}
