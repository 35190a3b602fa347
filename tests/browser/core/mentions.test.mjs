// What the server counts for the page, and what it is asked for.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANNA, Page } from './page.mjs';

test('mentions are counted in the other rooms until they are entered, also over a reload', () => {
  const page = Page.inRoom();
  const { name } = page.state.me;
  const attic = page.server.titled('Room 2');
  const counts = () => [...page.state.rooms.values()].map(({ mentions }) => mentions);
  assert.deepEqual(counts(), [0, 0, 0]);
  for (const room of [page.room, attic, attic]) page.server.sayAs(ANNA, room, `Look, @${name.toUpperCase()}!`);
  page.server.sayAs(ANNA, attic, `@${name}1 is somebody else`);
  page.flow();
  assert.deepEqual(counts(), [0, 2, 0]);
  page.reload().flow();
  assert.deepEqual(counts(), [0, 2, 0]);
  page.chat.enter(2);
  page.flow();
  assert.deepEqual(counts(), [0, 0, 0]);
});

test('only what the server can do is asked for', () => {
  const page = new Page({ isIdle: true });
  page.watch();
  page.server.features = ['presence', 'users'];
  page.chat.start();
  page.flow();
  assert.deepEqual(page.types('hello'), [{ type: 'hello', features: ['presence'] }]);
  page.server.features = ['mentions', 'presence'];
  page.watch();
  page.loseAndReturn();
  assert.deepEqual(page.types('hello'), [{ type: 'hello', features: ['presence', 'mentions'] }]);
});
