// What the page knows of the owner: without a page of its own, what is built in; and what it is told later.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { owner, refresh, subscribe } from '../../../src/web/core/owner.js';

test('a change is told once, and a server that does not answer changes nothing', async () => {
  const told = [];
  const unsubscribe = subscribe(() => told.push(owner().title));
  assert.equal(owner().title, 'wschat');
  assert.equal(owner().language, null);
  await refresh(async () => ({ title: 'Pond' }));
  assert.equal(owner().icon, 'icon.svg', 'what is not told is as built in');
  await refresh(async () => ({ title: 'Pond', language: null }));
  assert.deepEqual(told, ['Pond']);
  await refresh(async () => { throw new Error('no network'); });
  for (const strange of [null, {}, { error: 'not found' }, 'text', []]) await refresh(async () => strange);
  assert.deepEqual(told, ['Pond']);
  await refresh(async () => ({ title: 'Pond', style: 'owner.css?1' }));
  assert.deepEqual(told, ['Pond', 'Pond']);
  unsubscribe();
  await refresh(async () => ({ title: 'Lake' }));
  assert.equal(told.length, 2);
  assert.equal(owner().title, 'Lake');
});
