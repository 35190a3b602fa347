// The client package without a network: it follows rooms without a gap or a repeat, says everything once, and lets
// servers of the future be.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChatError, Client } from '../../../clients/js/src/client.js';
import { ANNA, BEN } from '../core/page.mjs';
import { Bot } from './bot.mjs';

const inRoom = (options) => {
  const bot = new Bot({ room: 'Room 1', name: 'Bot', ...options });
  bot.news();
  return bot;
};

/** What a promise has come to by now. */
async function outcome(promise) {
  const pending = {};
  for (let turn = 0; turn < 5; turn += 1) await null;
  return Promise.race([promise, pending]).then(
    (value) => (value === pending ? 'pending' : value),
    (error) => `${error.name} ${error.code}`,
  );
}

test('it enters the room by title, takes its name, and says hello first', () => {
  const bot = inRoom({ maxFrameBytes: 65_536 });
  assert.deepEqual(bot.asked.map(({ type }) => type), ['hello', 'list_rooms', 'change_name', 'enter_room']);
  assert.deepEqual(bot.asked[0], { type: 'hello', features: ['presence'], maxFrameBytes: 65_536 });
  assert.deepEqual([bot.state.phase, bot.state.hereId, bot.state.me.name], ['online', 1, 'Bot']);
});

test('a server without features is not greeted', () => {
  const bot = inRoom();
  bot.server.features = undefined;
  bot.asked.length = 0;
  bot.lose();
  assert.deepEqual(bot.asked.map(({ type }) => type), ['list_rooms', 'enter_room']);
});

test('rooms by id, another room, none, and one that does not exist', () => {
  const bot = new Bot({ room: 2 });
  assert.equal(bot.state.hereId, 2);
  bot.client.enter('Room 3');
  bot.flow();
  assert.equal(bot.state.hereId, 3);
  bot.client.enter('Nowhere');
  bot.flow();
  assert.deepEqual([bot.state.hereId, bot.news()], [3, ['no room Nowhere']]);
  bot.client.leave();
  bot.flow();
  assert.equal(bot.state.hereId, null);
});

test('messages come once and in order; those said before are in `room` only', () => {
  const bot = new Bot();
  bot.server.sayAs(ANNA, bot.room, 'before');
  let events;
  bot.client.on('room', (frame) => { events = frame.events; });
  bot.client.enter(1);
  bot.flow();
  assert.deepEqual([events.map(({ text }) => text), bot.news()], [['before'], []]);
  bot.server.sayAs(ANNA, bot.room, 'one');
  bot.client.gif(3);
  bot.flow();
  const [last] = bot.room.record.slice(-1);
  bot.push(last);
  assert.deepEqual(bot.news(), ['one', 'own gif 3']);
});

test('what was said while the connection was lost comes when it is back', () => {
  const bot = inRoom();
  bot.server.sayAs(ANNA, bot.room, 'one');
  bot.flow();
  bot.lose(() => { for (const text of ['two', 'three']) bot.server.sayAs(ANNA, bot.room, text); });
  bot.server.sayAs(ANNA, bot.room, 'four');
  bot.flow();
  assert.deepEqual(bot.news(), ['one', 'disconnected 1006', 'two', 'three', 'four']);
  const { time } = bot.room.record[0];
  assert.deepEqual(bot.types('enter_room').at(-1).since, { epoch: 'epoch 1', seq: 1, time });
});

test('what could not be had is a gap', () => {
  const bot = inRoom();
  bot.server.sayAs(ANNA, bot.room, 'm1');
  bot.flow();
  bot.server.frameEvents = 2;
  bot.lose(() => { for (let i = 2; i <= 6; i += 1) bot.server.sayAs(ANNA, bot.room, `m${i}`); });
  assert.deepEqual(bot.news().slice(2), ['gap 1–5', 'm5', 'm6']);
  // Pruned altogether.
  bot.lose(() => {
    bot.server.sayAs(ANNA, bot.room, 'm7');
    bot.server.prune(bot.room);
  });
  assert.deepEqual(bot.news().slice(1), ['gap 6–8']);
});

test('another history: it is told, and old numbers do not count', () => {
  for (const lose of [
    (bot) => bot.server.restart({ keeps: false }),
    (bot) => bot.server.restore(2, { keepsSessions: false }),
    (bot) => bot.server.loseTail(2),
  ]) {
    const bot = inRoom();
    for (const text of ['m1', 'm2', 'm3']) bot.server.sayAs(ANNA, bot.room, text);
    bot.flow();
    bot.news();
    bot.lose(() => lose(bot));
    assert.deepEqual(bot.news(), ['disconnected 1006', 'lost']);
    bot.server.sayAs(ANNA, bot.room, 'new');
    bot.flow();
    assert.deepEqual(bot.news(), ['new']);
  }
});

test('the same numbers for other messages are another history, too: their times tell', () => {
  const bot = inRoom();
  for (const text of ['m1', 'm2', 'm3']) bot.server.sayAs(ANNA, bot.room, text);
  bot.flow();
  bot.news();
  bot.lose(() => {
    bot.server.loseTail(2);
    bot.clock.advance(5);
    for (const text of ['n2', 'n3', 'n4']) bot.server.sayAs(ANNA, bot.room, text);
  });
  assert.deepEqual(bot.news(), ['disconnected 1006', 'lost']);
  assert.equal(bot.state.position(1).newestSeq, 4);
});

test('`reset` says that it is another history, where nothing else does', () => {
  const bot = inRoom();
  for (const text of ['m1', 'm2', 'm3']) bot.server.sayAs(ANNA, bot.room, text);
  bot.flow();
  bot.news();
  bot.lose(() => {
    bot.server.loseTail(2);
    bot.clock.advance(5);
    for (let i = 2; i <= 80; i += 1) bot.server.sayAs(ANNA, bot.room, `n${i}`);
  });
  assert.deepEqual(bot.news(), ['disconnected 1006', 'lost']);
});

test('say resolves with the event', async () => {
  const bot = inRoom();
  const said = bot.client.say('hello');
  assert.equal(await outcome(said), 'pending');
  bot.flow();
  const { text, seq, roomId } = await said;
  assert.deepEqual([text, seq, roomId], ['hello', 1, 1]);
  assert.equal(bot.types('text')[0].roomId, 1);
});

for (const isHeard of [true, false]) {
  for (const way of ['resumed', 'not resumed', 'not resumed, and not complete', 'restarted']) {
    test(`${isHeard ? 'an acknowledgement' : 'a request'} is lost, ${way}: it is said once`, async () => {
      const bot = inRoom();
      bot.server.sayAs(ANNA, bot.room, 'before');
      bot.flow();
      const said = bot.client.say('mine');
      if (isHeard) bot.server.step(bot.socket, true);
      bot.lose(() => {
        if (way === 'restarted') bot.server.restart({ keeps: true });
        if (way.startsWith('not resumed')) bot.server.endGrace();
        if (way.endsWith('complete')) bot.server.frameEvents = 2;
        for (let i = 0; i < 9; i += 1) bot.server.sayAs(ANNA, bot.room, `other ${i}`);
      });
      assert.equal(bot.record().filter((text) => text === 'mine').length, 1);
      assert.equal((await said).text, 'mine');
      assert.equal(bot.news().filter((text) => text === 'mine').length, 0, 'it knows its own message');
    });
  }
}

test('nobody can know whether it was said: it is not said again, and the program is told', async () => {
  const bot = inRoom();
  const said = bot.client.say('mine');
  bot.server.step(bot.socket, true);
  bot.lose(() => {
    bot.server.endGrace();
    for (let i = 0; i < 5; i += 1) bot.server.sayAs(ANNA, bot.room, `other ${i}`);
    bot.server.prune(bot.room, 4);
  });
  assert.equal(await outcome(said), 'ChatError unknown');
  assert.ok(bot.news().includes('failed mine: unknown'));
  bot.client.say('next');
  bot.flow();
  assert.equal(bot.record().at(-1), 'next');
});

test('it may be the one that was erased: likewise', async () => {
  for (const inPage of [true, false]) {
    const bot = inRoom();
    const said = bot.client.say('mine');
    bot.server.step(bot.socket, true);
    bot.lose(() => {
      bot.server.endGrace();
      bot.server.erase(bot.room, bot.room.lastSeq);
      for (let i = 0; i < 5; i += 1) bot.server.sayAs(ANNA, bot.room, `other ${i}`);
      if (inPage) bot.server.frameEvents = 2;
    });
    assert.equal(await outcome(said), 'ChatError unknown');
    assert.deepEqual(bot.news().filter((text) => text === 'mine'), []);
  }
});

test('kicked: the session is over, and whoever starts again is somebody else', () => {
  const bot = inRoom();
  const { id } = bot.state.me;
  bot.server.cut(bot.socket, 4003, 'kicked');
  bot.client.wake();
  bot.wait(60);
  assert.deepEqual([bot.state.phase, bot.server.sockets.length], ['kicked', 0]);
  bot.client.start();
  bot.flow();
  assert.equal(bot.state.phase, 'online');
  assert.notEqual(bot.state.me.id, id);
});

test('a message too long for a frame is in the way of the search: likewise', async () => {
  const bot = inRoom();
  const said = bot.client.say('mine');
  bot.server.step(bot.socket, true);
  bot.answer = ({ type }) => (type === 'history' ? { code: 'too_long', roomId: 1, seq: 3 } : undefined);
  bot.lose(() => {
    bot.server.endGrace();
    bot.server.frameEvents = 2;
    for (let i = 0; i < 5; i += 1) bot.server.sayAs(ANNA, bot.room, `other ${i}`);
  });
  assert.equal(await outcome(said), 'ChatError unknown');
  assert.equal(bot.types('history').length, 1);
});

test('unsent messages and the session survive the program in its store', () => {
  const store = new Map();
  const bot = inRoom({ store });
  const { session } = bot.state;
  bot.client.say('mine');
  bot.server.step(bot.socket, true);
  bot.client.stop();
  const again = new Client({ url: 'ws://fake', WebSocket: bot.server.WebSocket, clock: bot.clock, store, room: 1 });
  again.start();
  bot.flow();
  assert.deepEqual([again.state.session, bot.record(), again.outbox.head], [session, ['mine'], null]);
});

test('refusals reject, and `forbidden` and unknown codes are not retried, unless they say when', async () => {
  const bot = inRoom();
  bot.answer = ({ text }) => (text === 'bad' ? { code: 'forbidden' } : undefined);
  const [bad, good] = [bot.client.say('bad'), bot.client.say('good')];
  bot.flow();
  assert.equal(await outcome(bad), 'ChatError forbidden');
  assert.equal((await good).seq, 1);
  let refusals = 1;
  bot.answer = () => (refusals-- > 0 ? { code: 'from_the_future', retryAfterMs: 2_000 } : undefined);
  bot.client.say('later');
  bot.flow();
  assert.deepEqual([bot.record(), bot.state.pauseReason], [['good'], 'rate_limited']);
  bot.wait(2);
  assert.deepEqual(bot.record(), ['good', 'later']);
  assert.deepEqual(bot.types('text').map(({ text }) => text), ['bad', 'good', 'later', 'later']);
});

test('a message without a room, or for one that is gone, is refused', async () => {
  const bot = new Bot();
  assert.equal(await outcome(bot.client.say('where?')), 'ChatError not_in_room');
  const said = bot.client.say('there', 'Nowhere');
  bot.flow();
  assert.equal(await outcome(said), 'ChatError room_gone');
  const other = bot.client.say('there', 'Room 2');
  bot.flow();
  assert.equal((await other).roomId, 2);
  assert.equal(bot.state.hereId, null, 'and it goes back');
});

test('requests resolve, reject, and are lost with the connection', async () => {
  const bot = inRoom();
  const made = bot.client.createRoom('Attic');
  const renamed = bot.client.rename('Robot');
  bot.flow();
  assert.equal((await made).id, 4);
  assert.equal((await renamed).newName, 'Robot');
  const unknown = bot.client.request({ type: 'fly' });
  bot.flow();
  assert.equal(await outcome(unknown), 'ChatError unknown_type');
  const lost = bot.client.history(1);
  bot.server.cut(bot.socket);
  assert.equal(await outcome(lost), 'ChatError lost');
  assert.equal(await outcome(bot.client.history(1)), 'ChatError lost');
  bot.server.endGrace();
  bot.wait(2);
  assert.equal(bot.state.me.name, 'Robot', 'a new session has the name too');
});

test('pages of history go back to the first message', async () => {
  const bot = inRoom();
  for (let i = 1; i <= 7; i += 1) bot.server.sayAs(ANNA, bot.room, `m${i}`);
  const pages = [];
  const reading = (async () => {
    for await (const page of bot.client.pages(1, { limit: 3 })) pages.push(page.map(({ seq }) => seq));
  })();
  for (let i = 0; i < 20; i += 1) {
    bot.flow();
    await null;
  }
  await reading;
  assert.deepEqual(pages, [[5, 6, 7], [2, 3, 4], [1]]);
});

test('unknown members, frames, codes and events are ignored; events still count', () => {
  const bot = inRoom();
  bot.push({ type: 'reaction', roomId: 1, seq: 1, from: ANNA, time: 1 });
  bot.push({ type: 'from_the_future' });
  for (const data of ['hello', 'null', '7', '[]', '{}', '{"type":7}']) bot.socket.dispatch('message', { data });
  bot.room.lastSeq = 1;
  bot.server.sayAs({ ...ANNA, roles: ['x'] }, bot.room, 'one');
  bot.flow();
  assert.deepEqual(bot.news(), ['one'], 'no gap before it');
  bot.push({ type: 'error', code: 'from_the_future', message: 'Well.' });
  assert.deepEqual(bot.news(), ['error from_the_future']);
  bot.lose(() => bot.room.record.push({ type: 'poll', seq: 3, roomId: 1, time: 2 }) && (bot.room.lastSeq = 3));
  assert.deepEqual(bot.news(), ['disconnected 1006']);
});

test('close codes by range: from 4000 it stays away, from 4500 it comes back', () => {
  for (const [code, phase, told] of [
    [4001, 'replaced', 'disconnected 4001 for good'],
    [4003, 'kicked', 'disconnected 4003 for good'],
    [4000, 'stopped', 'disconnected 4000 for good'],
    [4499, 'stopped', 'disconnected 4499 for good'],
    [4500, 'waiting', 'disconnected 4500'],
    [4999, 'waiting', 'disconnected 4999'],
    [1001, 'waiting', 'disconnected 1001'],
  ]) {
    const bot = inRoom();
    bot.server.cut(bot.socket, code, 'why');
    assert.deepEqual([bot.state.phase, bot.state.lostReason, bot.news()], [phase, 'why', [told]]);
    bot.client.wake();
    bot.wait(60);
    assert.equal(bot.state.phase === 'online', phase === 'waiting', `${code}`);
    bot.client.start();
    bot.flow();
    assert.equal(bot.state.phase, 'online');
  }
});

test('stopped, it stays away until it is started', () => {
  const bot = inRoom();
  bot.client.stop();
  bot.client.wake();
  bot.wait(60);
  assert.deepEqual([bot.state.phase, bot.server.sockets.length], ['stopped', 0]);
  bot.client.start();
  bot.flow();
  assert.equal(bot.state.hereId, 1);
});

test('who is there and who is away, and the members that do not fit into one frame', () => {
  const bot = new Bot();
  bot.server.frameUsers = 2;
  const crowd = [903, 904, 905, 906].map((id) => ({ id, name: `U${id}` }));
  bot.server.crowd.set(1, [ANNA, { ...BEN, away: true }, ...crowd]);
  bot.client.enter(1);
  bot.flow();
  const { state } = bot;
  assert.deepEqual([[...state.members.keys()], [...state.away], state.memberCount], [
    [1, 901, 902, 903, 904, 905, 906], [902], 7,
  ]);
  assert.deepEqual(bot.types('users').map(({ after }) => after), [901, 903, 905]);
  bot.push({ type: 'presence', roomId: 1, users: [{ id: 901, away: true }, { id: 902, away: false }], time: 1 });
  assert.deepEqual([...state.away], [901]);
  bot.push({ type: 'leave_room', roomId: 1, user: ANNA, time: 1 });
  bot.push({ type: 'enter_room', roomId: 1, user: ANNA, time: 1 });
  assert.deepEqual([[...state.away], state.memberCount], [[], 7]);
});

test('somebody else’s leaving with our ref answers nothing', async () => {
  const bot = inRoom();
  const answer = bot.client.request({ type: 'change_name', name: 'Robot', ref: 'guess' });
  bot.server.step(bot.socket, true);
  bot.socket.down.length = 0;
  for (const frame of [
    { type: 'leave_room', user: ANNA, roomId: 1, time: 1, ref: 'guess' },
    { type: 'change_name', oldName: 'a', newName: 'b', userId: ANNA.id, roomId: 1, time: 1, ref: 'guess' },
    { type: 'typing', user: ANNA, roomId: 1, time: 1, ref: 'guess' },
  ]) bot.push(frame);
  assert.equal(await outcome(answer), 'pending');
});

test('without a WebSocket it says what to do', { skip: globalThis.WebSocket !== undefined }, () => {
  assert.throws(() => new Client({ url: 'ws://fake' }), /pass one/);
  assert.ok(new ChatError({ code: 'x' }) instanceof Error);
});

test('previews of rooms are kept until the room or the history is gone', async () => {
  const bot = inRoom();
  bot.server.sayAs({ id: 901, name: 'Anna' }, bot.server.titled('Room 2'), 'x'.repeat(201));
  const asked = bot.client.request({ type: 'previews', roomIds: [1, 2, 9] });
  bot.flow();
  const { previews } = await asked;
  assert.deepEqual([...bot.state.previews.values()], previews);
  const { userCount, last } = bot.state.previews.get(2);
  assert.deepEqual([userCount, last.from.name, last.text, last.cut], [0, 'Anna', 'x'.repeat(200), true]);
  bot.server.removeRoom(2);
  bot.flow();
  assert.deepEqual([...bot.state.previews.keys()], [1]);
  bot.server.restart({ keeps: false });
  bot.clock.advance(10_000);
  bot.flow();
  assert.equal(bot.state.previews.size, 0);
});
