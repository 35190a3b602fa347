// Random histories: a page, other people, and a network and a server that do everything they can do to a page. In the
// end every message of the user is in the history once, in order, or is shown as failed, and the timeline equals the
// room's record, with gaps where something is missing.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Chat } from '../../../src/web/core/chat.js';
import { FakeClock, FakeServer, stores } from './fake.mjs';
import { seeded } from './seeded.mjs';

const HISTORIES = Number(process.env.HISTORIES ?? 300);
const STEPS = 120;
const OTHER = { id: 900, name: 'Other' };

/** What happens all the time, and the faults in between: a few kinds per history, so that each is explored in depth. */
const USUAL = ['step', 'step', 'step', 'step', 'flow', 'say', 'say', 'other', 'many', 'time'];
const UNUSUAL = [
  'cut', 'enter', 'leave', 'reload', 'restart', 'grace', 'prune', 'forget', 'wake', 'older', 'gap', 'remove',
  'attend', 'retry', 'replaced', 'restore', 'long',
];

class History {
  constructor(seed) {
    this.random = seeded(seed);
    this.clock = new FakeClock(seeded(seed + 1));
    this.server = new FakeServer(this.clock);
    this.server.onEnter = this.pick([2, 5, 50]);
    this.server.frameEvents = this.pick([2, 5, 1_000]);
    this.server.onRequest = (request, session) => this.verdict(request, session);
    this.storage = stores();
    this.said = [];
    this.refusals = this.pick([0, 0, 0.1, 0.3]);
    const unusual = ['cut', ...Array.from({ length: 4 }, () => this.pick(UNUSUAL))];
    this.acts = [...USUAL, ...USUAL, ...unusual];
    this.open();
  }

  pick(values) {
    return values[Math.floor(this.random() * values.length)];
  }

  chance(part) {
    return this.random() < part;
  }

  /** A page, new or reloaded. */
  open() {
    this.chat = new Chat({
      url: 'ws://fake', WebSocket: this.server.WebSocket, storage: this.storage, clock: this.clock,
    });
    this.chat.start();
  }

  verdict({ type, ref }, { refs }) {
    if (!this.chance(this.refusals)) return undefined;
    // A repeat of a message that was said is not refused for its content.
    const codes = ['rate_limited', ...(type === 'text' && !refs.has(ref) ? ['not_saved', 'bad_text'] : [])];
    const code = this.pick(codes);
    return { code, ...(code === 'rate_limited' && { retryAfterMs: 100 + Math.floor(this.random() * 2_000) }) };
  }

  act() {
    const { chat, server, clock } = this;
    const socket = this.pick(server.sockets);
    const room = this.pick([...server.rooms.values()]);
    const isAway = server.sockets.length === 0 && this.chance(0.5);
    const act = isAway ? 'time' : this.pick(this.acts);
    switch (act) {
      case 'step': if (socket) server.step(socket, this.chance(0.5)); break;
      case 'flow': server.flow(); break;
      case 'say': this.say(); break;
      case 'other': if (room) server.sayAs(OTHER, room, 'other'); break;
      case 'many': if (room) for (let i = 0; i < 8; i += 1) server.sayAs(OTHER, room, `other ${i}`); break;
      case 'cut': if (socket) server.cut(socket); break;
      case 'time': clock.advance(this.pick([100, 1_000, 20_000])); break;
      case 'enter': if (room) chat.enter(room.id); break;
      case 'leave': if (this.chance(0.3)) chat.leave(); break;
      case 'reload': this.reload(); break;
      case 'restart': server.restart({ keeps: true }); break;
      case 'grace': server.endGrace(); break;
      case 'prune': if (room) server.prune(room, room.lastSeq - 3); break;
      case 'forget': if (this.chance(0.3)) this.forget(); break;
      case 'wake': chat.wake(); break;
      case 'older': chat.loadOlder(); break;
      case 'gap': this.loadGap(); break;
      case 'remove': if (this.chance(0.2)) this.removeRoom(room); break;
      case 'restore': if (this.chance(0.3)) this.restore(); break;
      case 'long': if (socket) server.cut(socket); server.endGrace(); clock.advance(this.pick([300, 3_000])); break;
      case 'attend': chat.setWatching(this.chance(0.5)); break;
      case 'retry': this.retry(); break;
      case 'replaced': if (socket?.session && this.chance(0.3)) this.replace(socket); break;
    }
    return act;
  }

  say() {
    const text = `text ${this.said.length + 1}`;
    const { room } = this.chat.state;
    if (this.chat.say(text)) this.said.push({ text, title: room.title });
  }

  retry() {
    const failed = this.chat.state.pending.find(({ status, reason }) => status === 'failed' && reason !== 'unknown');
    if (!failed) return;
    // It is said again, as the last message.
    this.said = this.said.filter(({ text }) => text !== failed.text);
    this.said.push({ text: failed.text, title: this.chat.state.room.title });
    this.chat.retry(failed.ref);
  }

  restore() {
    this.server.restore(this.pick([0, 1, 5]), { keepsSessions: this.chance(0.5) });
  }

  /** Rooms may get other ids then. */
  forget() {
    if (this.chance(0.5)) this.server.titles.reverse();
    this.server.restart({ keeps: false });
  }

  reload() {
    this.chat.stop();
    this.open();
  }

  /** Another tab with a copy of this one's session, which then replaces it. */
  replace(socket) {
    this.server.cut(socket, 4001, 'replaced');
    this.chat.wake();
    assert.equal(this.chat.state.phase, 'replaced');
    assert.equal(this.server.sockets.length, 0);
    this.clock.advance(100_000);
    assert.equal(this.server.sockets.length, 0);
    this.chat.takeOver();
  }

  loadGap() {
    const gap = this.chat.state.timeline.entries.find(({ kind, status }) => kind === 'gap' && status === 'open');
    if (gap) this.chat.loadGap(gap);
  }

  removeRoom(room) {
    if (this.server.rooms.size > 1) this.server.removeRoom(room.id);
  }

  /** All faults are over. */
  settle() {
    this.refusals = 0;
    for (let i = 0; i < 60; i += 1) {
      this.server.flow();
      this.clock.advance(1_000);
    }
    this.server.flow();
  }

  check() {
    const { state } = this.chat;
    assert.equal(state.phase, 'online');
    const outbox = this.storage.session.get('outbox') ?? [];
    const failed = new Set(outbox.filter((entry) => entry.failed).map(({ text }) => text));
    assert.deepEqual(outbox.filter((entry) => !entry.failed), [], 'nothing waits any more');
    const { said } = this.server;
    for (const { text, title } of this.said) {
      const counts = said.map((record) => record.filter((event) => event.text === text).length);
      assert.ok(counts.every((count) => count <= 1), `“${text}” was said once in each record: ${counts}`);
      const there = said.flatMap((record) => record.filter((event) => event.text === text));
      assert.ok(there.every((event) => event.title === title), `“${text}” was said in ${title}`);
      const isLost = failed.has(text) || this.server.lost.has(text);
      if (!isLost) assert.ok(counts.some((count) => count === 1), `“${text}” was said`);
    }
    for (const record of said) {
      const mine = record.filter(({ text }) => text.startsWith('text '));
      for (const { title } of this.said) {
        const inOrder = this.said.filter((one) => one.title === title).map(({ text }) => text);
        const there = mine.filter((event) => event.title === title).map(({ text }) => text);
        const expected = inOrder.filter((text) => there.includes(text));
        assert.deepEqual(there, expected, `in the order in which it was said in ${title}`);
      }
    }
    this.checkTimeline();
  }

  checkTimeline() {
    const { room, timeline, inRoom } = this.chat.state;
    if (!room || !inRoom) return;
    const { record, lastSeq } = this.server.rooms.get(room.id);
    const bySeq = new Map(record.map((event) => [event.seq, event]));
    let before = null;
    let gap = null;
    for (const entry of [...timeline.entries, { seq: lastSeq + 1 }]) {
      if (entry.kind === 'gap') {
        assert.equal(gap, null, 'one gap at a place');
        gap = entry;
      }
      if (entry.seq === undefined) continue;
      if (before !== null && entry.seq === before + 1) assert.equal(gap, null, 'no gap where nothing is missing');
      else if (before !== null) assert.deepEqual([gap?.after, gap?.before], [before, entry.seq], 'a gap');
      assert.ok(before === null || entry.seq > before, 'in order');
      const event = bySeq.get(entry.seq);
      if (event) assert.deepEqual([entry.text, entry.from.id], [event.text, event.from.id]);
      before = entry.seq;
      gap = null;
    }
    const messages = timeline.entries.filter(({ kind }) => kind === 'text').length;
    if (record.length > 0) assert.ok(messages > 0, 'something is shown');
  }
}

test(`${HISTORIES} histories: nothing is lost, doubled or out of order, and the timelines match`, () => {
  const first = Number(process.env.SEED ?? 1);
  for (let seed = first; seed < first + HISTORIES; seed += 1) {
    const history = new History(seed);
    const acts = [];
    try {
      history.server.flow();
      history.chat.enter(1);
      for (let step = 0; step < STEPS; step += 1) acts.push(history.act());
      history.settle();
      history.check();
    } catch (error) {
      error.message += `\n(SEED=${seed} HISTORIES=1; ${acts.join(' ')})`;
      throw error;
    }
    history.chat.stop();
  }
});
