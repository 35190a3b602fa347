// The rows of the log, without a browser: groups, where they end, and what stands behind a name.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rowsOf } from '../../../src/web/view/rows.js';

const NOON = new Date(2031, 5, 12, 12).getTime();
const said = (key, id, minutes) => ({ key, kind: 'text', seq: key, time: NOON + minutes * 60_000, from: { id, name: `User ${id}` }, text: '' });
const ALL = [said(1, 1, 0), said(2, 1, 1), said(3, 2, 2), said(4, 2, 3), said(5, 2, 30)];

const rows = (options) => rowsOf({
  entries: ALL, start: 0, end: ALL.length, pending: [], firstNew: -1, head: null, now: NOON, ...options,
}).filter(({ kind }) => kind === 'text');

test('the last message of each group is known', () => {
  const ends = (all) => all.map(({ key, isGrouped, isLast }) => [key, isGrouped, isLast]);
  assert.deepEqual(ends(rows()), [['1', false, false], ['2', true, true], ['3', false, false], ['4', true, true], ['5', false, true]]);
  // A range may begin within a group.
  assert.deepEqual(ends(rows({ start: 1 }))[0], ['2', true, true]);
  assert.deepEqual(ends(rows({ start: 3, end: 4 })), [['4', true, true]]);
});

test('a row is redrawn when what stands behind its name changes, and not when its group goes on', () => {
  const [before] = rows({ end: 1 });
  const [after] = rows({ end: 2 });
  assert.equal(before.looks, after.looks);
  const [marked] = rows({ markOf: ({ from }) => ` #${from.id}` });
  assert.equal(marked.mark, ' #1');
  assert.notEqual(marked.looks, after.looks);
});
