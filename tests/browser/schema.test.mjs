// docs/protocol.schema.json against the frames on the wire, in both directions and both protocols. Those in the docs
// are checked in examples.test.mjs.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import {
  check, CLIENT_SCHEMA, ENTRIES, fits, framesOf, lenient, mayCome, schema, Seen, spoilt, Watched,
} from './frames.mjs';
import { MALFORMED, NULLS } from './malformed.mjs';
import { Server } from './server.mjs';
import {
  beRefused, emptyTheRoom, enterNewRoom, followPresence, leaveAndReturn, lookAtRooms, mention, readHistory, sayFive, typeAndRename, MANY_ROOMS, V2,
} from './stories.mjs';

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

talk('previews', { rooms: MANY_ROOMS, limits: { ...limits, maxRooms: 8 } }, async (connect) => {
  await lookAtRooms(await connect(V2));
});

talk('mentions', { limits }, async (connect) => mention(await connect(V2), await connect(V2)));

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
