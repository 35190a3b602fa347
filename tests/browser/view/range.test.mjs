// The range of the timeline that is drawn, without a browser.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RenderedRange } from '../../../src/web/view/range.js';
import { seeded } from '../core/seeded.mjs';

const entries = (from, to) => Array.from({ length: to - from }, (_, i) => ({ key: from + i }));
const keys = (range, all) => all.slice(range.start, range.end).map(({ key }) => key);

function at(all, index = all.length - 1) {
  const range = new RenderedRange();
  range.update(all);
  range.around(all, index);
  return range;
}

test('at the end it grows with the timeline, elsewhere it stays', () => {
  const before = entries(0, 1000);
  const after = entries(0, 1010);
  const atEnd = at(before);
  atEnd.update(after);
  assert.equal(keys(atEnd, after).at(-1), 1009);
  const inMiddle = at(before, 500);
  const shown = keys(inMiddle, before);
  inMiddle.update(after);
  assert.deepEqual(keys(inMiddle, after), shown);
});

test('older entries that are added or dropped do not move it', () => {
  const range = at(entries(1000, 2000), 500);
  const shown = keys(range, entries(1000, 2000));
  range.update(entries(900, 2000));
  assert.deepEqual(keys(range, entries(900, 2000)), shown);
  range.update(entries(1200, 2000));
  assert.deepEqual(keys(range, entries(1200, 2000)), shown);
});

test('when all its entries are gone it moves to the end', () => {
  const range = at(entries(0, 1000), 300);
  const other = entries(5000, 5400);
  range.update(other);
  assert.equal(keys(range, other).at(-1), 5399);
});

test('it starts with what is visible, and grows step by step in both directions', () => {
  const all = entries(0, 1000);
  const range = new RenderedRange();
  range.update(all);
  assert.deepEqual([range.start, range.end], [970, 1000]);
  range.jump(all, 20);
  assert.deepEqual([range.start, range.end], [5, 35]);
  const sizes = [];
  while (range.isShort) {
    const before = range.end - range.start;
    range.grow(all);
    sizes.push(range.end - range.start - before);
  }
  assert.deepEqual([range.start, range.end, Math.max(...sizes)], [0, 143, 12]);
  const few = new RenderedRange();
  few.update(entries(0, 7));
  assert.equal(few.isShort, false);
});

test('it always lies within the timeline, and is neither too long nor too short', () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const random = seeded(seed);
    const below = (bound) => Math.floor(random() * bound);
    let next = 10_000;
    let all = entries(0, below(2000));
    const range = at(all);
    for (let step = 0; step < 60; step += 1) {
      const fresh = () => ({ key: (next += 1) });
      const read = all[range.start + below(range.end - range.start)];
      [
        () => all.push(fresh()),
        () => all.unshift(...Array.from({ length: below(200) }, fresh)),
        () => all.splice(below(all.length + 1), 0, ...Array.from({ length: below(200) }, fresh)),
        () => all.splice(0, below(Math.max(1, all.indexOf(read)))),
        () => range.up(all),
        () => range.down(all),
      ][below(6)]();
      range.update(all);
      const index = read ? all.indexOf(read) : -1;
      range.cut(all, index < 0 ? all.length - 1 : index);
      while (range.isShort) range.grow(all);
      const size = range.end - range.start;
      assert.ok(range.start >= 0 && range.end <= all.length, `seed ${seed}`);
      assert.ok(size <= range.max && size >= Math.min(all.length, range.max - range.step), `seed ${seed}: ${size}`);
    }
  }
});
