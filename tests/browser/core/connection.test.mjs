// The connection: which protocol is offered, when it reconnects, and when it gives up.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { CLOCK } from '../../../clients/js/src/engine.js';
import { backoffMs } from '../../../clients/js/src/connection.js';
import { FakeClock, FakeServer } from './fake.mjs';
import { Page } from './page.mjs';

test('the backoff doubles up to 30 s, with jitter of up to half', () => {
  const longest = [0, 1, 2, 3, 4, 5, 6, 7, 1_000, Infinity].map((attempt) => backoffMs(attempt, () => 1));
  assert.deepEqual(longest, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 30_000]);
  assert.equal(backoffMs(3, () => 0), 2_000);
});

/** A page whose backoff has no jitter: each delay is the longest. */
function page({ speaks = 'wschat.v2', isUp = true } = {}) {
  const clock = new FakeClock(() => 1 - Number.EPSILON);
  const server = Object.assign(new FakeServer(clock), { speaks, isUp });
  return new Page({ clock, server });
}

const waitMs = ({ state, clock }) => Math.round(state.retryAt - clock.now());

test('each attempt waits longer, until a connection has lasted 10 s', () => {
  const it = page({ isUp: false });
  const waits = [];
  for (let i = 0; i < 8; i += 1) {
    it.flow();
    assert.equal(it.state.phase, 'waiting');
    waits.push(waitMs(it));
    it.clock.advance(waitMs(it));
    assert.equal(it.state.phase, 'connecting');
  }
  assert.deepEqual(waits, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  it.server.isUp = true;
  it.wait(9);
  it.server.cut(it.socket, 1001, 'server stopping');
  assert.deepEqual([waitMs(it), it.state.lostReason], [30_000, 'server stopping']);
  it.chat.wake();
  it.flow();
  it.wait(10);
  it.server.cut(it.socket);
  assert.equal(waitMs(it), 500);
});

test('the session is offered, also after a reload', () => {
  const it = page();
  it.flow();
  it.loseAndReturn();
  it.reload();
  it.flow();
  const { session } = it.state;
  const offer = ['wschat.v2', `session.${session}`];
  assert.deepEqual(it.server.offers, [['wschat.v2'], offer, offer]);
  assert.equal(it.state.me.id, 1);
});

test('waking up reconnects at once', () => {
  const it = page({ isUp: false });
  it.flow();
  it.server.isUp = true;
  const { now } = it.clock;
  const before = now();
  it.chat.wake();
  it.flow();
  assert.deepEqual([it.state.phase, it.state.retryAt, now()], ['online', null, before]);
});

for (const code of [1002, 1003, 1007, 1008]) {
  test(`after ${code} the backoff is the longest`, () => {
    const it = page();
    it.flow();
    it.server.cut(it.socket, code, 'mend your ways');
    assert.equal(waitMs(it), 30_000);
  });
}

test('replaced: only the user reconnects', () => {
  const it = page();
  it.flow();
  const { session } = it.state;
  it.server.cut(it.socket, 4001, 'replaced');
  it.chat.wake();
  it.wait(100);
  assert.deepEqual([it.state.phase, it.state.retryAt, it.server.sockets.length], ['replaced', null, 0]);
  it.chat.takeOver();
  it.flow();
  assert.deepEqual([it.state.phase, it.state.session], ['online', session]);
});

test('kicked: only the user reconnects, and is somebody else', () => {
  const it = page();
  it.flow();
  const { id } = it.state.me;
  it.server.cut(it.socket, 4003, 'kicked');
  it.chat.wake();
  it.wait(100);
  assert.deepEqual([it.state.phase, it.state.retryAt, it.server.sockets.length], ['kicked', null, 0]);
  it.reload();
  it.flow();
  assert.equal(it.state.phase, 'online');
  assert.notEqual(it.state.me.id, id);
});

test('a close code from 4000 to 4499 means to stay away, until the user connects', () => {
  const it = page();
  it.flow();
  it.server.cut(it.socket, 4400, 'banned');
  it.chat.wake();
  it.wait(100);
  assert.deepEqual([it.state.phase, it.state.lostReason, it.server.sockets.length], ['stopped', 'banned', 0]);
  it.chat.takeOver();
  it.flow();
  assert.equal(it.state.phase, 'online');
  it.server.cut(it.socket, 4500, 'busy');
  assert.equal(it.state.phase, 'waiting');
});

test('no welcome in 15 s: the connection is given up', () => {
  const it = page();
  it.clock.advance(14_999);
  assert.equal(it.state.phase, 'connecting');
  it.clock.advance(1);
  assert.deepEqual([it.state.phase, it.state.lostReason, it.server.sockets.length], ['waiting', 'no answer', 0]);
});

test('no answer in 15 s: the connection is given up, and its later frames are ignored', () => {
  const it = page();
  it.flow();
  it.chat.enter(1);
  const old = it.socket;
  it.clock.advance(15_000);
  assert.deepEqual([it.state.phase, it.state.lostReason], ['waiting', 'no answer']);
  old.dispatch('message', { data: '{"type":"welcome","user":{"id":7,"name":"Late"}}' });
  assert.equal(it.state.phase, 'waiting');
  it.wait(3);
  assert.ok(it.state.inRoom);
});

test('a silent connection is probed', () => {
  const it = Page.inRoom();
  it.watch();
  it.wait(44);
  assert.deepEqual(it.asked, []);
  it.wait(1);
  assert.deepEqual(it.asked, [{ type: 'history', roomId: 1, before: 1, limit: 1 }]);
  it.clock.advance(120_000);
  assert.equal(it.state.lostReason, 'no answer');
});

test('the network is back while an attempt is about to fail: the next one is soon', () => {
  const it = Page.inRoom();
  it.server.isUp = false;
  it.server.cut(it.socket);
  it.wait(120);
  it.chat.wake();
  assert.equal(it.state.phase, 'connecting');
  it.chat.wake();
  it.flow();
  assert.equal(it.state.phase, 'waiting');
  it.server.isUp = true;
  it.wait(1);
  assert.equal(it.state.phase, 'online');
});

for (const jump of [-3_600_000, 3_600_000]) {
  test(`a dead connection is noticed although the time of day jumps by ${jump / 60_000} minutes`, (t) => {
    const it = Page.inRoom();
    it.watch(() => true); // nothing is answered any more
    const before = it.server.offers.length;
    it.clock.ahead += jump;
    it.wait(70);
    assert.equal(it.server.offers.length, before + 1);
    // The clock of those who do not bring their own.
    const real = Date.now();
    const began = CLOCK.now();
    t.mock.method(Date, 'now', () => real + jump);
    assert.ok(CLOCK.now() >= began && CLOCK.now() < began + 60_000);
    assert.equal(CLOCK.time(), real + jump);
  });
}

test('no part of the page or of the client measures a duration by the time of day', () => {
  const sources = ['../../../src/web/', '../../../clients/js/src/'].map((folder) => new URL(folder, import.meta.url));
  const found = sources.flatMap((folder) => readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith('.js'))
    .flatMap((name) => readFileSync(new URL(name, folder), 'utf8').split('\n').filter((line) => line.includes('Date.now()'))));
  // What is shown depends on the day; everything else gets the time from the clock.
  for (const line of found) assert.match(line, /dayOf\(Date\.now\(\)\)|now: Date\.now\(\)|draw\(now = Date\.now\(\)\)|dayRow\(.*Date\.now\(\)\)|time: \(\) => Date\.now\(\)/);
  assert.ok(found.length > 0);
});

test('waking up probes the connection at once', () => {
  const it = Page.inRoom();
  it.chat.wake();
  it.clock.advance(15_000);
  assert.equal(it.state.phase, 'waiting');
});

test('a server without wschat.v2 gets the base protocol, once it is sure', () => {
  const it = page({ speaks: 'base' });
  it.server.onBase = (socket) => it.server.push(socket, { type: 'welcome', user: { id: 1, name: 'User 1' } });
  it.wait(2);
  assert.deepEqual([it.state.phase, it.state.version], ['online', 'base']);
  assert.deepEqual(it.server.offers, [['wschat.v2'], [], ['wschat.v2'], []]);
  it.server.cut(it.socket);
  it.wait(2);
  assert.deepEqual(it.server.offers.slice(4), [[]], 'and then it is known');
});

test('a network failure at first does not make the page settle for the base protocol', () => {
  const it = page({ isUp: false });
  it.flow();
  it.server.isUp = true;
  it.wait(2);
  assert.deepEqual([it.state.phase, it.state.version], ['online', 'wschat.v2']);
  assert.deepEqual(it.server.offers, [['wschat.v2'], [], ['wschat.v2']]);
});

test('once wschat.v2 has been spoken nothing else is offered', () => {
  const it = page();
  it.flow();
  it.server.isUp = false;
  it.server.cut(it.socket);
  it.wait(60);
  assert.ok(it.server.offers.length > 4);
  assert.ok(it.server.offers.every(([first]) => first === 'wschat.v2'));
});

test('frames that are not JSON, or of an unknown type, are ignored', () => {
  const it = Page.inRoom();
  it.socket.dispatch('message', { data: 'hello' });
  it.socket.dispatch('message', { data: '{"type":"from the future"}' });
  it.chat.say('one');
  it.flow();
  assert.deepEqual(it.shown(), ['one']);
});
