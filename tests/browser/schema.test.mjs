// docs/protocol.schema.json against the frames on the wire, in both directions and both protocols. Those in the docs
// are checked in examples.test.mjs.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import {
  check, CLIENT_SCHEMA, ENTRIES, fits, framesOf, lenient, mayCome, schema, Seen, spoilt, Watched,
} from './frames.mjs';
import { MALFORMED, MALFORMED_V2, NULLS } from './malformed.mjs';
import { Server } from './server.mjs';

const V2 = ['wschat.v2'];
/** Filled by the tests that talk, checked by those after them. */
const seen = new Seen();

/** A server, and clients of it whose frames are recorded. */
const talk = (name, settings, story, options) => test(name, async () => {
  const server = await Server.start(settings, options);
  const clients = [];
  try {
    await story(async (protocols) => {
      const client = await Watched.connect(server.socketUrl, { protocols, seen });
      clients.push(client);
      return client;
    }, server);
  } finally {
    for (const client of clients) client.socket.terminate();
    await server.stop();
  }
});

/** Lists the rooms, creates one, and enters it. Returns its snapshot. */
async function enterNewRoom(vera) {
  assert.deepEqual([vera.welcome.resumed, vera.welcome.server.name], [false, 'wschat']);
  vera.ask({ type: 'change_name', name: 'Vera' });
  assert.equal('roomId' in await vera.until('change_name'), false);
  vera.ask({ type: 'list_rooms', ref: 'list' });
  const list = await vera.until('list_rooms');
  assert.deepEqual([list.ref, list.rooms[1].userCount, list.rooms[1].seq], ['list', 0, 0]);

  vera.ask({ type: 'create_room', title: 'Attic', ref: 'make' });
  const added = await vera.until('room_added', ({ ref }) => ref === 'make');
  assert.deepEqual(added.room, { id: 4, title: 'Attic', userCount: 0, seq: 0 });
  vera.ask({ type: 'enter_room', roomId: '4', ref: 'in' });
  const room = await vera.until('room');
  assert.deepEqual([room.ref, room.seq, room.complete, room.events], ['in', 0, true, []]);
  await vera.until('room_changed', (changed) => changed.room.id === 4 && changed.room.userCount === 1);
  return room;
}

/** Says five things, one of them twice. Returns the events. */
async function sayFive(vera) {
  for (const ref of ['one', 'two', 'three']) vera.ask({ type: 'text', text: `text ${ref}`, ref });
  vera.ask({ type: 'gif', gifId: '2', ref: 'four' });
  vera.ask({ type: 'text', text: 'without' });
  vera.ask({ type: 'text', text: 'again', ref: 'one' });
  const said = [];
  for (let seq = 1; seq <= 5; seq += 1) said.push(await vera.until(seq === 4 ? 'gif' : 'text'));
  assert.deepEqual(said.map(({ seq }) => seq), [1, 2, 3, 4, 5]);
  assert.deepEqual(said.map(({ ref }) => ref), ['one', 'two', 'three', 'four', undefined]);
  assert.deepEqual(await vera.until('text'), said[0]);
  await vera.until('room_changed', (changed) => changed.room.id === 4 && changed.room.seq === 5);
  return said;
}

async function typeAndRename(vera, willi) {
  willi.ask({ type: 'typing', roomId: 4, ref: 'types' });
  assert.equal((await willi.until('typing')).ref, 'types');
  const { user, roomId, ref } = await vera.until('typing');
  assert.deepEqual([user.id, roomId, ref], [willi.id, 4, undefined]);
  vera.ask({ type: 'change_name', name: 'Vera V.', ref: 'name' });
  assert.equal((await willi.until('change_name')).roomId, 4);
  assert.equal((await vera.until('change_name')).ref, 'name');
}

async function readHistory(vera, said) {
  vera.ask({ type: 'history', roomId: 4, ref: 'newest' });
  const newest = await vera.until('history');
  assert.deepEqual([newest.ref, newest.more, newest.events], ['newest', false, said]);
  vera.ask({ type: 'history', roomId: '4', before: 4, limit: 2 });
  const page = await vera.until('history');
  assert.deepEqual([page.more, page.newer, page.events], [true, true, said.slice(1, 3)]);
  vera.ask({ type: 'history', roomId: 4, after: 1, limit: 2, maxBytes: '4096' });
  const after = await vera.until('history');
  assert.deepEqual([after.more, after.newer, after.events], [true, true, said.slice(1, 3)]);
  vera.ask({ type: 'history', roomId: 4, around: 3, limit: 3 });
  const around = await vera.until('history');
  assert.deepEqual([around.more, around.newer, around.events], [true, true, said.slice(1, 4)]);
}

/** Says hello, pages through the users, and is told who is away. */
async function followPresence(vera, connect) {
  vera.ask({ type: 'hello', features: ['presence', 'telepathy'], maxFrameBytes: 4096, ref: 'hello' });
  const hello = await vera.until('hello');
  assert.deepEqual([hello.ref, hello.features, hello.maxFrameBytes], ['hello', ['presence'], 4096]);
  const xaver = await connect(V2);
  xaver.ask({ type: 'enter_room', roomId: 4 });
  await xaver.until('room');
  vera.ask({ type: 'users', roomId: 4, limit: 2, ref: 'users' });
  const users = await vera.until('users');
  assert.deepEqual([users.ref, users.users.length, users.userCount, users.more], ['users', 2, 3, true]);
  xaver.socket.terminate();
  const { users: changed } = await vera.until('presence');
  assert.deepEqual(changed, [{ id: xaver.id, away: true }]);
  vera.ask({ type: 'users', roomId: '4', after: users.users[1].id });
  assert.deepEqual((await vera.until('users')).users.map(({ id, away }) => [id, away]), [[xaver.id, true]]);
  vera.ask({ type: 'list_rooms', after: 3 });
  assert.deepEqual(Object.keys((await vera.until('list_rooms')).rooms), ['4']);
  vera.ask({ type: 'enter_room', roomId: 4 });
  const room = await vera.until('room');
  assert.deepEqual([room.userCount, room.users[2].away], [3, true]);
  const back = await connect([...V2, `session.${xaver.welcome.session}`]);
  assert.deepEqual((await vera.until('presence')).users, [{ id: xaver.id, away: false }]);
  back.ask({ type: 'text', text: 'before entering', ref: 'early' });
  assert.equal((await back.until('text')).ref, 'early');
  await vera.until('text');
  back.ask({ type: 'leave_room', roomId: 4, ref: 'out' });
  assert.equal((await back.until('leave_room')).ref, 'out');
  await vera.until('leave_room');
}

/** Leaves and returns: with what the client has, with a `seq` that never was, and with another epoch. */
async function leaveAndReturn(vera, willi, room, said) {
  willi.ask({ type: 'leave_room', ref: 'out' });
  await willi.until('leave_room');
  await vera.until('leave_room');
  const since = { epoch: room.epoch, seq: 3 };
  for (const [asked, complete, events] of [
    [since, true, said.slice(3)],
    [{ ...since, time: said[2].time, rev: 0 }, true, said.slice(3)],
    [{ ...since, time: said[2].time + 1 }, false, said],
    [{ epoch: room.epoch, seq: 6 }, false, said],
    [{ epoch: 'another', seq: 3 }, false, said],
  ]) {
    willi.ask({ type: 'enter_room', roomId: 4, since: asked, ref: 'back' });
    const back = await willi.until('room');
    assert.deepEqual([back.complete, back.events, back.seq], [complete, events, 5]);
    assert.equal(back.reset, complete ? undefined : true);
    willi.ask({ type: 'leave_room' });
    await willi.until('leave_room');
  }
}

/** Every refusal, each with the `ref` of its request. */
async function beRefused(vera, willi) {
  willi.ask({ type: 'text', text: 'in no room', ref: 'e1' });
  await willi.refused('not_in_room', 'e1');
  willi.ask({ type: 'text', text: 'in another room', roomId: 4, ref: 'e0' });
  await willi.refused('not_in_room', 'e0');
  willi.ask({ type: 'typing', ref: 'e2' });
  await willi.refused('not_in_room', 'e2');
  willi.ask({ type: 'enter_room', roomId: 99, ref: 'e3' });
  await willi.refused('unknown_room', 'e3');
  willi.ask({ type: 'history', roomId: 99, ref: 'e4' });
  await willi.refused('unknown_room', 'e4');
  willi.ask({ type: 'change_name', name: '\u0007', ref: 'e5' });
  await willi.refused('bad_name', 'e5');
  willi.ask({ type: 'create_room', title: '', ref: 'e6' });
  await willi.refused('bad_title', 'e6');
  willi.ask({ type: 'create_room', title: 'One more', ref: 'e7' });
  await willi.refused('too_many_rooms', 'e7');
  willi.ask({ type: 'create_room', title: 'One more', ref: 'e8' });
  await willi.refused('too_many_rooms', 'e8');
  // She has created a room already.
  vera.ask({ type: 'create_room', title: 'One more', ref: 'e9' });
  const { code, ref } = await vera.until('error');
  assert.deepEqual([code, ref], ['rate_limited', 'e9']);
  willi.sendWrong('{"type":"dance","ref":"e10"}');
  await willi.refused('unknown_type', 'e10');
  willi.sendWrong('{"type":"gif","ref":"e11"}');
  await willi.refused('bad_request', 'e11');
  for (const [request, code] of [...MALFORMED, ...MALFORMED_V2]) {
    willi.sendWrong(request);
    await willi.refused(code);
  }
}

/** The created room disappears when it is empty. */
async function emptyTheRoom(vera) {
  vera.ask({ type: 'enter_room', roomId: 1 });
  await vera.until('leave_room');
  vera.ask({ type: 'text', text: '', ref: 'e12' });
  await vera.until('room');
  for (;;) {
    const frame = await vera.nextFrame();
    if (frame.type === 'room_changed') continue;
    assert.deepEqual([frame.code, frame.ref], ['bad_text', 'e12']);
    break;
  }
  assert.equal((await vera.until('room_removed')).roomId, 4);
}

// ---- frames on the wire fit the schema

/** Generous limits: no test here should have to wait for a rate limit. */
const limits = { messagesPerSecond: 0, maxRooms: 4, roomsPerSecond: 0.001, roomBurst: 1, roomListIntervalMs: 20 };

talk('the base protocol, while others in the room speak wschat.v2', { limits }, async (connect) => {
  const [anna, ben] = [await connect(), await connect()];
  const vera = await connect(V2);
  vera.ask({ type: 'enter_room', roomId: 1 });
  await vera.until('room');
  for (const client of [anna, ben]) {
    client.ask({ type: 'enter_room', roomId: 1 });
    await client.until('enter_room', ({ user }) => user.id === client.id);
  }
  anna.ask({ type: 'list_rooms' });
  const list = await anna.until('list_rooms');
  assert.deepEqual(Object.keys(list.rooms[1].users).map(Number), [anna.id, ben.id, vera.id].sort((a, b) => a - b));
  anna.ask({ type: 'text', text: '\t"quoted" \\ 👋\n', more: ['is', 'ignored'] });
  anna.ask({ type: 'gif', gifId: '3' });
  anna.ask({ type: 'change_name', name: 'Anna' });
  anna.ask({ type: 'create_room', title: 'Attic' });
  anna.ask({ type: 'leave_room' });
  await anna.until('leave_room');
  // Each tells the speaker of the other protocol in that one's format.
  for (const type of ['text', 'gif', 'change_name', 'leave_room']) {
    await ben.until(type);
    await vera.until(type);
  }
  vera.ask({ type: 'text', text: 'and back', ref: 'v1' });
  vera.ask({ type: 'typing' });
  vera.ask({ type: 'gif', gifId: 1 });
  await ben.until('text', ({ text }) => text === 'and back');
  assert.equal((await ben.nextFrame()).type, 'gif');

  anna.ask({ type: 'text', text: 'in no room' });
  await anna.refused('not_in_room');
  ben.ask({ type: 'text', text: ' ' });
  await ben.refused('bad_text');
  anna.ask({ type: 'enter_room', roomId: 99 });
  await anna.refused('unknown_room');
  anna.ask({ type: 'change_name', name: '' });
  await anna.refused('bad_name');
  // Only Anna has created a room. What is refused does not count.
  for (const [client, title, code] of [
    [ben, '', 'bad_title'], [ben, 'One more', 'too_many_rooms'], [anna, 'One more', 'rate_limited'],
  ]) {
    client.ask({ type: 'create_room', title });
    await client.refused(code);
  }
  for (const [request, code] of MALFORMED) {
    anna.sendWrong(request);
    await anna.refused(code);
  }
});

talk('wschat.v2', { limits: { ...limits, emptyRoomTtlSeconds: 1 } }, async (connect) => {
  const vera = await connect(V2);
  const room = await enterNewRoom(vera);
  const willi = await connect(V2);
  willi.ask({ type: 'enter_room', roomId: 4 });
  await willi.until('room');
  await vera.until('enter_room');
  const said = await sayFive(vera);
  await typeAndRename(vera, willi);
  await readHistory(vera, said);
  await leaveAndReturn(vera, willi, room, said);
  await beRefused(vera, willi);
  await emptyTheRoom(vera);
});

talk('null does not stand for an absent member', {}, async (connect) => {
  const vera = await connect(V2);
  for (const request of NULLS) {
    vera.sendWrong(request);
    await vera.refused('bad_request');
  }
});

talk('a disk that is full, and then is not', { history: { file: 'wschat.db' } }, async (connect, server) => {
  const [vera, anna] = [await connect(V2), await connect()];
  vera.ask({ type: 'enter_room', roomId: 1 });
  await vera.until('room');
  anna.ask({ type: 'enter_room', roomId: 1 });
  await anna.until('enter_room');
  await vera.until('enter_room');
  vera.ask({ type: 'text', text: 'kept', ref: 'r1' });
  assert.equal((await vera.until('text')).seq, 1);
  await anna.until('text');

  server.fillDisk();
  vera.ask({ type: 'text', text: 'lost', ref: 'r2' });
  await vera.refused('not_saved', 'r2');
  anna.ask({ type: 'text', text: 'lost, too' });
  await anna.refused('not_saved');

  server.freeDisk();
  for (;;) {
    // The same again, with the same ref, until it is saved: it is said once.
    vera.ask({ type: 'text', text: 'lost no longer', ref: 'r2' });
    const answer = await vera.nextFrame();
    if (answer.type === 'error') {
      assert.equal(answer.code, 'not_saved');
      continue;
    }
    assert.deepEqual([answer.seq, answer.ref], [2, 'r2']);
    break;
  }
  assert.equal((await anna.until('text')).text, 'lost no longer');
}, { fillable: true });

talk('a history that has been destroyed', { history: { file: 'wschat.db' } }, async (connect, server) => {
  const vera = await connect(V2);
  vera.ask({ type: 'enter_room', roomId: 1 });
  await vera.until('room');
  vera.ask({ type: 'text', text: 'kept', ref: 'r1' });
  await vera.until('text');
  server.loseHistory('wschat.db');
  vera.ask({ type: 'history', roomId: 1, ref: 'page' });
  await vera.refused('not_readable', 'page');
});

const little = { historyMaxMemoryBytes: 65_536, messagesPerSecond: 0 };
talk('messages that are no longer stored', { limits: little }, async (connect) => {
  const vera = await connect(V2);
  vera.ask({ type: 'enter_room', roomId: 1 });
  await vera.until('room');
  for (let count = 1; count <= 20; count += 1) {
    vera.ask({ type: 'text', text: 'x'.repeat(4000), ref: `r${count}` });
    assert.equal((await vera.until('text')).seq, count);
  }
  vera.ask({ type: 'text', text: 'again', ref: 'r1' });
  const { roomId, seq } = await vera.refused('already_said', 'r1');
  assert.deepEqual([roomId, seq], [1, 1]);
  vera.ask({ type: 'text', text: 'again', ref: 'r20' });
  assert.equal((await vera.until('text')).seq, 20);
});

talk('presence, users and long lists', { limits }, async (connect) => {
  const vera = await connect(V2);
  await enterNewRoom(vera);
  const willi = await connect(V2);
  willi.ask({ type: 'enter_room', roomId: 4 });
  await willi.until('room');
  await followPresence(vera, connect);
  vera.ask({ type: 'text', text: 'x'.repeat(4000) });
  const { seq } = await vera.until('text');
  vera.ask({ type: 'history', roomId: 4, ref: 'page' });
  // She follows the list of rooms, so a change of it may come before.
  const { code, ref, roomId, seq: refusedSeq } = await vera.until('error');
  assert.deepEqual([code, ref, roomId, refusedSeq], ['too_long', 'page', 4, seq]);
  vera.ask({ type: 'history', roomId: 4, before: seq });
  assert.equal((await vera.until('history')).newer, true);
});

talk('what the operator does', {}, async (connect, server) => {
  const [vera, willi, anna] = [await connect(V2), await connect(V2), await connect()];
  for (const client of [vera, willi]) {
    client.ask({ type: 'enter_room', roomId: 1 });
    await client.until('room');
  }
  const say = async (client, text) => {
    client.ask({ type: 'text', text });
    await client.until('text');
  };
  await say(vera, 'one');
  await say(willi, 'two');
  await willi.until('text', ({ text }) => text === 'two');
  assert.deepEqual(await server.command('POST', '/v1/announce', { text: 'Tea is ready.' }), { told: 3 });
  assert.equal((await vera.until('announcement')).text, 'Tea is ready.');
  assert.deepEqual((await anna.until('text')).from, { id: 0, name: 'Server' });
  for (const [what, count] of [[{ user: willi.id }, 1], [{ before: 5 }, 0]]) {
    assert.deepEqual(await server.command('POST', '/v1/erase', what), { erased: count });
    const { upTo, userId, before } = await vera.until('erased');
    assert.deepEqual([upTo, userId, before], [2, what.user, what.before]);
  }
  vera.ask({ type: 'history', roomId: 1 });
  assert.deepEqual((await vera.until('history')).events.map(({ type }) => type), ['text', 'gone']);
  assert.deepEqual(await server.command('POST', '/v1/erase', { room: 1 }), { erased: 1 });
  assert.equal('userId' in await vera.until('erased'), false);
  assert.deepEqual(await server.command('POST', '/v1/kick', { user: willi.id }), { kicked: [willi.id] });
  assert.equal((await vera.until('leave_room')).user.id, willi.id);
}, { governed: true });

talk('a resumed session', {}, async (connect) => {
  const vera = await connect(V2);
  vera.ask({ type: 'enter_room', roomId: 2 });
  await vera.until('room');
  vera.socket.terminate();
  const again = await connect([...V2, `session.${vera.welcome.session}`]);
  assert.deepEqual([again.welcome.resumed, again.welcome.roomId], [true, 2]);
});

test('every kind of frame was seen, and every code', () => {
  const missing = ENTRIES.flatMap(framesOf).filter((name) => seen.of(name).length === 0);
  assert.deepEqual(missing, []);
  const base = schema.$defs['base-error-code'].enum;
  const v2 = [...base, ...schema.$defs['v2-error-code'].anyOf[1].enum];
  for (const [version, codes] of Object.entries({ base, v2 })) {
    const said = new Set(seen.of(`${version}-server-error`).map(({ code }) => code));
    assert.deepEqual([...said].sort(), codes.sort(), version);
  }
});

describe('the schema for clients', () => {
  test('is the exact one, without what may change', () => {
    const expected = lenient(schema);
    if (process.env.UPDATE_SCHEMA) writeFileSync(CLIENT_SCHEMA, `${JSON.stringify(expected, null, 2)}\n`);
    const written = JSON.parse(readFileSync(CLIENT_SCHEMA, 'utf8'));
    assert.deepEqual(written, expected, 'run this test with UPDATE_SCHEMA=1, and read the difference');
  });

  test('takes additional members anywhere, and other types and codes', () => {
    const grown = (value) => {
      if (Array.isArray(value)) return value.map(grown);
      if (value === null || typeof value !== 'object') return value;
      const entries = Object.entries(value).map(([member, inner]) => [member, grown(inner)]);
      return { ...Object.fromEntries(entries), ...(value.id || value.type ? { rev: { a: [1] } } : {}) };
    };
    for (const entry of ['base-server', 'v2-server']) {
      for (const name of framesOf(entry)) {
        for (const frame of seen.of(name)) assert.ok(mayCome(entry, grown(frame)), JSON.stringify(grown(frame)));
      }
      assert.ok(mayCome(entry, { type: 'topic', roomId: 1 }));
      assert.ok(mayCome(entry, { type: 'error', code: 'forbidden', message: 'No.', retryAfterMs: 5 }));
    }
    const room = seen.of('v2-server-room').find(({ events }) => events.length > 0);
    const poll = { type: 'poll', question: 'Tea?', seq: room.events[0].seq };
    assert.ok(mayCome('v2-server', { ...room, events: [poll, ...room.events.slice(1)] }));
    assert.ok(!fits('v2-server', { ...room, events: [poll] }));
  });

  test('refuses a frame without what a client needs, or with the wrong type of it', () => {
    const [said] = seen.of('v2-server-text');
    for (const member of ['text', 'from', 'roomId', 'time', 'seq']) {
      const { [member]: _, ...rest } = said;
      assert.ok(!mayCome('v2-server', rest), member);
      assert.ok(!mayCome('v2-server', { ...said, [member]: [] }), member);
    }
    const [room] = seen.of('v2-server-room');
    assert.ok(!mayCome('v2-server', { ...room, events: [{ type: 'poll' }] }), 'what is stored has a seq');
  });
});

describe('the schema refuses invalid frames', () => {
  test('a server frame with an extra member, or a member of the wrong type', () => {
    let count = 0;
    for (const entry of ['base-server', 'v2-server']) {
      for (const name of framesOf(entry)) {
        // The longest one has every member.
        const longest = seen.of(name).reduce((a, b) => (JSON.stringify(b).length > JSON.stringify(a).length ? b : a));
        for (const [what, frame] of spoilt(longest)) {
          assert.ok(!fits(entry, frame), `${name} is taken though ${what}: ${JSON.stringify(frame)}`);
          count += 1;
        }
      }
    }
    assert.ok(count > 200, `only ${count}`);
  });

  test('a frame without one of its members', () => {
    for (const entry of ENTRIES) {
      for (const name of framesOf(entry)) {
        const [frame] = seen.of(name);
        for (const member of schema.$defs[name].required) {
          const { [member]: _, ...rest } = frame;
          assert.ok(!fits(entry, rest), `${name} without ${member}`);
        }
      }
    }
  });

  test('a frame of the other protocol, or of the other direction', () => {
    const said = { type: 'text', text: 'a', from: { id: 1, name: 'Anna' } };
    const saidV2 = { ...said, roomId: 1, time: 1, seq: 1 };
    assert.deepEqual(ENTRIES.map((entry) => fits(entry, said)), [true, true, false, true]);
    assert.deepEqual(ENTRIES.map((entry) => fits(entry, saidV2)), [false, true, true, true]);
    assert.deepEqual(ENTRIES.map((entry) => fits(entry, { type: 'typing' })), [false, false, false, true]);
    assert.throws(() => check('base-server', JSON.stringify(saidV2)), /must NOT have additional properties/);
    assert.throws(() => check('base-server', '{"type":"typing"}'), /no such frame/);
    assert.throws(() => check('base-server', '{"text":"a","type":"text","from":{"id":1,"name":"Anna"}}'));
    assert.throws(() => check('base-server', JSON.stringify(said, null, 1)));
  });

  test('retryAfterMs without rate_limited, and rate_limited without retryAfterMs', () => {
    const error = { type: 'error', code: 'rate_limited', message: 'Too many.' };
    assert.ok(!fits('v2-server', error));
    assert.ok(fits('v2-server', { ...error, retryAfterMs: 5 }));
    assert.ok(!fits('v2-server', { ...error, code: 'bad_text', retryAfterMs: 5 }));
  });
});
