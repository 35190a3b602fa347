// Finding rooms by their titles, and their order, without a browser.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { filter, find, matchOf } from '../../../src/web/view/filter.js';
import { RoomSorting, byActivity } from '../../../src/web/view/sorting.js';

const rooms = (...titles) => titles.map((title, index) => ({ id: index + 1, title }));
const titles = (list) => list.map(({ title }) => title);

test('case and accents do not matter, and all words must be there', () => {
  assert.deepEqual(titles(filter(rooms('Crème brûlée', 'CREAM', 'Café'), 'creme')), ['Crème brûlée']);
  assert.deepEqual(titles(filter(rooms('Garden', 'Rose garden', 'Roses'), 'ROSE gar')), ['Rose garden']);
  assert.deepEqual(titles(filter(rooms('中文室', '日本'), '中')), ['中文室']);
  assert.equal(filter(rooms('a', 'b'), '  ').length, 2);
  assert.equal(matchOf('Garden', 'x'), null);
});

test('the whole title comes before its beginning, that before a word, and that before any part', () => {
  const list = rooms('underneath', 'The neat one', 'Neatly done', 'neat');
  assert.deepEqual(titles(find(list, 'neat')), ['neat', 'Neatly done', 'The neat one', 'underneath']);
  assert.deepEqual(titles(find(rooms('b room', 'a room'), 'room')), ['b room', 'a room'], 'equals keep their order');
});

test('rooms by name have numbers in their order, and by activity the latest first', () => {
  const kept = new Map();
  const storage = { get: (key) => kept.get(key) ?? null, set: (key, value) => kept.set(key, value) };
  const sorting = new RoomSorting(storage, 'en');
  const list = rooms('Room 10', 'Room 2', 'älter', 'Zebra');
  const active = { 2: 500, 4: 900 };
  const state = { rooms: new Map(list.map((room) => [room.id, room])), activeAt: (id) => active[id] ?? 0 };
  assert.deepEqual(titles(sorting.sorted(state)), ['Room 10', 'Room 2', 'älter', 'Zebra']);
  sorting.by = 'name';
  assert.deepEqual(titles(sorting.sorted(state)), ['älter', 'Room 2', 'Room 10', 'Zebra']);
  state.rooms.set(5, { id: 5, title: 'Bees' });
  assert.equal(sorting.sorted(state)[1].title, 'Bees');
  assert.equal(new RoomSorting(storage, 'en').by, 'name');
  kept.set('sort', 'by moon');
  assert.equal(sorting.by, 'order');
  const said = list.map((room) => ({ ...room, seq: room.id === 3 ? 7 : 0 }));
  assert.deepEqual(titles(byActivity(said, state)), ['Zebra', 'Room 2', 'älter', 'Room 10']);
});
