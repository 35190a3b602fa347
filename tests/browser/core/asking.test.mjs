// The name before the room: nobody in a room reads any other name than the one that was chosen.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Page } from './page.mjs';

/** A first visit, by a link to room 1. Returns the page and the requests that it makes. */
function visit({ answer, hasLink = true } = {}) {
  const page = new Page({ isIdle: true, asksName: true });
  const asked = page.watch(answer);
  if (hasLink) page.chat.open({ room: 1 });
  page.chat.start();
  page.flow();
  return { page, asked };
}

const told = (asked) => asked.map(({ type }) => type).filter((type) => type === 'change_name' || type === 'enter_room');

test('a link is followed once the name is chosen, and the name is sent first', () => {
  const { page, asked } = visit();
  assert.deepEqual(page.state.asking, { link: { room: 1 }, isInvited: true });
  assert.deepEqual(told(asked), []);
  assert.equal(page.state.room, null);
  page.chat.rename('Anna');
  page.flow();
  assert.deepEqual(told(asked), ['change_name', 'enter_room']);
  assert.equal(page.state.asking, null);
  assert.equal(page.state.inRoom, true);
});

test('whoever wants no name enters without one, and is not asked again', () => {
  const { page, asked } = visit();
  page.chat.rename('');
  page.flow();
  assert.deepEqual(told(asked), ['enter_room']);
  page.chat.enter(2);
  page.flow();
  assert.equal(page.state.asking, null);
  assert.equal(page.state.room.id, 2);
});

test('a name that is chosen before the connection is there goes out before the room is entered', () => {
  const page = new Page({ isIdle: true, asksName: true });
  const asked = page.watch();
  page.chat.open({ room: 1 });
  page.chat.start();
  page.chat.rename('Anna');
  assert.equal(page.state.asking.isAnswered, true);
  page.flow();
  assert.deepEqual(told(asked), ['change_name', 'enter_room']);
});

test('a refused name is asked for again, before anything is entered', () => {
  let isRefused = true;
  const answer = ({ type }) => (type === 'change_name' && isRefused ? { code: 'bad_name', message: 'no' } : undefined);
  const { page, asked } = visit({ answer });
  page.chat.rename('bell\u0007');
  page.flow();
  assert.deepEqual(told(asked), ['change_name']);
  assert.deepEqual(page.state.asking, { link: { room: 1 }, isInvited: true });
  isRefused = false;
  page.chat.rename('Anna');
  page.flow();
  assert.deepEqual(told(asked), ['change_name', 'change_name', 'enter_room']);
});

test('a room that is chosen or made waits for the name as well', () => {
  for (const [act, type] of [[(chat) => chat.enter(1), 'enter_room'], [(chat) => chat.create('Garden'), 'create_room']]) {
    const { page, asked } = visit({ hasLink: false });
    act(page.chat);
    page.flow();
    assert.equal(page.state.asking.isInvited, false);
    assert.equal(page.types(type).length, 0);
    page.chat.rename('Anna');
    page.flow();
    assert.equal(page.types(type).length, 1);
    assert.ok(asked.findIndex((one) => one.type === 'change_name') < asked.findIndex((one) => one.type === type));
  }
});
