// Everything but sending: rooms and links, names, read marks, typing, and what is shown of them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock, FakeServer, stores } from './fake.mjs';
import { ANNA, BEN, Page } from './page.mjs';

test('the room is entered again after a lost connection and after a reload', () => {
  const page = Page.inRoom();
  page.server.sayAs(ANNA, page.room, 'hello');
  page.flow();
  page.watch();
  page.loseAndReturn();
  const since = { epoch: 'epoch 1', seq: 1, time: page.room.record[0].time };
  assert.deepEqual(page.types('enter_room'), [{ type: 'enter_room', roomId: 1, since }]);
  page.reload();
  assert.deepEqual(page.state.room, { id: 1, title: 'Room 1' });
  page.flow();
  assert.deepEqual([page.state.inRoom, page.shown()], [true, ['hello']]);
});

test('a room that was left stays left, after a reload and offline too', () => {
  const page = Page.inRoom();
  page.server.cut(page.socket);
  page.chat.leave();
  assert.equal(page.state.room, null);
  page.wait(2);
  assert.equal([...page.server.sessions.values()][0].room, null);
  page.reload().flow();
  assert.deepEqual([page.state.room, page.state.inRoom], [null, false]);
});

test('to another room and back: known messages are kept, the rest is requested', () => {
  const page = Page.inRoom();
  page.server.sayAs(ANNA, page.room, 'one');
  page.flow();
  page.chat.enter(2);
  const { room, entering, inRoom } = page.state;
  assert.deepEqual([room.title, entering.title, inRoom], ['Room 2', 'Room 2', false]);
  assert.deepEqual([page.shown(), [...page.state.people]], [[], []]);
  page.flow();
  assert.deepEqual([page.state.entering, page.state.inRoom], [null, true]);
  page.server.sayAs(ANNA, page.room, 'two');
  page.chat.enter(1);
  assert.deepEqual(page.shown(), ['one']);
  page.flow();
  assert.deepEqual(page.shown(), ['one', 'two']);
});

test('a room chosen offline is entered after connecting', () => {
  const page = Page.inRoom();
  page.server.cut(page.socket);
  page.chat.enter(2);
  assert.deepEqual([page.state.room.id, page.state.entering], [2, null]);
  page.wait(2);
  assert.deepEqual([page.state.room.id, page.state.inRoom], [2, true]);
});

test('a room that is gone when it is entered leaves the user where they are', () => {
  const page = Page.inRoom();
  page.watch(({ type }) => (type === 'enter_room' ? { code: 'unknown_room' } : undefined));
  page.chat.enter(2);
  page.flow();
  assert.deepEqual([page.state.room.id, page.state.inRoom], [1, true]);
  assert.equal(page.state.notice.key, 'no_such_room');
  page.chat.dismiss();
  assert.equal(page.state.notice, null);
});

test('links: by id, by title, before and after the list of rooms, and to no room', () => {
  const page = new Page({ isIdle: true });
  page.chat.open({ room: 'Room 2' });
  page.chat.start();
  page.flow();
  assert.deepEqual([page.state.room, page.state.inRoom], [{ id: 2, title: 'Room 2' }, true]);
  page.chat.open({ room: 3 });
  page.flow();
  assert.equal(page.state.room.id, 3);
  page.chat.open({ room: 'Nowhere' });
  assert.deepEqual(page.state.notice, {
    key: 'no_such_room', vars: { room: 'Nowhere' }, action: 'create', title: 'Nowhere',
  });
  assert.equal(page.state.room.id, 3);
  page.chat.create('Nowhere');
  page.flow();
  assert.deepEqual([page.state.room, page.state.notice], [{ id: 4, title: 'Nowhere' }, null]);
  page.chat.open({ room: 77 });
  assert.deepEqual(page.state.notice, { key: 'no_such_room', vars: { room: 77 } });
});

test('a link to a message loads its context', () => {
  const page = new Page({ isIdle: true });
  for (let i = 1; i <= 300; i += 1) page.server.sayAs(ANNA, page.room, `m${i}`);
  page.chat.open({ room: 1, seq: 120 });
  page.chat.start();
  page.flow();
  assert.deepEqual(page.state.target, { seq: 120 });
  const seqs = page.state.timeline.entries.map(({ kind, seq }) => seq ?? kind);
  assert.deepEqual([seqs[0], seqs[99], seqs[100], seqs[101]], [70, 169, 'gap', 251]);
  page.chat.targetShown();
  page.chat.show(260);
  assert.deepEqual(page.state.target, { seq: 260 });
  page.chat.targetShown();
  page.chat.show(301);
  page.flow();
  assert.deepEqual([page.state.target, page.state.notice], [null, { key: 'no_such_message' }]);
});

test('a room is created offline, and only once, whatever was acknowledged', () => {
  const page = new Page();
  page.chat.create('  Attic ');
  page.flow();
  assert.deepEqual([page.state.room.title, page.state.inRoom], ['Attic', true]);
  page.chat.create('Cellar');
  page.server.step(page.socket, true);
  page.loseAndReturn();
  assert.deepEqual([page.state.room.title, page.state.inRoom], ['Cellar', true]);
  assert.equal(page.server.rooms.size, 5);
  page.watch(({ type }) => (type === 'create_room' ? { code: 'too_many_rooms', message: 'Enough.' } : undefined));
  page.chat.create('Loft');
  page.flow();
  assert.deepEqual(page.state.notice, { code: 'too_many_rooms', message: 'Enough.' });
  page.loseAndReturn();
  assert.equal(page.types('create_room').length, 1);
});

test('the list of rooms is kept up to date', () => {
  const page = new Page();
  page.flow();
  page.server.push(page.socket, { type: 'room_added', room: { id: 9, title: 'New', userCount: 0 } });
  page.server.push(page.socket, { type: 'room_changed', room: { id: 1, title: 'Renamed', userCount: 4, seq: 0 } });
  page.server.push(page.socket, { type: 'room_removed', roomId: 2 });
  page.flow();
  assert.deepEqual([...page.state.rooms.values()].map(({ title, userCount }) => [title, userCount]), [
    ['Renamed', 4], ['Room 3', 0], ['New', 0],
  ]);
});

test('a renamed room keeps its messages, sent and unsent', () => {
  const page = Page.inRoom();
  page.chat.say('one');
  page.server.push(page.socket, { type: 'room_changed', room: { id: 1, title: 'Renamed', userCount: 1, seq: 0 } });
  page.room.title = 'Renamed';
  page.flow();
  assert.deepEqual([page.state.room, page.shown()], [{ id: 1, title: 'Renamed' }, ['one']]);
});

test('older messages are loaded up to the first', () => {
  const page = new Page();
  for (let i = 1; i <= 120; i += 1) page.server.sayAs(ANNA, page.room, `m${i}`);
  page.flow();
  page.chat.enter(1);
  page.flow();
  const { timeline } = page.state;
  assert.equal(timeline.oldestSeq, 71);
  assert.deepEqual([page.chat.loadOlder(), page.state.loadingOlder, page.chat.loadOlder()], [true, true, false]);
  page.flow();
  assert.deepEqual([timeline.oldestSeq, page.state.loadingOlder, page.chat.loadOlder()], [21, false, true]);
  page.loseAndReturn();
  assert.deepEqual([page.state.loadingOlder, page.chat.loadOlder()], [false, true]);
  page.flow();
  assert.deepEqual([timeline.oldestSeq, timeline.hasOlder, page.chat.loadOlder()], [1, false, false]);
  assert.deepEqual(page.shown(), page.record());
});

test('a gap is loaded page by page, up to what is no longer stored', () => {
  const page = Page.inRoom();
  page.server.sayAs(ANNA, page.room, 'first');
  page.flow();
  page.server.cut(page.socket);
  page.server.frameEvents = 40;
  for (let i = 2; i <= 200; i += 1) page.server.sayAs(ANNA, page.room, `m${i}`);
  page.server.prune(page.room, 100);
  page.wait(2);
  const gap = () => page.state.timeline.entries.find(({ kind }) => kind === 'gap');
  assert.deepEqual([gap().after, gap().before, gap().status], [1, 161, 'open']);
  page.chat.loadGap(gap());
  assert.equal(gap().status, 'loading');
  page.server.cut(page.socket);
  assert.equal(gap().status, 'open');
  page.wait(2);
  page.chat.loadGap(gap());
  page.flow();
  assert.deepEqual([gap().before, gap().status], [121, 'open']);
  page.chat.loadGap(gap());
  page.flow();
  assert.deepEqual([gap().before, gap().status], [100, 'gone']);
});

test('names: chosen before connecting, stored, refused, skipped', () => {
  const page = new Page();
  assert.equal(page.state.hasName, false);
  page.chat.rename(' Mia ');
  assert.equal(page.state.hasName, true);
  page.flow();
  assert.equal(page.state.me.name, 'Mia');
  page.server.endGrace();
  page.server.restart({ keeps: false });
  page.wait(2);
  assert.equal(page.state.me.name, 'Mia', 'a new user has the same name');
  page.watch(({ name }) => (name === 'Bad' ? { code: 'bad_name', message: 'No.' } : undefined));
  page.chat.rename('Bad');
  page.flow();
  assert.deepEqual([page.state.me.name, page.state.notice], ['Mia', { code: 'bad_name', message: 'No.' }]);
  assert.equal(page.storage.local.get('name'), 'Mia');
  page.reload().flow();
  assert.deepEqual([page.state.hasName, page.types('change_name').length], [true, 1]);
  const other = new Page();
  other.watch();
  other.chat.rename('');
  other.reload().flow();
  assert.deepEqual([other.state.hasName, other.types('change_name')], [true, []]);
});

test('a stored name that the server refuses is forgotten', () => {
  const storage = stores();
  storage.local.set('name', 'Bad');
  const page = new Page({ storage });
  page.watch(({ type }) => (type === 'change_name' ? { code: 'bad_name' } : undefined));
  page.flow();
  assert.deepEqual([page.state.hasName, storage.local.get('name')], [false, null]);
});

test('a name chosen while the connection is being lost still takes effect', () => {
  const page = Page.inRoom();
  page.chat.rename('Mia');
  page.loseAndReturn();
  assert.equal(page.state.me.name, 'Mia');
  assert.equal(page.state.people.get(1), 'Mia');
});

test('members: joining, leaving and changing names', () => {
  const page = Page.inRoom();
  const tell = (frame) => page.server.push(page.socket, { roomId: 1, time: 1, ...frame });
  tell({ type: 'enter_room', user: ANNA });
  tell({ type: 'enter_room', user: BEN });
  tell({ type: 'change_name', oldName: 'Anna', newName: 'Ann', userId: ANNA.id });
  tell({ type: 'leave_room', user: BEN });
  page.flow();
  assert.deepEqual([...page.state.people], [[1, 'User 1'], [ANNA.id, 'Ann']]);
  const [{ entered, passed }] = page.state.timeline.entries;
  assert.deepEqual([entered, passed], [['Ann'], ['Ben']]);
});

test('who is away, and members that do not fit into one frame', () => {
  const page = new Page();
  page.server.frameUsers = 2;
  page.server.crowd.set(1, [ANNA, { ...BEN, away: true }, { id: 903, name: 'Cleo' }]);
  page.flow();
  page.chat.enter(1);
  page.server.step(page.socket, true);
  page.server.step(page.socket, false);
  assert.deepEqual([page.state.people.size, page.state.peopleCount], [2, 4]);
  page.flow();
  assert.deepEqual([[...page.state.people.values()], page.state.peopleCount], [['User 1', 'Anna', 'Ben', 'Cleo'], 4]);
  assert.deepEqual([...page.state.away], [BEN.id]);
  const users = [{ id: ANNA.id, away: true }, { id: BEN.id, away: false }];
  page.server.push(page.socket, { type: 'presence', roomId: 1, users, time: 1 });
  page.flow();
  assert.deepEqual([...page.state.away], [ANNA.id]);
  assert.deepEqual(page.state.timeline.entries, [], 'nobody has left');
});

test('a message of an unknown type is not shown, and is no gap', () => {
  const page = Page.inRoom();
  page.chat.setWatching(false);
  page.server.sayAs(ANNA, page.room, 'one');
  page.room.record.push({ type: 'poll', question: 'Tea?', from: ANNA, roomId: 1, time: 1, seq: 2 });
  page.room.lastSeq = 2;
  page.server.push(page.socket, page.room.record[1]);
  page.server.sayAs(ANNA, page.room, 'three');
  page.flow();
  assert.deepEqual(page.shown(), ['one', 'other', 'three']);
  assert.equal(page.state.unread(1), 2);
  page.loseAndReturn();
  page.reload().flow();
  assert.deepEqual(page.shown(), ['one', 'other', 'three']);
});

test('a room is created once, although its answer was lost and its title is another one by now', () => {
  const page = new Page();
  page.flow();
  page.watch();
  page.chat.create('Attic');
  page.server.step(page.socket, true);
  page.server.rooms.get(4).title = 'Loft';
  page.loseAndReturn();
  const [first, again] = page.server.rooms.size === 4 ? page.types('create_room') : [];
  assert.ok(again, 'asked twice, with one ref');
  assert.deepEqual([page.state.room.title, page.server.rooms.size, first.title], ['Loft', 4, 'Attic']);
});

test('unread is 0 where the mark is of another epoch', () => {
  const page = Page.inRoom();
  page.chat.setWatching(true);
  page.server.sayAs(ANNA, page.room, 'one');
  page.flow();
  page.chat.enter(2);
  page.flow();
  page.server.restart({ keeps: false });
  for (let i = 0; i < 5; i += 1) page.server.sayAs(ANNA, page.room, `m${i}`);
  page.wait(2);
  assert.equal(page.state.unread(1), 0);
});

test('typing: sent at most every 2.5 s, shown for 6 s or until a message', () => {
  const page = Page.inRoom();
  page.watch();
  for (let i = 0; i < 5; i += 1) {
    page.chat.typing();
    page.wait(1);
  }
  assert.equal(page.types('typing').length, 2);
  const types = (user) => page.server.push(page.socket, { type: 'typing', user, roomId: 1, time: 1 });
  types(ANNA);
  types(BEN);
  page.flow();
  assert.deepEqual([...page.state.typing.values()], ['Anna', 'Ben']);
  page.server.sayAs(ANNA, page.room, 'hello');
  page.flow();
  assert.deepEqual([...page.state.typing.values()], ['Ben']);
  let changes = 0;
  page.chat.subscribe(() => { changes += 1; });
  page.clock.advance(5_999);
  assert.deepEqual([page.state.typing.size, changes], [1, 0]);
  page.clock.advance(1);
  assert.deepEqual([page.state.typing.size, changes], [0, 1]);
});

test('a rate-limited typing request is ignored', () => {
  const page = Page.inRoom();
  page.watch(({ type }) => (type === 'typing' ? { code: 'rate_limited', retryAfterMs: 10 } : undefined));
  page.chat.typing();
  page.flow();
  assert.equal(page.state.notice, null);
});

test('unread is 0 without the rooms’ seq, and never negative', () => {
  const page = Page.inRoom();
  page.server.sayAs(ANNA, page.room, 'one');
  page.chat.setWatching(true);
  page.flow();
  page.chat.enter(2);
  page.flow();
  for (const room of [{ id: 1, title: 'Room 1', userCount: 0 }, { id: 1, title: 'Room 1', userCount: 0, seq: 0 }]) {
    page.state.rooms.set(1, room);
    assert.equal(page.state.unread(1), 0);
  }
});

test('after a lost connection the divider is above the missed messages', () => {
  const page = Page.inRoom();
  page.chat.setWatching(true);
  page.server.sayAs(ANNA, page.room, 'one');
  page.flow();
  assert.equal(page.state.divider, null);
  page.server.cut(page.socket);
  page.server.sayAs(ANNA, page.room, 'two');
  page.wait(2);
  assert.equal(page.state.divider, 1);
});

test('listeners get only new messages of others, with mentions', () => {
  const isMentioned = (text, name) => text.includes(`@${name}`);
  const page = Page.inRoom({ isMentioned });
  const heard = [];
  page.chat.onMessage(({ text, mentionsMe }) => heard.push([text, mentionsMe]));
  page.server.sayAs(ANNA, page.room, 'hello @User 1');
  page.chat.say('mine @User 1');
  page.flow();
  page.server.cut(page.socket);
  page.server.sayAs(ANNA, page.room, 'missed');
  page.wait(2);
  page.server.sayAs(ANNA, page.room, 'now');
  page.flow();
  assert.deepEqual(heard, [['hello @User 1', true], ['now', false]]);
  assert.equal(page.state.timeline.entries[1].mentionsMe, false);
});

test('every room has its own draft, which survives a reload', () => {
  const page = Page.inRoom();
  page.chat.setDraft('in one');
  page.chat.enter(2);
  assert.equal(page.chat.draft(), '');
  page.chat.setDraft('in two');
  page.reload().flow();
  assert.equal(page.chat.draft(), 'in two');
  page.chat.setDraft('');
  page.chat.enter(1);
  assert.equal(page.chat.draft(), 'in one');
  page.chat.leave();
  assert.equal(page.chat.draft(), '');
});

test('muting applies to a title', () => {
  const page = Page.inRoom();
  page.chat.mute(2, true);
  page.chat.mute(3, true);
  page.chat.mute(3, false);
  page.reload().flow();
  assert.deepEqual([1, 2, 3].map((id) => page.chat.isMuted(id)), [false, true, false]);
});

test('rate-limited requests are retried', () => {
  const refused = new Set();
  const clock = new FakeClock();
  const server = new FakeServer(clock);
  const page = new Page({ clock, server });
  page.watch(({ ref, type }) => {
    if (refused.has(ref)) return undefined;
    refused.add(ref);
    return { code: 'rate_limited', retryAfterMs: 500, message: `${type} too fast` };
  });
  page.chat.rename('Mia');
  page.flow();
  page.wait(1);
  page.chat.enter(1);
  page.flow();
  page.wait(1);
  assert.deepEqual([page.state.inRoom, page.state.me.name, page.state.notice], [true, 'Mia', null]);
  page.chat.leave();
  page.flow();
  page.wait(1);
  assert.equal([...server.sessions.values()][0].room, null);
});

test('the state shows the connection’s phase', () => {
  const page = new Page();
  assert.deepEqual([page.state.phase, page.state.wasOnline, page.state.version], ['connecting', false, null]);
  page.flow();
  assert.deepEqual([page.state.phase, page.state.wasOnline, page.state.version], ['online', true, 'wschat.v2']);
  assert.deepEqual(page.state.gifs, [{ id: 1, alt: 'A waving hand' }]);
  page.server.cut(page.socket, 1001, 'server stopping');
  assert.deepEqual([page.state.phase, page.state.lostReason], ['waiting', 'server stopping']);
  assert.ok(page.state.retryAt > page.clock.now());
});

test('an announcement is seen in a room and outside, and what was said is erased', () => {
  const it = new Page();
  it.flow();
  const announce = (text) => {
    it.server.push(it.socket, { type: 'announcement', text, time: 5 });
    it.flow();
    return it.state.notice;
  };
  assert.deepEqual(announce('Outside'), { key: 'announcement', vars: { text: 'Outside' } });
  it.chat.enter(1);
  it.flow();
  assert.deepEqual(it.shown(), []);
  it.chat.say('mine');
  it.flow();
  it.server.sayAs(ANNA, it.room, 'hers');
  it.flow();
  assert.deepEqual(announce('Inside').vars, { text: 'Inside' });
  assert.deepEqual(it.shown(), ['mine', 'hers', 'announcement']);
  assert.equal(it.state.unread(1), 1);
  it.server.push(it.socket, { type: 'erased', roomId: 2, time: 5, upTo: 2 });
  it.server.push(it.socket, { type: 'erased', roomId: 1, time: 5, upTo: 2, userId: ANNA.id });
  it.flow();
  assert.deepEqual([it.shown(), it.state.unread(1)], [['mine', 'other', 'announcement'], 0]);
  it.chat.show(2);
  it.flow();
  assert.equal(it.state.notice.key, 'no_such_message');
});
