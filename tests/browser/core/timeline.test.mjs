// A room's timeline: order, gaps, folded presence, and limits.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_MESSAGES, Timeline } from '../../../src/web/core/timeline.js';

const said = (seq, text = `m${seq}`) => ({
  type: 'text', text, from: { id: 2, name: 'Anna' }, roomId: 1, time: seq * 1_000, seq,
});
const upTo = (first, last) => Array.from({ length: last - first + 1 }, (_, i) => said(first + i));

function timeline({ epoch = 'one', seq = 0, events = [] } = {}) {
  const made = new Timeline((event) => ({ own: event.from?.id === 1, mentionsMe: false }));
  made.enter({ epoch, seq, events });
  return made;
}

const shown = ({ entries }) => entries.map(({ kind, seq, after, before, status }) => {
  if (kind === 'gap') return `${status} ${after}..${before}`;
  return seq ?? kind;
});

test('new messages are added, known ones are not', () => {
  const line = timeline({ seq: 3, events: upTo(2, 3) });
  line.add([said(4)]);
  line.add([said(3), said(4), said(5)]);
  line.add([said(4)]);
  assert.deepEqual(shown(line), [2, 3, 4, 5]);
  assert.deepEqual([line.oldestSeq, line.newestSeq, line.endSeq], [2, 5, 5]);
});

test('missing numbers are a gap, which is filled from its end', () => {
  const line = timeline({ seq: 3, events: upTo(1, 3) });
  line.enter({ epoch: 'one', seq: 9, events: upTo(8, 9) });
  assert.deepEqual(shown(line), [1, 2, 3, 'open 3..8', 8, 9]);
  assert.equal(line.completeFrom(), 8);
  const { key } = line.entries[3];
  line.setGap(key, 'loading');
  line.addPage(upTo(6, 7), true, 8);
  assert.deepEqual(shown(line), [1, 2, 3, 'loading 3..6', 6, 7, 8, 9]);
  assert.equal(line.entries[3].key, key);
  line.addPage(upTo(2, 5), true, 6);
  assert.deepEqual(shown(line), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assert.equal(line.completeFrom(), 1);
});

test('what is erased keeps its number, is not shown, and counts no more', () => {
  const line = timeline({ seq: 5, events: [...upTo(1, 4), { type: 'gone', roomId: 1, time: 5_000, seq: 5 }] });
  const kinds = () => line.entries.map(({ kind }) => kind).join(' ');
  assert.equal(kinds(), 'text text text text other');
  assert.equal(line.othersAfter(0), 4);
  line.erase({ upTo: 3, userId: 9 });
  line.erase({ upTo: 3, before: 1_000 });
  assert.equal(kinds(), 'text text text text other', 'nothing of these');
  line.erase({ upTo: 4, before: 3_000 });
  assert.equal(kinds(), 'other other text text other');
  line.erase({ upTo: 3, userId: 2 });
  assert.equal(kinds(), 'other other other text other');
  assert.deepEqual([line.has(3), line.has(4), line.othersAfter(0), line.hasMissing], [false, true, 1, false]);
  assert.ok(line.entries.every(({ kind, text, from }) => kind === 'text' || (text === undefined && from === undefined)));
  line.add([said(6)]);
  line.erase({ upTo: 5 });
  assert.equal(kinds(), 'other other other other other text');
  assert.equal(line.completeFrom(), 6, 'nobody can tell what was erased');
});

test('a message in the middle of a gap makes two of it', () => {
  const line = timeline({ seq: 9, events: upTo(9, 9) });
  line.addPage([said(1)], false, 2);
  line.add([said(5)]);
  assert.deepEqual(shown(line), [1, 'open 1..5', 5, 'open 5..9', 9]);
  assert.equal(new Set(line.entries.map(({ key }) => key)).size, 5);
});

test('messages missing at the end are a gap too, which stays when new ones arrive', () => {
  const line = timeline({ seq: 2, events: upTo(1, 2) });
  line.enter({ epoch: 'one', seq: 5, events: [] });
  assert.deepEqual(shown(line), [1, 2, 'open 2..6']);
  assert.equal(line.completeFrom(), 6);
  line.add([said(6)]);
  assert.deepEqual(shown(line), [1, 2, 'open 2..6', 6]);
  line.addPage(upTo(1, 5), false, 6);
  assert.deepEqual(shown(line), [1, 2, 3, 4, 5, 6]);
});

test('changed entries are new objects with the same key; unchanged ones are the same', () => {
  const line = timeline({ seq: 9, events: [said(1), said(9)] });
  const [first, gap, last] = line.entries;
  const before = line.revision;
  line.setGap(gap.key, 'gone');
  assert.equal(gap.status, 'open');
  assert.deepEqual([line.entries[0], line.entries[2]], [first, last]);
  assert.equal(line.entries[0], first);
  assert.equal(line.entries[1].status, 'gone');
  assert.ok(line.revision > before);
});

test('another epoch, or a lower seq: everything is lost', () => {
  const other = timeline({ seq: 3, events: upTo(1, 3) });
  other.enter({ epoch: 'two', seq: 8, events: upTo(7, 8) });
  assert.deepEqual(shown(other), ['lost', 7, 8]);
  other.addPage(upTo(5, 6), true, 7);
  assert.deepEqual(shown(other), ['lost', 5, 6, 7, 8]);
  const shorter = timeline({ seq: 3, events: upTo(1, 3) });
  shorter.enter({ epoch: 'one', seq: 2, events: [said(1), said(2, 'another')] });
  assert.deepEqual(shown(shorter), ['lost', 1, 2]);
  const empty = timeline();
  empty.enter({ epoch: 'two', seq: 0, events: [] });
  assert.deepEqual(shown(empty), []);
});

test('whether there are older messages', () => {
  assert.equal(timeline().hasOlder, false);
  assert.equal(timeline({ seq: 2, events: upTo(1, 2) }).hasOlder, false);
  const line = timeline({ seq: 60, events: upTo(50, 60) });
  assert.equal(line.hasOlder, true);
  line.addPage(upTo(40, 49), true, 50);
  assert.equal(line.hasOlder, true);
  line.addPage(upTo(45, 48), false, 49);
  assert.equal(line.hasOlder, true, 'a page of the middle says nothing of the beginning');
  line.addPage(upTo(38, 39), false, 40);
  assert.equal(line.hasOlder, false);
  const unreadable = timeline({ seq: 7, events: [] });
  assert.equal(unreadable.hasOlder, true);
  unreadable.addPage([], false, 8);
  assert.equal(unreadable.hasOlder, false);
});

test('the oldest are dropped when there are too many, with what belongs to them, and can be loaded again', () => {
  const line = timeline({ seq: 3, events: [said(1), said(3)] });
  line.addPage([], false, 1);
  line.entered({ id: 5, name: 'Eve' }, 0);
  for (let seq = 4; seq <= MAX_MESSAGES + 1; seq += 1) line.add([said(seq)]);
  assert.equal(line.entries.length, MAX_MESSAGES + 2);
  assert.equal(line.isFull, true);
  line.add([said(MAX_MESSAGES + 2)]);
  const { entries } = line;
  assert.ok(entries.length < MAX_MESSAGES && entries.every(({ kind }) => kind === 'text'));
  assert.equal(line.oldestSeq, entries[0].seq);
  assert.deepEqual([line.hasOlder, line.isFull, line.completeFrom()], [true, false, entries[0].seq]);
  line.addPage(upTo(entries[0].seq - 50, entries[0].seq - 1), true, entries[0].seq);
  assert.equal(line.entries.length, entries.length + 50);
});

const [anna, ben, eve] = ['Anna', 'Ben', 'Eve'].map((name, i) => ({ id: i + 2, name }));
const last = (line) => {
  const { key, kind, time, more, ...lists } = line.entries.at(-1);
  return Object.fromEntries(Object.entries(lists).filter(([, list]) => list.length > 0));
};

test('joins and departures are one line until the next message', () => {
  const line = timeline({ seq: 1, events: upTo(1, 1) });
  line.entered(anna, 1);
  const { key } = line.entries.at(-1);
  line.entered(ben, 2);
  line.left(eve, 3);
  line.left(ben, 4);
  line.renamed(2, 'Anna', 'Ann', 5);
  assert.deepEqual(last(line), {
    entered: ['Ann'], left: ['Eve'], passed: ['Ben'], renamed: [{ from: 'Anna', to: 'Ann' }],
  });
  assert.deepEqual([line.entries.at(-1).key, line.entries.at(-1).time, line.entries.length], [key, 5, 2]);
  line.add([said(2)]);
  line.entered(eve, 6);
  assert.deepEqual(shown(line), [1, 'presence', 2, 'presence']);
  assert.deepEqual(last(line), { entered: ['Eve'] });
});

test('a short absence is not shown', () => {
  const line = timeline();
  line.left(anna, 1);
  line.entered(anna, 2);
  assert.deepEqual(line.entries, []);
  line.left(ben, 3);
  assert.deepEqual(last(line), { left: ['Ben'] });
});

test('eight names are listed, the rest is counted', () => {
  const line = timeline();
  for (let id = 1; id <= 1_000; id += 1) line.entered({ id, name: `User ${id}` }, id);
  const { entered, more } = line.entries[0];
  assert.deepEqual([entered.length, more], [8, { entered: 992, left: 0, passed: 0, renamed: 0 }]);
});

test('successive renames are one, and back to the old name is none', () => {
  const line = timeline();
  line.renamed(2, 'A', 'B', 1);
  line.renamed(2, 'B', 'C', 2);
  assert.deepEqual(last(line), { renamed: [{ from: 'A', to: 'C' }] });
  line.renamed(2, 'C', 'A', 3);
  assert.deepEqual(line.entries, []);
});

test('counting the messages of others after one', () => {
  const line = timeline({ seq: 4, events: [...upTo(1, 3), { ...said(4), from: { id: 1, name: 'Me' } }] });
  assert.deepEqual([0, 1, 3, 4].map((seq) => line.othersAfter(seq)), [3, 2, 0, 0]);
});
