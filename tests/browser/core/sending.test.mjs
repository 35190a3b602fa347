// Sending: every message is said once, in order, or shown as failed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeServer, FakeClock } from './fake.mjs';
import { ANNA, Page } from './page.mjs';

test('each message waits for the acknowledgement of the one before', () => {
  const page = Page.inRoom();
  page.watch();
  assert.ok(page.chat.say('one') && page.chat.say('two') && page.chat.gif(3));
  assert.deepEqual(page.shown(), ['one: sending', 'two: sending', '3: sending']);
  assert.equal(page.socket.up.length, 1);
  page.server.sayAs(ANNA, page.room, 'hello');
  page.server.step(page.socket, false);
  assert.equal(page.socket.up.length, 1, 'nothing is sent twice because of what others say');
  page.flow();
  assert.deepEqual(page.shown(), ['hello', 'one', 'two', 'gif 3']);
  assert.deepEqual(page.asked.map(({ type }) => type), ['text', 'text', 'gif']);
  assert.deepEqual(page.state.timeline.entries.map(({ own }) => own), [false, true, true, true]);
});

test('a message that cannot be sent at all stays in the box', () => {
  const page = new Page();
  assert.equal(page.chat.say('in no room'), false);
  page.flow();
  page.chat.enter(1);
  page.flow();
  assert.equal(page.chat.say('  \n'), false);
  assert.equal(page.chat.say('\u001b\u0085'), false, 'nothing is left of it');
  assert.equal(page.chat.say('🙂'.repeat(4_001)), false);
  assert.equal(page.chat.say('🙂'.repeat(4_000)), true);
  page.flow();
  assert.equal(page.record().length, 1);
});

test('messages written offline are sent once and in order, also after a reload', () => {
  const page = Page.inRoom();
  page.server.isUp = false;
  page.server.cut(page.socket);
  page.chat.say('one');
  page.chat.say('two');
  assert.deepEqual(page.shown(), ['one: waiting', 'two: waiting']);
  page.reload();
  page.chat.say('three');
  assert.deepEqual(page.shown(), ['one: waiting', 'two: waiting', 'three: waiting']);
  page.server.isUp = true;
  page.wait(30);
  assert.deepEqual(page.record(), ['one', 'two', 'three']);
  assert.deepEqual(page.shown(), ['one', 'two', 'three']);
});

test('reloaded offline at the room’s address: waiting messages and draft are shown', () => {
  const page = Page.inRoom();
  page.server.isUp = false;
  page.server.cut(page.socket);
  page.chat.say('one');
  page.chat.setDraft('half a th');
  page.options.isIdle = true;
  page.reload();
  page.chat.open({ room: 1 });
  page.chat.start();
  assert.deepEqual(page.shown(), ['one: waiting']);
  assert.equal(page.chat.draft(), 'half a th');
  // The room's id is another room's by now.
  page.server.titles = ['Room 2', 'Room 1'];
  page.server.restart({ keeps: false });
  page.server.isUp = true;
  page.wait(30);
  assert.deepEqual([page.state.room, page.record(2)], [{ id: 2, title: 'Room 1' }, ['one']]);
  assert.equal(page.chat.draft(), 'half a th');
});

/** Says one message whose acknowledgement is lost; or loses the request itself, if it is not to be heard. */
function sayUnheard(page, isHeard = true) {
  page.chat.say('mine');
  if (isHeard) page.server.step(page.socket, true);
  page.server.cut(page.socket);
}

for (const isHeard of [true, false]) {
  const what = isHeard ? 'an acknowledgement' : 'a request';
  for (const way of ['resumed', 'not resumed', 'restarted', 'reloaded', 'reloaded and not resumed']) {
    test(`${what} is lost, ${way}: the message is said once`, () => {
      const page = Page.inRoom();
      page.server.sayAs(ANNA, page.room, 'before');
      page.flow();
      sayUnheard(page, isHeard);
      if (way === 'restarted') page.server.restart({ keeps: true });
      if (way.includes('reloaded')) page.reload();
      if (way.includes('not resumed')) page.server.endGrace();
      page.server.sayAs(ANNA, page.room, 'after');
      page.chat.say('more');
      page.wait(3);
      assert.deepEqual(page.record().filter((text) => text === 'mine').length, 1);
      assert.equal(page.record().at(-1), 'more');
      assert.deepEqual(page.shown(), page.record());
      const isOwn = page.record().map((text) => text.startsWith('m'));
      assert.deepEqual(page.state.timeline.entries.map(({ own }) => own), isOwn);
    });
  }
}

test('not resumed, and too much was said since for one frame: the history is searched before sending', () => {
  const page = Page.inRoom();
  sayUnheard(page);
  page.server.endGrace();
  page.server.frameEvents = 5;
  // Otherwise the search for the first unread message finds it at once.
  page.server.features = ['presence', 'users'];
  for (let i = 0; i < 22; i += 1) page.server.sayAs(ANNA, page.room, `other ${i}`);
  page.watch();
  page.wait(3);
  assert.equal(page.record().filter((text) => text === 'mine').length, 1);
  assert.deepEqual(page.shown(), page.record(), 'and the gap is filled by the way');
  assert.equal(page.types('history').filter(({ before }) => before <= 19).length, 4);
});

test('the user decides where nobody can know whether a message was said', () => {
  const page = Page.inRoom();
  sayUnheard(page);
  page.server.endGrace();
  for (let i = 0; i < 5; i += 1) page.server.sayAs(ANNA, page.room, `other ${i}`);
  page.server.prune(page.room, 4);
  page.wait(3);
  assert.deepEqual(page.state.pending.map(({ status, reason }) => [status, reason]), [['failed', 'unknown']]);
  page.chat.say('next');
  page.flow();
  assert.equal(page.record().at(-1), 'next', 'the next go on');
  page.chat.discard(page.state.pending[0].ref);
  assert.deepEqual(page.state.pending, []);
});

test('after a restart without history the message is sent again', () => {
  const page = Page.inRoom();
  page.chat.say('kept by nobody');
  page.flow();
  sayUnheard(page);
  page.server.restart({ keeps: false });
  page.wait(3);
  assert.deepEqual(page.record(), ['mine']);
  assert.deepEqual(page.shown(), ['lost', 'mine']);
});

test('somebody else’s message with our ref acknowledges nothing', () => {
  const page = Page.inRoom();
  page.chat.say('mine');
  const [{ ref }] = page.state.pending;
  page.server.push(page.socket, {
    type: 'text', text: 'stolen', from: ANNA, roomId: 1, time: 0, seq: 1, ref,
  });
  page.server.step(page.socket, false);
  assert.equal(page.state.pending.length, 1);
});

test('two sessions in a row, and the first had said it', () => {
  const page = Page.inRoom();
  page.server.frameEvents = 2;
  sayUnheard(page);
  page.server.endGrace();
  for (let i = 0; i < 9; i += 1) page.server.sayAs(ANNA, page.room, `other ${i}`);
  // A new session is cut while it searches the history, and is then resumed.
  page.watch(({ type }) => type === 'history' || undefined);
  page.wait(2);
  assert.equal(page.types('history').filter(({ before }) => before).length, 1);
  page.watch();
  page.loseAndReturn();
  page.wait(3);
  assert.equal(page.record().filter((text) => text === 'mine').length, 1);
  assert.deepEqual(page.state.pending, []);
});

test('rate limited: sending waits as long as the server says, and continues by itself', () => {
  const page = Page.inRoom();
  let refusals = 1;
  page.watch(() => (refusals-- > 0 ? { code: 'rate_limited', retryAfterMs: 2_500 } : undefined));
  page.chat.say('one');
  page.chat.say('two');
  page.flow();
  assert.equal(page.state.pausedUntil, page.clock.now() + 2_500);
  assert.equal(page.state.pauseReason, 'rate_limited');
  assert.deepEqual(page.shown(), ['one: waiting', 'two: waiting']);
  page.wait(2);
  assert.deepEqual(page.record(), []);
  page.wait(1);
  assert.deepEqual(page.record(), ['one', 'two']);
  assert.equal(page.state.pausedUntil, null);
});

test('a rate-limited attempt does not erase that an earlier one may have been heard', () => {
  const page = Page.inRoom();
  page.server.frameEvents = 1;
  sayUnheard(page);
  page.server.sayAs(ANNA, page.room, 'after'); // and so what was said does not fit the frame
  page.watch(({ type }) => (type === 'text' ? { code: 'rate_limited', retryAfterMs: 60_000 } : undefined));
  page.wait(2);
  assert.equal(page.types('text').length, 1);
  page.server.cut(page.socket);
  page.server.endGrace();
  page.watch();
  page.wait(5);
  assert.deepEqual(page.record(), ['mine', 'after']);
  assert.deepEqual(page.shown(), ['mine', 'after']);
});

test('sent twice in one session, and heard the first time: the next session finds it', () => {
  const page = Page.inRoom();
  page.server.frameEvents = 1;
  sayUnheard(page);
  page.server.sayAs(ANNA, page.room, 'after');
  page.watch(({ type }) => type === 'text' || undefined);
  page.wait(2);
  assert.equal(page.types('text').length, 1);
  page.server.cut(page.socket);
  page.server.endGrace();
  page.watch();
  page.wait(5);
  assert.deepEqual([page.record(), page.state.pending], [['mine', 'after'], []]);
});

test('sent, and sent again after an older history was restored: it is found there', () => {
  const page = Page.inRoom();
  for (let i = 0; i < 9; i += 1) page.server.sayAs(ANNA, page.room, `other ${i}`);
  page.flow();
  sayUnheard(page, false);
  page.server.restore(6, { keepsSessions: true });
  page.clock.advance(1_000);
  while (page.room.lastSeq < 4) page.server.step(page.socket, true);
  page.server.sayAs(ANNA, page.room, 'after');
  page.server.onEnter = 1;
  page.server.frameEvents = 1;
  page.server.cut(page.socket);
  page.server.endGrace();
  page.wait(3);
  assert.equal(page.record().filter((text) => text === 'mine').length, 1);
  assert.deepEqual(page.state.pending, []);
});

test('a full disk: retries after 3, 6, 12, 24, 30 s, and never gives up', () => {
  const page = Page.inRoom();
  page.watch(({ type }) => (type === 'text' ? { code: 'not_saved' } : undefined));
  page.chat.say('one');
  page.flow();
  for (const seconds of [3, 6, 12, 24, 30, 30]) {
    assert.equal(page.state.pausedUntil, page.clock.now() + seconds * 1_000);
    page.asked.length = 0;
    page.wait(seconds - 1);
    assert.deepEqual(page.types('text'), []);
    page.wait(1);
    assert.equal(page.types('text').length, 1);
  }
  page.watch();
  page.wait(30);
  assert.deepEqual(page.record(), ['one']);
});

test('a full disk does not keep the user in a room', () => {
  const page = Page.inRoom();
  page.watch(({ type }) => (type === 'text' ? { code: 'not_saved' } : undefined));
  page.chat.say('one');
  page.flow();
  page.chat.enter(2);
  page.flow();
  assert.ok(page.state.inRoom);
  page.chat.say('two');
  page.watch();
  page.wait(4);
  assert.deepEqual([page.record(1), page.record(2)], [['one'], ['two']]);
  assert.equal(page.state.inRoom && page.state.room.id, 2);
});

test('a refusal is shown at its message, and the next ones are sent', () => {
  const page = Page.inRoom();
  page.watch(({ text }) => (text === 'bad' ? { code: 'bad_text', message: 'No such words.' } : undefined));
  for (const text of ['one', 'bad', 'two']) page.chat.say(text);
  page.flow();
  assert.deepEqual(page.record(), ['one', 'two']);
  const [{ ref, problem }] = page.state.pending;
  assert.equal(problem, 'No such words.');
  page.watch();
  page.chat.retry(ref);
  page.flow();
  assert.deepEqual(page.record(), ['one', 'two', 'bad']);
  assert.deepEqual(page.state.pending, []);
  assert.notEqual(page.room.record.at(-1).ref, ref);
});

test('already_said counts as an acknowledgement', () => {
  const page = Page.inRoom();
  sayUnheard(page);
  page.server.prune(page.room);
  page.chat.say('next');
  page.wait(3);
  assert.deepEqual(page.record(), ['next']);
  assert.deepEqual(page.state.pending, []);
});

test('not_readable is retried', () => {
  const page = Page.inRoom();
  page.server.frameEvents = 1;
  page.server.features = ['presence', 'users'];
  sayUnheard(page);
  page.server.sayAs(ANNA, page.room, 'after');
  page.watch(({ type }) => (type === 'text' ? { code: 'not_readable' } : undefined));
  page.wait(2);
  assert.equal(page.state.pending.length, 1);
  page.watch();
  page.wait(4);
  assert.deepEqual([page.record(), page.state.pending], [['mine', 'after'], []]);
});

test('a change of room waits for the messages written before it', () => {
  const page = Page.inRoom();
  page.watch();
  page.chat.say('in one');
  page.chat.enter(2);
  assert.deepEqual([page.state.room.id, page.state.inRoom], [2, false]);
  page.chat.say('in two');
  page.chat.leave();
  page.flow();
  assert.deepEqual([page.record(1), page.record(2)], [['in one'], ['in two']]);
  assert.deepEqual(page.asked.map(({ type }) => type), ['text', 'enter_room', 'text', 'leave_room']);
  assert.equal(page.state.room, null);
});

test('nothing is sent during a change of room', () => {
  const page = Page.inRoom();
  page.chat.enter(2);
  page.chat.enter(1);
  page.chat.say('in one');
  page.flow();
  assert.deepEqual([page.record(1), page.record(2)], [['in one'], []]);
});

test('offline messages for several rooms, and one unheard in the first', () => {
  const page = Page.inRoom();
  sayUnheard(page);
  page.chat.enter(2);
  page.chat.say('in two');
  page.chat.enter(1);
  page.chat.say('in one');
  page.wait(3);
  assert.deepEqual([page.record(1), page.record(2)], [['mine', 'in one'], ['in two']]);
});

test('the room is gone: its messages fail, and can be sent in a later room of that title', () => {
  const page = Page.inRoom();
  page.server.isUp = false;
  page.server.cut(page.socket);
  page.chat.say('one');
  page.server.endGrace();
  page.server.removeRoom(1);
  page.server.isUp = true;
  page.wait(5);
  assert.deepEqual(page.state.pending.map(({ status, reason }) => [status, reason]), [['failed', 'room_gone']]);
  assert.deepEqual(page.state.notice, {
    key: 'no_such_room', vars: { room: 'Room 1' }, action: 'create', title: 'Room 1',
  });
  page.chat.create('Room 1');
  page.flow();
  page.chat.retry(page.state.pending[0].ref);
  page.flow();
  assert.deepEqual(page.record(4), ['one']);
  assert.deepEqual([page.state.room.id, page.shown()], [4, ['one']]);
});

test('after a restart with other ids rooms are matched by title, and drafts too', () => {
  const page = Page.inRoom();
  page.chat.setDraft('half');
  page.server.cut(page.socket);
  page.chat.say('one');
  page.server.titles = ['Room 3', 'Room 2', 'Room 1'];
  page.server.restart({ keeps: false });
  page.wait(3);
  assert.deepEqual([page.record(1), page.record(3)], [[], ['one']]);
  assert.deepEqual([page.state.room, page.chat.draft()], [{ id: 3, title: 'Room 1' }, 'half']);
  page.chat.enter(1);
  page.flow();
  assert.equal(page.chat.draft(), '', 'what has the id now is another room');
});

test('the room is gone and its id is another room’s: nothing is sent there', () => {
  const page = Page.inRoom();
  page.server.cut(page.socket);
  page.chat.say('for one');
  page.server.titles = ['Room 3'];
  page.server.restart({ keeps: false });
  page.wait(3);
  assert.deepEqual(page.record(1), []);
  assert.deepEqual([page.state.room.title, page.state.inRoom], ['Room 1', false]);
  assert.deepEqual(page.shown(), ['for one: failed']);
});

test('not_in_room: the room is entered again, but not forever', () => {
  const page = Page.inRoom();
  page.watch(({ type }) => (type === 'text' ? { code: 'not_in_room' } : undefined));
  page.chat.say('one');
  page.flow();
  assert.equal(page.types('text').length, 4);
  assert.equal(page.state.pending[0].status, 'failed');
});

test('a message that closes the connection is not retried', () => {
  const page = Page.inRoom();
  page.chat.say('huge');
  page.chat.say('small');
  page.server.cut(page.socket, 1009, 'message too big');
  page.wait(3);
  assert.deepEqual(page.record(), ['small']);
  assert.deepEqual(page.shown(), ['small', 'huge: failed']);
});

test('replaced while a message is unheard: it waits, and is said once after taking over', () => {
  const page = Page.inRoom();
  page.chat.say('mine');
  page.server.step(page.socket, true);
  page.server.cut(page.socket, 4001, 'replaced');
  page.chat.say('more');
  page.chat.wake();
  page.wait(100);
  assert.equal(page.state.phase, 'replaced');
  assert.deepEqual(page.shown(), ['mine: waiting', 'more: waiting']);
  page.chat.takeOver();
  page.flow();
  assert.deepEqual(page.record(), ['mine', 'more']);
});

test('a duplicated tab takes over the session, and together they say everything once', () => {
  const clock = new FakeClock();
  const server = new FakeServer(clock);
  const page = Page.inRoom({ clock, server });
  page.chat.say('mine');
  server.step(page.socket, true);
  const { local, session } = page.storage;
  const copy = new Page({ clock, server, storage: { local, session: session.copy() } });
  page.flow();
  assert.equal(page.state.phase, 'replaced');
  copy.chat.say('from the copy');
  page.flow();
  page.chat.say('from the first');
  page.chat.takeOver();
  page.flow();
  assert.equal(copy.state.phase, 'replaced');
  assert.deepEqual(page.record(), ['mine', 'from the copy', 'from the first']);
  assert.deepEqual(page.state.pending, []);
});
