// What a room is: its id, as long as the server's ids have not begun anew. Several rooms may have one title.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Page } from './page.mjs';

/** A page in room 4, `Den`, which somebody else's room 5 is called too. */
function twoDens(options) {
  const page = new Page(options);
  page.flow();
  for (let i = 0; i < 2; i += 1) page.server.makeRoom('Den');
  page.loseAndReturn();
  page.chat.enter(4);
  page.flow();
  return page;
}

/** The server removes a room while the page is away. */
function removeAway(page, id) {
  page.server.isUp = false;
  page.server.cut(page.socket);
  page.server.endGrace();
  page.server.removeRoom(id);
  page.server.isUp = true;
}

test('rooms of one title have their own drafts and are muted by themselves', () => {
  const page = twoDens();
  page.chat.setDraft('for four');
  page.chat.mute(4, true);
  page.chat.enter(5);
  page.flow();
  assert.deepEqual([page.chat.draft(), page.chat.isMuted(4), page.chat.isMuted(5)], ['', true, false]);
  page.chat.setDraft('for five');
  page.chat.mute(5, true);
  page.chat.mute(4, false);
  page.reload().flow();
  assert.deepEqual([page.chat.draft(), page.chat.isMuted(4), page.chat.isMuted(5)], ['for five', false, true]);
  page.chat.enter(4);
  assert.equal(page.chat.draft(), 'for four');
});

test('what was written for a room that is gone never comes into another of its title', () => {
  const page = twoDens();
  removeAway(page, 4);
  page.chat.say('for four');
  page.chat.setDraft('more for four');
  page.wait(5);
  assert.deepEqual(page.record(5), []);
  assert.deepEqual([page.state.room.id, page.shown()], [4, ['for four: failed']]);
  page.chat.retry(page.state.pending[0].ref);
  page.flow();
  page.chat.enter(5);
  page.flow();
  assert.deepEqual([page.record(5), page.state.pending, page.chat.draft()], [[], [], '']);
  page.reload().flow();
  assert.deepEqual([page.state.room.id, page.record(5), page.state.pending], [5, [], []]);
});

test('what could not be said in a room that is gone is there in the one that the user makes in its place', () => {
  const page = twoDens();
  removeAway(page, 4);
  page.chat.say('for four');
  page.wait(5);
  page.chat.create('Den');
  page.flow();
  assert.deepEqual([page.state.room.id, page.shown()], [6, ['for four: failed']]);
  page.chat.retry(page.state.pending[0].ref);
  page.flow();
  assert.deepEqual([page.record(5), page.record(6)], [[], ['for four']]);
});

test('a link by title leads to the only room of that title, and to none of several', () => {
  const page = twoDens();
  page.chat.enter(1);
  page.flow();
  page.chat.open({ room: 'Den' });
  page.flow();
  assert.deepEqual([page.state.room.id, page.state.notice?.key], [1, 'no_such_room']);
  page.chat.open({ room: 5 });
  page.flow();
  assert.equal(page.state.room.id, 5);
  page.chat.open({ room: 'Room 2' });
  page.flow();
  assert.equal(page.state.room.id, 2);
});

test('a room with another title is the same room, with its draft, also after a reload', () => {
  const page = twoDens();
  page.chat.setDraft('half');
  page.chat.mute(4, true);
  page.server.cut(page.socket);
  page.chat.say('one');
  page.server.rooms.get(4).title = 'Study';
  page.wait(3);
  page.reload().flow();
  assert.deepEqual([page.record(4), page.record(5)], [['one'], []]);
  assert.deepEqual([page.state.room, page.chat.draft(), page.chat.isMuted(4)], [{ id: 4, title: 'Study' }, 'half', true]);
});

test('where ids have begun anew, a title stands for its only room, and for none of several', () => {
  for (const [titles, record] of [[['Other', 'Den'], ['one']], [['Den', 'Other', 'Den'], []]]) {
    const page = twoDens();
    page.server.cut(page.socket);
    page.chat.say('one');
    page.chat.setDraft('half');
    page.chat.mute(4, true);
    page.server.titles = titles;
    page.server.restart({ keeps: false });
    page.wait(3);
    const said = titles.map((_, i) => page.record(i + 1)).flat();
    assert.deepEqual(said, record);
    assert.deepEqual([page.state.room, page.chat.draft()], [{ id: record.length > 0 ? 2 : null, title: 'Den' }, 'half']);
    assert.deepEqual(titles.map((_, i) => page.chat.isMuted(i + 1)), titles.map(() => false).with(1, record.length > 0));
    page.reload().flow();
    assert.deepEqual([page.state.room?.id, page.record(1)], [record.length > 0 ? 2 : undefined, []]);
  }
});

test('a room that was not found when ids began anew is not the one that has its id', () => {
  const page = twoDens();
  page.server.cut(page.socket);
  page.chat.say('one');
  page.server.restart({ keeps: false });
  page.wait(3);
  page.server.makeRoom('Another');
  page.loseAndReturn();
  assert.deepEqual([page.state.room, page.state.inRoom, page.record(4)], [{ id: null, title: 'Den' }, false, []]);
  assert.deepEqual(page.shown(), ['one: failed']);
  page.reload().flow();
  page.chat.enter(4);
  page.flow();
  assert.deepEqual([page.record(4), page.state.pending], [[], []]);
  page.server.makeRoom('Den');
  page.loseAndReturn();
  page.chat.enter(5);
  assert.deepEqual(page.state.pending.map(({ text }) => text), ['one'], 'the ids have begun anew, and it is the only one');
});

test('drafts and mutes of a version that knew rooms by title are taken over', () => {
  const page = new Page({ isIdle: true });
  page.storage.session.set('drafts', [['Room 2', 'half'], ['Nowhere', 'lost room']]);
  page.storage.local.set('muted', ['Room 2', 'Nowhere']);
  page.chat.start();
  page.flow();
  page.chat.enter(2);
  page.flow();
  assert.deepEqual([page.chat.draft(), page.chat.isMuted(2), page.chat.isMuted(1)], ['half', true, false]);
  assert.deepEqual(page.storage.local.get('muted'), [{ id: 2, title: 'Room 2' }, { id: null, title: 'Nowhere' }]);
  page.chat.mute(2, false);
  page.chat.setDraft('');
  page.reload().flow();
  assert.deepEqual([page.chat.draft(), page.chat.isMuted(2)], ['', false]);
});

test('a room asked for on a connection that was lost is told from one that others had made', () => {
  const page = twoDens();
  page.chat.create('Den');
  page.server.cut(page.socket); // the request has not arrived
  page.wait(3);
  assert.deepEqual([page.state.room.id, page.server.rooms.size], [6, 6]);
});
