// One person is one user: tabs of one browser, which share its local storage and hear of each other's changes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock, FakeServer, FakeStore } from './fake.mjs';
import { Page } from './page.mjs';

/** A browser with a server. `open(session)` opens a tab, with a copy of this session storage if it is a duplicate. */
class Browser {
  clock = new FakeClock();
  server = new FakeServer(this.clock);
  #local = new FakeStore();
  #tabs = [];
  /** What the other tabs have not heard of yet. */
  #news = [];

  open(session = new FakeStore()) {
    const tab = { listener: () => {} };
    this.#tabs.push(tab);
    const changed = (key) => this.#news.push([key, this.#tabs.filter((other) => other !== tab)]);
    const local = {
      get: (key) => this.#local.get(key),
      set: (key, value) => { this.#local.set(key, value); changed(key); },
      remove: (key) => { this.#local.remove(key); changed(key); },
    };
    const storage = { local, session, onChange: (listener) => { tab.listener = listener; } };
    const { clock, server } = this;
    return new Page({ clock, server, storage });
  }

  duplicate(page) {
    return this.open(page.storage.session.copy());
  }

  /** Delivers everything, to tabs and over the network. */
  flow() {
    this.server.flow();
    this.tell();
    this.server.flow();
  }

  /** Delivers what the tabs hear of each other. */
  tell() {
    for (const [key, tabs] of this.#news.splice(0)) for (const { listener } of tabs) listener(key);
  }

  wait(seconds) {
    for (let second = 0; second < seconds; second += 1) {
      this.clock.advance(1_000);
      this.flow();
    }
  }
}

const phases = (...pages) => pages.map(({ state }) => state.phase);
const connected = ({ server }) => server.sockets.filter(({ session }) => session).length;

test('a second tab takes over, with the room, and the first says so and changes nothing', () => {
  const browser = new Browser();
  const first = browser.open();
  browser.flow();
  first.chat.enter(2);
  browser.flow();
  const second = browser.open();
  browser.flow();
  assert.deepEqual(phases(first, second), ['replaced', 'online']);
  assert.deepEqual([second.state.me.id, second.state.room?.id, second.state.inRoom], [first.state.me.id, 2, true]);
  first.chat.wake();
  browser.wait(100);
  assert.deepEqual([phases(first, second), browser.server.sessions.size], [['replaced', 'online'], 1]);
  second.chat.say('from the second');
  browser.flow();
  first.chat.takeOver();
  browser.flow();
  assert.deepEqual(phases(first, second), ['online', 'replaced']);
  assert.equal(first.shown().at(-1), 'from the second');
  assert.ok(first.state.timeline.entries.at(-1).own);
});

test('a tab that has left its room stays out of it when it takes over', () => {
  const browser = new Browser();
  const first = browser.open();
  browser.flow();
  first.chat.enter(2);
  browser.flow();
  browser.server.cut(first.socket);
  first.chat.leave();
  browser.wait(2);
  first.reload();
  browser.flow();
  assert.equal(first.state.room, null);
});

test('two tabs at once without a session: one stays, and the other is nobody', () => {
  const browser = new Browser();
  const pages = [browser.open(), browser.open()];
  for (const page of pages) page.chat.enter(1);
  browser.flow();
  browser.wait(100);
  assert.deepEqual(phases(...pages).sort(), ['online', 'replaced']);
  assert.equal(connected(browser), 1);
});

test('two tabs at once with a session: one stays', () => {
  const browser = new Browser();
  const before = browser.open();
  browser.flow();
  before.chat.stop();
  browser.flow();
  const pages = [browser.open(), browser.open()];
  browser.flow();
  browser.wait(100);
  assert.deepEqual(phases(...pages).sort(), ['online', 'replaced']);
  assert.deepEqual([connected(browser), browser.server.sessions.size], [1, 1]);
});

test('a tab that waits for its next attempt does not take the session back', () => {
  const browser = new Browser();
  const first = browser.open();
  browser.flow();
  browser.server.isUp = false;
  browser.server.cut(first.socket);
  browser.wait(20);
  browser.server.isUp = true;
  assert.equal(first.state.phase, 'waiting');
  first.chat.enter(1);
  const second = browser.open();
  browser.flow();
  browser.wait(100);
  assert.deepEqual(phases(first, second), ['replaced', 'online']);
});

test('a tab whose attempt fails after another one has connected does not take the session back', () => {
  const browser = new Browser();
  const first = browser.open();
  browser.flow();
  first.chat.enter(1);
  browser.flow();
  browser.server.isUp = false;
  browser.server.cut(first.socket);
  browser.wait(20);
  first.chat.wake();
  assert.equal(first.state.phase, 'connecting');
  const attempt = first.socket;
  browser.server.isUp = true;
  const second = browser.open();
  while (browser.server.step(second.socket));
  browser.tell();
  browser.server.cut(attempt);
  browser.wait(100);
  assert.deepEqual(phases(first, second), ['replaced', 'online']);
});

test('a duplicated tab says what the first had not, and the first never says it again', () => {
  const browser = new Browser();
  const first = browser.open();
  browser.flow();
  first.chat.enter(1);
  browser.flow();
  browser.server.isUp = false;
  browser.server.cut(first.socket);
  first.chat.say('one');
  browser.wait(20);
  browser.server.isUp = true;
  const copy = browser.duplicate(first);
  browser.flow();
  assert.deepEqual([browser.server.rooms.get(1).record.map(({ text }) => text), first.state.pending], [['one'], []]);
  // The session is over, so the server does not know the ref any more.
  copy.chat.stop();
  browser.flow();
  browser.server.endGrace();
  first.chat.takeOver();
  browser.flow();
  assert.deepEqual([first.record(), first.shown().filter((line) => line === 'one')], [['one'], ['one']]);
});

test('who was kicked is somebody else in every tab', () => {
  const browser = new Browser();
  const first = browser.open();
  browser.flow();
  const { id } = first.state.me;
  const second = browser.open();
  browser.flow();
  browser.server.cut(second.socket, 4003, 'kicked');
  browser.flow();
  assert.deepEqual(phases(first, second), ['replaced', 'kicked']);
  browser.server.endGrace();
  first.chat.takeOver();
  browser.flow();
  assert.deepEqual([first.state.phase, first.state.me.id === id], ['online', false]);
});
