// The page's modules without a browser: what it makes of frames, refusals and lost connections.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Chat } from '../../src/web/chat.js';
import { backoffMs } from '../../src/web/connection.js';
import { State } from '../../src/web/state.js';

/** A chat with ourselves as user 1 in room 1 beside 2 and 3, and all that it sent and gave back. */
function chatInRoom({ names = { 1: 'Me', 2: 'Anna', 3: 'Ben' }, remembered = null } = {}) {
  const state = new State();
  const made = { state, sent: [], givenBack: [], remembered };
  made.chat = new Chat({
    state,
    send: (request) => made.sent.push(request) > 0,
    memory: { load: () => made.remembered, save: (name) => { made.remembered = name; } },
    view: { changed() {}, giveBack: (text) => made.givenBack.push(text), created() {} },
  });
  made.receive = (...frames) => frames.forEach((frame) => made.chat.receive(frame));
  made.greet = (id) => made.receive({ type: 'welcome', user: { id, name: `User ${id}` } });
  made.list = (titles, users = {}) => {
    const rooms = Object.entries(titles).map(([id, title]) => [id, { id: Number(id), title, users: users[id] ?? {} }]);
    made.receive({ type: 'list_rooms', rooms: Object.fromEntries(rooms) });
  };
  made.greet(1);
  const users = Object.fromEntries(Object.entries(names).map(([id, name]) => [id, { id: Number(id), name }]));
  made.list({ 1: 'Room 1', 2: 'Room 2' }, { 1: users });
  made.sent.length = 0;
  return made;
}

const echo = (text) => ({ type: 'text', text, from: { id: 1, name: 'Me' } });
const refusal = (code) => ({ type: 'error', code, message: `No: ${code}.` });

test('the wait doubles up to half a minute, and chance takes up to half of it', () => {
  const longest = [0, 1, 2, 3, 4, 5, 6, 7, 1000].map((attempt) => backoffMs(attempt, () => 1));
  assert.deepEqual(longest, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
  assert.equal(backoffMs(3, () => 0), 2000);
});

test('a text waits for the one before it, and a refusal gives both back', () => {
  const { chat, receive, sent, givenBack, state } = chatInRoom();
  assert.ok(chat.say('one') && chat.say('two') && chat.say('three'));
  assert.deepEqual(sent, [{ type: 'text', text: 'one' }]);
  receive(echo('one'));
  assert.deepEqual(sent.at(-1), { type: 'text', text: 'two' });
  receive(refusal('bad_text'));
  assert.deepEqual(givenBack, ['two\nthree']);
  assert.equal(state.notice, 'No: bad_text.');
  chat.say('four');
  assert.deepEqual(sent.at(-1), { type: 'text', text: 'four' });
});

test('what was on its way when the connection was lost goes back to its writer', () => {
  const { chat, givenBack } = chatInRoom();
  chat.say('on its way');
  chat.lost('');
  assert.deepEqual(givenBack, ['on its way']);
  assert.equal(chat.say('while away'), false);
});

test('of two members of one name nobody is renamed by guess: the list is asked for', () => {
  const { receive, state } = chatInRoom({ names: { 1: 'Me', 2: 'Twin', 3: 'Twin' } });
  receive({ type: 'change_name', oldName: 'Twin', newName: 'Tom' });
  assert.deepEqual([...state.members.values()], ['Me', 'Twin', 'Twin']);
  assert.ok(state.stale);
});

test('a namesake who is renamed does not rename us', () => {
  const { chat, receive, state } = chatInRoom({ names: { 1: 'Me', 2: 'Me', 3: 'Ben' } });
  receive({ type: 'change_name', oldName: 'Me', newName: 'Anna' });
  assert.deepEqual([state.me.name, state.members.get(2)], ['Me', 'Anna']);
  chat.rename('Mia');
  receive({ type: 'change_name', oldName: 'Me', newName: 'Mia' });
  assert.deepEqual([state.me.name, state.members.get(1)], ['Mia', 'Mia']);
});

test('a refused name is not remembered', () => {
  const made = chatInRoom({ remembered: 'Anna' });
  made.chat.rename('bad');
  assert.equal(made.remembered, 'bad');
  made.receive(refusal('bad_name'));
  assert.equal(made.remembered, 'Anna');
  made.chat.lost('');
  made.greet(5);
  assert.deepEqual(made.sent.at(-2), { type: 'change_name', name: 'Anna' });
  made.receive(refusal('bad_name'));
  assert.equal(made.remembered, null);
});

test('after a reconnect the room is found again by its title', () => {
  const { chat, greet, list, sent, state, receive } = chatInRoom();
  chat.lost('server stopping');
  assert.equal(state.lostReason, 'server stopping');
  greet(7);
  list({ 1: 'Another', 2: 'Room 2', 5: 'Room 1' });
  assert.deepEqual(sent.at(-1), { type: 'enter_room', roomId: 5 });
  receive({ type: 'enter_room', user: { id: 7, name: 'User 7' } });
  assert.deepEqual([state.room, state.inRoom], [{ id: 5, title: 'Room 1' }, true]);
});

test('a room that is gone is not entered again', () => {
  const { chat, greet, list, sent, state } = chatInRoom();
  chat.lost('');
  greet(7);
  list({ 1: 'Another' });
  assert.deepEqual(sent.at(-1), { type: 'list_rooms' });
  assert.equal(state.room, null);
  assert.match(state.notice, /Room 1.*gone/);
});

test('to another room: what follows is told of the new one', () => {
  const { chat, receive, state } = chatInRoom();
  const me = { id: 1, name: 'Me' };
  chat.enter(2);
  receive({ type: 'leave_room', user: me });
  assert.equal(state.room.title, 'Room 1');
  receive({ type: 'enter_room', user: me });
  assert.deepEqual([state.room.title, state.inRoom, state.entries.length], ['Room 2', true, 1]);
  assert.deepEqual([...state.members], [[1, 'Me']]);
});

test('a refused entry leaves us where we are', () => {
  const { chat, receive, state } = chatInRoom();
  chat.enter(2);
  receive(refusal('unknown_room'));
  assert.deepEqual([state.room.title, state.inRoom, state.entering], ['Room 1', true, null]);
});

test('a frame of an unknown type is ignored', () => {
  const { receive, state } = chatInRoom();
  receive({ type: 'from the future' });
  assert.equal(state.entries.length, 0);
});
