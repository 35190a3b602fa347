// The range of the timeline that is drawn, without a browser.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Stretch } from '../../../src/web/view/stretch.js';
import { seeded } from '../core/fake.mjs';

const entries = (from, to) => Array.from({ length: to - from }, (_, i) => ({ key: from + i }));
const keys = (stretch, all) => all.slice(stretch.start, stretch.end).map(({ key }) => key);

function at(all, index = all.length - 1) {
  const stretch = new Stretch();
  stretch.update(all);
  stretch.around(all, index);
  return stretch;
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
  const stretch = at(entries(1000, 2000), 500);
  const shown = keys(stretch, entries(1000, 2000));
  stretch.update(entries(900, 2000));
  assert.deepEqual(keys(stretch, entries(900, 2000)), shown);
  stretch.update(entries(1200, 2000));
  assert.deepEqual(keys(stretch, entries(1200, 2000)), shown);
});

test('when all its entries are gone it moves to the end', () => {
  const stretch = at(entries(0, 1000), 300);
  const other = entries(5000, 5400);
  stretch.update(other);
  assert.equal(keys(stretch, other).at(-1), 5399);
});

test('it starts with what is visible, and grows step by step in both directions', () => {
  const all = entries(0, 1000);
  const stretch = new Stretch();
  stretch.update(all);
  assert.deepEqual([stretch.start, stretch.end], [970, 1000]);
  stretch.jump(all, 20);
  assert.deepEqual([stretch.start, stretch.end], [5, 35]);
  const sizes = [];
  while (stretch.isShort) {
    const before = stretch.end - stretch.start;
    stretch.grow(all);
    sizes.push(stretch.end - stretch.start - before);
  }
  assert.deepEqual([stretch.start, stretch.end, Math.max(...sizes)], [0, 143, 12]);
  const few = new Stretch();
  few.update(entries(0, 7));
  assert.equal(few.isShort, false);
});

test('it always lies within the timeline, and is neither too long nor too short', () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const random = seeded(seed);
    const below = (bound) => Math.floor(random() * bound);
    let next = 10_000;
    let all = entries(0, below(2000));
    const stretch = at(all);
    for (let step = 0; step < 60; step += 1) {
      const fresh = () => ({ key: (next += 1) });
      const read = all[stretch.start + below(stretch.end - stretch.start)];
      [
        () => all.push(fresh()),
        () => all.unshift(...Array.from({ length: below(200) }, fresh)),
        () => all.splice(below(all.length + 1), 0, ...Array.from({ length: below(200) }, fresh)),
        () => all.splice(0, below(Math.max(1, all.indexOf(read)))),
        () => stretch.up(all),
        () => stretch.down(all),
      ][below(6)]();
      stretch.update(all);
      const index = read ? all.indexOf(read) : -1;
      stretch.cut(all, index < 0 ? all.length - 1 : index);
      while (stretch.isShort) stretch.grow(all);
      const size = stretch.end - stretch.start;
      assert.ok(stretch.start >= 0 && stretch.end <= all.length, `seed ${seed}`);
      assert.ok(size <= stretch.max && size >= Math.min(all.length, stretch.max - stretch.step), `seed ${seed}: ${size}`);
    }
  }
});
