// The page's core against a server that speaks only the base protocol: everything works, without history.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BaseProtocol } from '../../../src/web/core/base.js';
import { FakeClock, FakeServer } from './fake.mjs';
import { ANNA, BEN, Page } from './page.mjs';

/** A small model of the base protocol: rooms with members, and one user per connection. */
class BaseServer extends FakeServer {
  speaks = 'base';
  refusals = [];
  users = 0;
  said = [[]];
  heard = [];

  onBase(socket) {
    this.users += 1;
    socket.user = { id: this.users, name: `User ${this.users}` };
    this.push(socket, { type: 'welcome', user: socket.user });
  }

  onBaseRequest(socket, request) {
    this.heard.push(request);
    const refusal = this.refusals[0]?.type === request.type && this.refusals.shift();
    if (refusal) return this.push(socket, { type: 'error', code: refusal.code, message: 'No.', ...refusal.more });
    const { user } = socket;
    switch (request.type) {
      case 'list_rooms': return this.push(socket, this.list());
      case 'enter_room': {
        if (socket.room) this.tell(socket.room, { type: 'leave_room', user });
        socket.room = request.roomId;
        return this.tell(socket.room, { type: 'enter_room', user });
      }
      case 'leave_room':
        this.tell(socket.room, { type: 'leave_room', user });
        socket.room = null;
        return undefined;
      case 'change_name': {
        const frame = { type: 'change_name', oldName: user.name, newName: request.name };
        socket.user = { ...user, name: request.name };
        return socket.room && this.tell(socket.room, frame);
      }
      case 'create_room':
        this.makeRoom(request.title);
        return this.push(socket, this.list());
      default: {
        this.said[0].push(request.text ?? request.gifId);
        return this.tell(socket.room, { ...request, from: user });
      }
    }
  }

  /** Other users, who need no connection. */
  others = [{ ...ANNA, room: 1 }];

  list() {
    const connected = this.sockets.filter((socket) => socket.user).map(({ user, room }) => ({ ...user, room }));
    const all = [...connected, ...this.others];
    const rooms = [...this.rooms.values()].map(({ id, title }) => {
      const here = all.filter(({ room }) => room === id).map((one) => [one.id, { id: one.id, name: one.name }]);
      return [id, { id, title, users: Object.fromEntries(here) }];
    });
    return { type: 'list_rooms', rooms: Object.fromEntries(rooms) };
  }

  tell(room, frame) {
    for (const socket of this.sockets) if (socket.room === room) this.push(socket, frame);
  }
}

function page(options = {}) {
  const clock = new FakeClock();
  const server = new BaseServer(clock);
  const it = new Page({ clock, server, ...options });
  it.wait(3);
  assert.equal(it.state.version, 'base');
  return it;
}

function inRoom(options) {
  const it = page(options);
  it.chat.enter(1);
  it.flow();
  return it;
}

test('rooms, members, messages', async () => {
  const it = inRoom({ loadGifs: async () => [{ id: 1, alt: 'A hand' }] });
  await null;
  await null;
  assert.deepEqual(it.state.gifs, [{ id: 1, alt: 'A hand' }]);
  assert.deepEqual([...it.state.rooms.values()].map(({ title, userCount }) => [title, userCount]), [
    ['Room 1', 2], ['Room 2', 0], ['Room 3', 0],
  ]);
  assert.ok(it.state.inRoom);
  assert.deepEqual([...it.state.people], [[it.state.me.id, it.state.me.name], [901, 'Anna']]);
  const heard = [];
  it.chat.onMessage(({ text }) => heard.push(text));
  it.server.tell(1, { type: 'text', text: 'Hello', from: ANNA });
  it.chat.say('Hi');
  it.chat.gif(3);
  it.flow();
  assert.deepEqual(it.shown(), ['Hello', 'Hi', 'gif 3']);
  assert.deepEqual(heard, ['Hello']);
  assert.deepEqual(it.state.timeline.entries.map(({ own }) => own), [false, true, true]);
  assert.equal(it.state.limits.maxTextChars, 4_000);
});

/** A page whose translator comes when the test says so. */
function waiting() {
  const loads = [];
  const base = (options) => new Promise((resolve, reject) => {
    loads.push({ come: () => resolve(new BaseProtocol(options)), fail: reject });
  });
  return { it: page({ base }), loads };
}

test('frames wait in their order until the base protocol is loaded', async () => {
  const { it, loads } = waiting();
  it.server.push(it.socket, { type: 'text', text: 'Early', from: { id: 0, name: '' } });
  it.flow();
  assert.deepEqual([loads.length, it.state.phase], [1, 'connecting']);
  loads[0].come();
  await new Promise(setImmediate);
  it.flow();
  assert.equal(it.state.phase, 'online');
  it.chat.enter(1);
  it.flow();
  assert.ok(it.state.inRoom);
});

test('frames of a lost connection are not translated, and what could not be loaded is asked for again', async () => {
  const { it, loads } = waiting();
  loads[0].fail(new TypeError('offline'));
  await new Promise(setImmediate);
  assert.equal(it.state.phase, 'waiting');
  it.wait(5);
  assert.equal(loads.length, 2);
  it.server.cut(it.socket);
  it.wait(5);
  assert.equal(loads.length, 2, 'it is still on its way');
  loads[1].come();
  await new Promise(setImmediate);
  it.flow();
  assert.deepEqual([it.state.phase, it.state.me.id], ['online', it.server.users], 'not the user of the lost connection');
});

test('requests follow the base protocol, without refs', () => {
  const it = inRoom();
  it.server.heard.length = 0;
  it.chat.say('Hi');
  it.chat.typing();
  it.chat.gif(2);
  it.chat.enter(2);
  it.flow();
  const list = { type: 'list_rooms' };
  assert.deepEqual(it.server.heard, [
    { type: 'text', text: 'Hi' }, { type: 'gif', gifId: 2 }, { type: 'enter_room', roomId: 2 }, list,
  ]);
});

test('texts are acknowledged by their echo, one by one, and a repeated text counts twice', () => {
  const it = inRoom();
  it.chat.say('same');
  it.chat.say('same');
  it.server.tell(1, { type: 'text', text: 'same', from: ANNA });
  it.server.step(it.socket, false);
  assert.deepEqual(it.shown(), ['same', 'same: sending', 'same: sending']);
  it.flow();
  assert.deepEqual([it.server.said[0], it.shown()], [['same', 'same'], ['same', 'same', 'same']]);
});

test('refusals belong to their request', () => {
  const it = inRoom();
  const tooFast = { type: 'text', code: 'rate_limited', more: { retryAfterMs: 900 } };
  it.server.refusals = [{ type: 'text', code: 'bad_text' }, tooFast];
  it.chat.say('bad');
  it.chat.say('good');
  it.flow();
  assert.deepEqual(it.shown(), ['bad: failed', 'good: waiting']);
  it.wait(1);
  assert.deepEqual(it.shown(), ['good', 'bad: failed']);
});

test('a message in flight when the connection is lost is left to the user', () => {
  for (const after of ['loseAndReturn', 'reload']) {
    const it = inRoom();
    it.chat.say('one');
    it.chat.say('two');
    it.server.step(it.socket, true);
    it[after]();
    it.wait(4);
    assert.deepEqual(it.state.pending.map(({ text, reason }) => [text, reason]), [['one', 'unknown']], after);
    assert.deepEqual(it.server.said[0], ['one', 'two']);
  }
});

test('messages missed while away are a gap that cannot be filled', () => {
  const it = inRoom();
  it.chat.say('one');
  it.flow();
  it.loseAndReturn();
  it.chat.say('two');
  it.flow();
  assert.deepEqual(it.shown(), ['one', 'gone gap after 1 before 3', 'two']);
  assert.equal(it.state.timeline.entries[0].seq, 1);
});

test('names: in a room, outside, refused, and no guess between two members of one name', () => {
  const it = page();
  it.chat.rename('Me');
  it.flow();
  assert.equal(it.state.me.name, 'Me');
  it.chat.enter(1);
  it.flow();
  it.server.refusals = [{ type: 'change_name', code: 'bad_name' }];
  it.chat.rename('Bad');
  it.flow();
  assert.deepEqual([it.state.me.name, it.state.notice], ['Me', { code: 'bad_name', message: 'No.' }]);
  it.chat.rename('Mia');
  it.flow();
  assert.deepEqual([it.state.me.name, it.state.people.get(it.state.me.id)], ['Mia', 'Mia']);
  it.server.others = [{ ...ANNA, name: 'Twin', room: 1 }, { ...BEN, name: 'Twin', room: 1 }];
  it.server.tell(1, { type: 'enter_room', user: { ...BEN, name: 'Twin' } });
  it.server.tell(1, { type: 'change_name', oldName: 'Anna', newName: 'Twin' });
  it.flow();
  it.server.others[1].name = 'Tom';
  it.server.tell(1, { type: 'change_name', oldName: 'Twin', newName: 'Tom' });
  it.flow();
  assert.deepEqual([it.state.people.get(901), it.state.members.get(902)], ['Twin', 'Tom']);
  it.loseAndReturn();
  it.wait(2);
  assert.equal(it.state.me.name, 'Mia', 'and a new user gets the name');
});

test('a room is created, entered and left', () => {
  const it = page();
  it.chat.create('Attic');
  it.flow();
  assert.deepEqual([it.state.room, it.state.inRoom], [{ id: 4, title: 'Attic' }, true]);
  it.chat.leave();
  it.flow();
  assert.deepEqual([it.state.room, it.socket.room], [null, null]);
});

test('joining and leaving', () => {
  const it = inRoom();
  it.server.tell(1, { type: 'enter_room', user: BEN });
  it.server.tell(1, { type: 'leave_room', user: ANNA });
  it.flow();
  const [{ entered, left }] = it.state.timeline.entries;
  assert.deepEqual([entered, left], [['Ben'], ['Anna']]);
  assert.equal(it.state.rooms.get(1).userCount, 2);
});
