// Previews of rooms: asked for now and then, of the rooms that were wanted last.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Page } from './page.mjs';

/** A page whose server knows previews or not. The server's answers do not matter here. */
function page(features = ['presence', 'previews']) {
  const it = new Page({ isIdle: true });
  it.server.features = features;
  it.watch(({ type }) => type === 'previews');
  return it;
}

const asked = (it) => it.types('previews').map(({ roomIds }) => roomIds);

test('at most one request in 3 s, and the latest rooms come first', () => {
  const it = page();
  it.chat.previews([1]);
  it.chat.previews([1, 2]);
  it.chat.start();
  it.flow();
  assert.deepEqual(asked(it), [[1, 2]], 'what was wanted waits for the connection');
  it.chat.previews([2]);
  it.chat.previews([3]);
  it.wait(2);
  assert.equal(asked(it).length, 1);
  it.wait(1);
  assert.deepEqual(asked(it), [[1, 2], [3, 2]]);
  it.wait(6);
  assert.equal(asked(it).length, 2, 'nothing is asked for by itself');
  it.chat.previews(Array.from({ length: 30 }, (_, i) => i + 1));
  it.flow();
  assert.equal(asked(it)[2].length, 20);
  it.wait(3);
  assert.deepEqual(asked(it)[3], [21, 22, 23, 24, 25, 26, 27, 28, 29, 30]);
});

test('a server without previews is not asked', () => {
  const it = page(['presence']);
  it.chat.previews([1]);
  it.chat.start();
  it.wait(5);
  assert.deepEqual(asked(it), []);
});
