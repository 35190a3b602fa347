// People in the order of their names, while they come, go and change names.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NameOrder } from '../../../src/web/view/order.js';
import { seeded } from '../core/seeded.mjs';

const names = (list) => list.map(({ name }) => name);

test('by name as the language has it, and by number', () => {
  const order = new NameOrder('de');
  const people = new Map([[1, 'Zoë'], [2, 'öl'], [3, 'Guest 10'], [4, 'Guest 9'], [5, 'ada'], [6, 'Otto']]);
  assert.deepEqual(names(order.update(people)), ['ada', 'Guest 9', 'Guest 10', 'öl', 'Otto', 'Zoë']);
});

test('nothing has changed: the same list', () => {
  const order = new NameOrder('en');
  const people = new Map([[1, 'b'], [2, 'a']]);
  assert.equal(order.update(people), order.update(new Map(people)));
});

test('however people come and go, the order is that of sorting anew', () => {
  const random = seeded(14);
  const order = new NameOrder('en');
  const people = new Map();
  for (let round = 0; round < 300; round += 1) {
    const changes = round % 10 === 0 ? 200 : 5;
    for (let i = 0; i < changes; i += 1) {
      const id = Math.floor(random() * 400);
      if (random() < 0.4) people.delete(id);
      else people.set(id, `Name ${Math.floor(random() * 50)}`);
    }
    assert.deepEqual(order.update(people), new NameOrder('en').update(people));
  }
});
