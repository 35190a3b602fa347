// What clients ask for, step by step, so that every frame of wschat.v2 comes. Used by schema.test.mjs.

import assert from 'node:assert/strict';
import { MALFORMED, MALFORMED_V2 } from './malformed.mjs';

export const V2 = ['wschat.v2'];
export const MANY_ROOMS = Array.from({ length: 8 }, (_, index) => `Room ${index + 1}`);

/** Lists the rooms, creates one, and enters it. Returns its snapshot. */
export async function enterNewRoom(vera) {
  assert.deepEqual([vera.welcome.resumed, vera.welcome.server.name], [false, 'wschat']);
  vera.ask({ type: 'change_name', name: 'Vera' });
  assert.equal('roomId' in await vera.until('change_name'), false);
  vera.ask({ type: 'list_rooms', ref: 'list' });
  const list = await vera.until('list_rooms');
  assert.deepEqual([list.ref, list.rooms[1].userCount, list.rooms[1].seq], ['list', 0, 0]);

  vera.ask({ type: 'create_room', title: 'Attic', ref: 'make' });
  const added = await vera.until('room_added', ({ ref }) => ref === 'make');
  assert.deepEqual(added.room, { id: 4, title: 'Attic', userCount: 0, seq: 0 });
  vera.ask({ type: 'enter_room', roomId: '4', ref: 'in' });
  const room = await vera.until('room');
  assert.deepEqual([room.ref, room.seq, room.complete, room.events], ['in', 0, true, []]);
  await vera.until('room_changed', (changed) => changed.room.id === 4 && changed.room.userCount === 1);
  return room;
}

/** Says five things, one of them twice. Returns the events. */
export async function sayFive(vera) {
  for (const ref of ['one', 'two', 'three']) vera.ask({ type: 'text', text: `text ${ref}`, ref });
  vera.ask({ type: 'gif', gifId: '2', ref: 'four' });
  vera.ask({ type: 'text', text: 'without' });
  vera.ask({ type: 'text', text: 'again', ref: 'one' });
  const said = [];
  for (let seq = 1; seq <= 5; seq += 1) said.push(await vera.until(seq === 4 ? 'gif' : 'text'));
  assert.deepEqual(said.map(({ seq }) => seq), [1, 2, 3, 4, 5]);
  assert.deepEqual(said.map(({ ref }) => ref), ['one', 'two', 'three', 'four', undefined]);
  assert.deepEqual(await vera.until('text'), said[0]);
  await vera.until('room_changed', (changed) => changed.room.id === 4 && changed.room.seq === 5);
  return said;
}

export async function typeAndRename(vera, willi) {
  willi.ask({ type: 'typing', roomId: 4, ref: 'types' });
  assert.equal((await willi.until('typing')).ref, 'types');
  const { user, roomId, ref } = await vera.until('typing');
  assert.deepEqual([user.id, roomId, ref], [willi.id, 4, undefined]);
  vera.ask({ type: 'change_name', name: 'Vera V.', ref: 'name' });
  assert.equal((await willi.until('change_name')).roomId, 4);
  assert.equal((await vera.until('change_name')).ref, 'name');
}

export async function readHistory(vera, said) {
  vera.ask({ type: 'history', roomId: 4, ref: 'newest' });
  const newest = await vera.until('history');
  assert.deepEqual([newest.ref, newest.more, newest.events], ['newest', false, said]);
  vera.ask({ type: 'history', roomId: '4', before: 4, limit: 2 });
  const page = await vera.until('history');
  assert.deepEqual([page.more, page.newer, page.events], [true, true, said.slice(1, 3)]);
  vera.ask({ type: 'history', roomId: 4, after: 1, limit: 2, maxBytes: '4096' });
  const after = await vera.until('history');
  assert.deepEqual([after.more, after.newer, after.events], [true, true, said.slice(1, 3)]);
  vera.ask({ type: 'history', roomId: 4, around: 3, limit: 3 });
  const around = await vera.until('history');
  assert.deepEqual([around.more, around.newer, around.events], [true, true, said.slice(1, 4)]);
}

/** Says hello, pages through the users, and is told who is away. */
export async function followPresence(vera, connect) {
  vera.ask({ type: 'hello', features: ['presence', 'telepathy'], maxFrameBytes: 4096, ref: 'hello' });
  const hello = await vera.until('hello');
  assert.deepEqual([hello.ref, hello.features, hello.maxFrameBytes], ['hello', ['presence'], 4096]);
  const xaver = await connect(V2);
  xaver.ask({ type: 'enter_room', roomId: 4 });
  await xaver.until('room');
  vera.ask({ type: 'users', roomId: 4, limit: 2, ref: 'users' });
  const users = await vera.until('users');
  assert.deepEqual([users.ref, users.users.length, users.userCount, users.more], ['users', 2, 3, true]);
  xaver.socket.terminate();
  const { users: changed } = await vera.until('presence');
  assert.deepEqual(changed, [{ id: xaver.id, away: true }]);
  vera.ask({ type: 'users', roomId: '4', after: users.users[1].id });
  assert.deepEqual((await vera.until('users')).users.map(({ id, away }) => [id, away]), [[xaver.id, true]]);
  vera.ask({ type: 'list_rooms', after: 3 });
  assert.deepEqual(Object.keys((await vera.until('list_rooms')).rooms), ['4']);
  vera.ask({ type: 'enter_room', roomId: 4 });
  const room = await vera.until('room');
  assert.deepEqual([room.userCount, room.users[2].away], [3, true]);
  const back = await connect([...V2, `session.${xaver.welcome.session}`]);
  assert.deepEqual((await vera.until('presence')).users, [{ id: xaver.id, away: false }]);
  back.ask({ type: 'text', text: 'before entering', ref: 'early' });
  assert.equal((await back.until('text')).ref, 'early');
  await vera.until('text');
  back.ask({ type: 'leave_room', roomId: 4, ref: 'out' });
  assert.equal((await back.until('leave_room')).ref, 'out');
  await vera.until('leave_room');
}

/** Leaves and returns: with what the client has, with a `seq` that never was, and with another epoch. */
export async function leaveAndReturn(vera, willi, room, said) {
  willi.ask({ type: 'leave_room', ref: 'out' });
  await willi.until('leave_room');
  await vera.until('leave_room');
  const since = { epoch: room.epoch, seq: 3 };
  for (const [asked, complete, events] of [
    [since, true, said.slice(3)],
    [{ ...since, time: said[2].time, rev: 0 }, true, said.slice(3)],
    [{ ...since, time: said[2].time + 1 }, false, said],
    [{ epoch: room.epoch, seq: 6 }, false, said],
    [{ epoch: 'another', seq: 3 }, false, said],
  ]) {
    willi.ask({ type: 'enter_room', roomId: 4, since: asked, ref: 'back' });
    const back = await willi.until('room');
    assert.deepEqual([back.complete, back.events, back.seq], [complete, events, 5]);
    assert.equal(back.reset, complete ? undefined : true);
    willi.ask({ type: 'leave_room' });
    await willi.until('leave_room');
  }
}

/** Every refusal, each with the `ref` of its request. */
export async function beRefused(vera, willi) {
  willi.ask({ type: 'text', text: 'in no room', ref: 'e1' });
  await willi.refused('not_in_room', 'e1');
  willi.ask({ type: 'text', text: 'in another room', roomId: 4, ref: 'e0' });
  await willi.refused('not_in_room', 'e0');
  willi.ask({ type: 'typing', ref: 'e2' });
  await willi.refused('not_in_room', 'e2');
  willi.ask({ type: 'enter_room', roomId: 99, ref: 'e3' });
  await willi.refused('unknown_room', 'e3');
  willi.ask({ type: 'history', roomId: 99, ref: 'e4' });
  await willi.refused('unknown_room', 'e4');
  willi.ask({ type: 'change_name', name: '\u0007', ref: 'e5' });
  await willi.refused('bad_name', 'e5');
  willi.ask({ type: 'create_room', title: '', ref: 'e6' });
  await willi.refused('bad_title', 'e6');
  willi.ask({ type: 'create_room', title: 'One more', ref: 'e7' });
  await willi.refused('too_many_rooms', 'e7');
  willi.ask({ type: 'create_room', title: 'One more', ref: 'e8' });
  await willi.refused('too_many_rooms', 'e8');
  // She has created a room already.
  vera.ask({ type: 'create_room', title: 'One more', ref: 'e9' });
  const { code, ref } = await vera.until('error');
  assert.deepEqual([code, ref], ['rate_limited', 'e9']);
  willi.sendWrong('{"type":"dance","ref":"e10"}');
  await willi.refused('unknown_type', 'e10');
  willi.sendWrong('{"type":"gif","ref":"e11"}');
  await willi.refused('bad_request', 'e11');
  for (const [request, code] of [...MALFORMED, ...MALFORMED_V2]) {
    willi.sendWrong(request);
    await willi.refused(code);
  }
}

/** The created room disappears when it is empty. */
export async function emptyTheRoom(vera) {
  vera.ask({ type: 'enter_room', roomId: 1 });
  await vera.until('leave_room');
  vera.ask({ type: 'text', text: '', ref: 'e12' });
  await vera.until('room');
  for (;;) {
    const frame = await vera.nextFrame();
    if (frame.type === 'room_changed') continue;
    assert.deepEqual([frame.code, frame.ref], ['bad_text', 'e12']);
    break;
  }
  assert.equal((await vera.until('room_removed')).roomId, 4);
}

/** Asks who is in rooms and what was said last: something long, something else, and more than fits. */
export async function lookAtRooms(vera) {
  const ids = MANY_ROOMS.map((_, index) => index + 1);
  for (const id of ids) {
    vera.ask({ type: 'enter_room', roomId: id });
    await vera.until('room');
    vera.ask({ type: 'text', text: `${'👋'.repeat(200)}!` });
    await vera.until('text');
  }
  vera.ask({ type: 'gif', gifId: 7 });
  await vera.until('gif');
  vera.ask({ type: 'previews', roomIds: ['8', 99, 1, 8], ref: 'look' });
  const { ref, previews, more } = await vera.until('previews');
  assert.deepEqual([ref, previews.map(({ roomId }) => roomId), more], ['look', [8, 1], undefined]);
  assert.deepEqual([previews[0].userCount, previews[0].users, previews[0].last.gifId], [1, [vera.welcome.user], 7]);
  const { text, cut, seq } = previews[1].last;
  assert.deepEqual([previews[1].users, text, cut, seq], [[], '👋'.repeat(200), true, 1]);
  vera.ask({ type: 'hello', maxFrameBytes: 4096 });
  await vera.until('hello');
  vera.ask({ type: 'previews', roomIds: ids });
  const part = await vera.until('previews');
  assert.deepEqual([part.previews.map(({ roomId }) => roomId), part.more], [[1, 2, 3, 4], true]);
}

/** Vera mentions Willi, who is in no room. */
export async function mention(vera, willi) {
  willi.ask({ type: 'hello', features: ['mentions'] });
  assert.deepEqual((await willi.until('hello')).features, ['mentions']);
  willi.ask({ type: 'list_rooms' });
  await willi.until('list_rooms');
  vera.ask({ type: 'enter_room', roomId: 1 });
  await vera.until('room');
  vera.ask({ type: 'text', text: `@${willi.welcome.user.name}, where are you?` });
  await willi.until('room_changed', ({ room }) => room.id === 1 && room.mentions === 1);
  willi.ask({ type: 'list_rooms', after: 0 });
  assert.equal((await willi.until('list_rooms')).rooms[1].mentions, 1);
}
