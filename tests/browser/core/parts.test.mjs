// The small parts of the core: links, storage, read marks, requests.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatLink, parseLink } from '../../../src/web/core/link.js';
import { ReadMarks } from '../../../src/web/core/read.js';
import { Requests } from '../../../clients/js/src/requests.js';
import { browserStorage } from '../../../src/web/core/storage.js';
import { FakeClock, FakeStore } from './fake.mjs';

test('links name a room by id or title, and optionally a message', () => {
  assert.deepEqual(parseLink('#room=3&seq=17'), { room: 3, seq: 17 });
  assert.deepEqual(parseLink('#room=Room%201'), { room: 'Room 1' });
  assert.deepEqual(parseLink('room=Tea+%26+cake&seq=x'), { room: 'Tea & cake' });
  for (const hash of ['', '#', '#room=', '#room=%20', '#seq=3']) assert.equal(parseLink(hash), null, hash);
  assert.deepEqual(parseLink('#room=0'), { room: '0' });
  assert.deepEqual(parseLink('#room=99999999999999999999'), { room: '99999999999999999999' });
  for (const link of [{ room: 3, seq: 17 }, { room: 'Tea & cake=#ö+' }]) {
    assert.deepEqual(parseLink(formatLink(link)), link);
  }
  assert.equal(formatLink({ room: 3, seq: 17 }), '#room=3&seq=17');
});

/** Storage with a quota in characters. */
class Area {
  values = new Map();

  constructor(room = Infinity) {
    this.room = room;
  }

  getItem(key) {
    return this.values.get(key) ?? null;
  }

  setItem(key, value) {
    if (value.length > this.room) throw new Error('QuotaExceededError');
    this.values.set(key, value);
  }

  removeItem(key) {
    this.values.delete(key);
  }
}

test('values are stored as JSON, and other data counts as none', () => {
  const localStorage = new Area();
  const { local } = browserStorage({ localStorage });
  assert.equal(local.get('name'), null);
  local.set('name', { of: ['Anna'] });
  assert.deepEqual(local.get('name'), { of: ['Anna'] });
  assert.deepEqual([...localStorage.values], [['wschat.name', '{"of":["Anna"]}']]);
  localStorage.setItem('wschat.name', 'Anna');
  assert.equal(local.get('name'), null);
  local.remove('name');
  assert.equal(localStorage.values.size, 0);
});

test('two chats below different paths of a site have values of their own', () => {
  const localStorage = new Area();
  const at = (baseURI) => browserStorage({ localStorage, document: { baseURI } }).local;
  const [root, one, two] = ['https://a.b/', 'https://a.b/one/', 'https://a.b/one/two/index.html'].map(at);
  root.set('session', 'r');
  one.set('session', '1');
  two.set('session', '2');
  assert.deepEqual([root, one, two].map((store) => store.get('session')), ['r', '1', '2']);
  assert.deepEqual([...localStorage.values.keys()], ['wschat.session', 'wschat/one/.session', 'wschat/one/two/.session']);
  assert.deepEqual([root.keyOf('wschat.name'), root.keyOf('wschat/one/.name'), one.keyOf('wschat/one/.name')], ['name', null, 'name']);
  assert.deepEqual([one.keyOf('wschat/one/two/.name'), one.keyOf(null)], [null, null]);
});

test('full or forbidden storage keeps values while the page lives, and nothing outdated', () => {
  const sessionStorage = new Area(10);
  const { session } = browserStorage({ sessionStorage });
  session.set('outbox', 'short');
  session.set('outbox', 'much too long');
  assert.equal(session.get('outbox'), 'much too long');
  assert.equal(sessionStorage.values.size, 0);
  session.set('outbox', 'again');
  assert.equal(sessionStorage.values.size, 1);
  const forbidden = browserStorage({ get localStorage() { throw new Error('SecurityError'); } }).local;
  forbidden.set('name', 'Anna');
  assert.equal(forbidden.get('name'), 'Anna');
  forbidden.remove('name');
  assert.equal(forbidden.get('name'), null);
});

const ROOM = { id: 1, title: 'Room 1' };

test('read marks only move forward, except to a new epoch, and writes are throttled', () => {
  const clock = new FakeClock();
  const store = new FakeStore();
  const marks = new ReadMarks({ store, clock });
  assert.equal(marks.get(ROOM), null);
  marks.mark(ROOM, 5, 'one');
  marks.mark(ROOM, 3, 'one');
  assert.deepEqual(marks.get(ROOM), { seq: 5, epoch: 'one' });
  assert.equal(store.get('read'), null);
  clock.advance(1_000);
  assert.deepEqual(store.get('read'), { '1 Room 1': { seq: 5, epoch: 'one' } });
  marks.mark(ROOM, 2, 'two');
  assert.deepEqual(marks.get(ROOM), { seq: 2, epoch: 'two' });
  assert.equal(marks.get({ id: 1, title: 'Another' }), null);
});

test('two tabs: the furthest mark wins, and the latest rooms are kept', () => {
  const clock = new FakeClock();
  const store = new FakeStore();
  const [one, two] = [0, 1].map(() => new ReadMarks({ store, clock }));
  one.mark(ROOM, 5, 'one');
  two.mark(ROOM, 9, 'one');
  two.flush();
  one.flush();
  assert.equal(one.get(ROOM).seq, 9);
  for (let id = 2; id <= 201; id += 1) one.mark({ id, title: 'Room' }, 1, 'one');
  one.flush();
  assert.equal(Object.keys(store.get('read')).length, 200);
  assert.equal(one.get(ROOM), null);
});

function requests() {
  const clock = new FakeClock();
  const made = { clock, sent: [], given: 0 };
  made.requests = new Requests({
    clock,
    send: (request) => made.sent.push(request) > 0,
    giveUp: () => { made.given += 1; },
  });
  return made;
}

test('an answer reaches its request, once', () => {
  const { requests: all, sent } = requests();
  const got = [];
  all.ask({ type: 'one' }, { answered: ({ what }) => got.push(what) });
  all.ask({ type: 'two', ref: 'mine' }, { refused: ({ code }) => got.push(code) });
  assert.deepEqual([sent[1].ref, sent[0].ref === sent[1].ref], ['mine', false]);
  assert.ok(all.refuse({ ref: 'mine', code: 'no' }));
  all.answer({ ref: sent[0].ref, what: 'yes' });
  all.answer({ ref: sent[0].ref, what: 'again' });
  assert.equal(all.refuse({ ref: 'mine', code: 'again' }), false);
  assert.equal(all.refuse({ code: 'nobody' }), false);
  assert.deepEqual(got, ['no', 'yes']);
});

test('a rate-limited request is retried later, on the same connection only', () => {
  const { requests: all, sent, clock } = requests();
  const lost = [];
  all.ask({ type: 'one' }, { lost: () => lost.push('one') });
  all.refuse({ ref: sent[0].ref, code: 'rate_limited', retryAfterMs: 500 });
  assert.ok(all.isOpen('one'));
  clock.advance(499);
  assert.equal(sent.length, 1);
  clock.advance(1);
  assert.deepEqual(sent[1], sent[0]);
  all.refuse({ ref: sent[0].ref, code: 'rate_limited', retryAfterMs: 500 });
  all.lost();
  clock.advance(10_000);
  assert.deepEqual([sent.length, lost, all.isOpen('one')], [2, ['one'], false]);
});

test('no answer in 15 s: the connection is given up, and the timeout grows', () => {
  const made = requests();
  const { requests: all, clock } = made;
  const after = (ms) => {
    clock.advance(ms);
    return made.given;
  };
  all.ask({ type: 'one' });
  clock.advance(10_000);
  all.ask({ type: 'two' });
  assert.deepEqual([after(4_999), after(1)], [0, 1]);
  all.lost();
  all.ask({ type: 'three' });
  assert.deepEqual([after(29_999), after(1)], [1, 2]);
  all.lost();
  all.resetTimeout();
  all.ask({ type: 'four' });
  assert.deepEqual([after(14_999), after(1)], [2, 3]);
});

test('an answer in time stops the timeout', () => {
  const made = requests();
  const { requests: all, sent, clock } = made;
  all.ask({ type: 'one' });
  clock.advance(10_000);
  all.answer({ ref: sent[0].ref });
  all.ask({ type: 'two' });
  clock.advance(14_999);
  all.answer({ ref: sent[1].ref });
  clock.advance(60_000);
  assert.equal(made.given, 0);
});
