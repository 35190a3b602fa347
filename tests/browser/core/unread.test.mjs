// What is unread in a room, and where one begins to read, however much was said meanwhile.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANNA, BEN, Page } from './page.mjs';

/** A page in room 2, which has read room 1 up to message 100; then `count` more were said there. */
function awayFrom(count, { isReloaded = true } = {}) {
  const page = new Page();
  for (let i = 1; i <= 100; i += 1) page.server.sayAs(ANNA, page.room, `${i}`);
  page.flow();
  page.chat.enter(1);
  page.flow();
  page.chat.setWatching(true);
  page.chat.enter(2);
  page.flow();
  for (let i = 101; i <= 100 + count; i += 1) page.server.sayAs(ANNA, page.room, `${i}`);
  page.flow();
  if (isReloaded) page.reload().flow();
  return page;
}

const seqs = ({ state }) => state.timeline.entries.map(({ seq, kind }) => seq ?? kind);

for (const count of [30, 130, 900]) {
  for (const isReloaded of [true, false]) {
    const where = isReloaded ? 'with nothing in memory' : 'with the read ones in memory';
    test(`${count} unread, ${where}: the first of them and those before it are loaded`, () => {
      const page = awayFrom(count, { isReloaded });
      if (!isReloaded) page.server.frameEvents = 50;
      assert.equal(page.state.unread(1), count);
      page.chat.enter(1);
      page.flow();
      const { state } = page;
      assert.deepEqual([state.divider, state.landing, state.seeking], [100, true, null]);
      const shown = seqs(page);
      for (const seq of [91, 100, 101, 105]) assert.ok(shown.includes(seq), `${seq} of ${shown}`);
      assert.equal(state.unread(1), count, 'those that are not here count too');
      page.chat.landed();
      page.chat.see(110);
      assert.equal(state.unread(1), count - 10);
      page.chat.enter(3);
      page.flow();
      assert.equal(state.unread(1), count - 10, 'left half-way');
      page.reload().flow();
      page.chat.enter(1);
      page.flow();
      assert.equal(page.state.divider, 110);
    });
  }
}

test('the gap below the first unread fills from its beginning, and from its end', () => {
  const page = awayFrom(900);
  page.chat.enter(1);
  page.flow();
  const gap = () => page.state.timeline.entries.find(({ kind }) => kind === 'gap');
  const { after, before } = gap();
  page.watch();
  page.chat.loadGap(gap(), { isFromStart: true });
  page.flow();
  assert.deepEqual(page.types('history').map((asked) => [asked.after, asked.before]), [[after, undefined]]);
  assert.deepEqual([gap().after, gap().before, gap().status], [after + 100, before, 'open']);
  page.chat.loadGap(gap());
  page.flow();
  assert.deepEqual([gap().after, gap().before, gap().status], [after + 100, before - 100, 'open']);
  for (let i = 0; i < 8 && gap(); i += 1) {
    page.chat.loadGap(gap(), { isFromStart: true });
    page.flow();
  }
  assert.equal(gap(), undefined);
  assert.equal(page.state.unread(1), 900);
});

test('a gap whose beginning the server no longer has ends there', () => {
  const page = awayFrom(400);
  page.chat.enter(1);
  page.flow();
  page.server.prune(page.room, 250);
  const gap = () => page.state.timeline.entries.filter(({ kind }) => kind === 'gap');
  page.chat.loadGap(gap()[0], { isFromStart: true });
  page.flow();
  assert.deepEqual(gap().map(({ before, status }) => [before, status]), [[250, 'gone'], [451, 'open']]);
});

test('first unread ones that the server no longer has are not searched again', () => {
  const page = awayFrom(400);
  page.server.prune(page.room, 300);
  page.chat.enter(1);
  page.watch();
  page.flow();
  assert.equal(page.state.seeking, null);
  assert.equal(page.types('history').length, 1);
  assert.equal(seqs(page)[0], 300);
  assert.equal(page.state.timeline.hasOlder, false);
});

test('who is in the room and misses messages begins with the first of them after a reconnect', () => {
  const page = Page.inRoom();
  page.chat.setWatching(true);
  page.server.sayAs(ANNA, page.room, 'seen');
  page.flow();
  page.server.cut(page.socket);
  for (let i = 0; i < 130; i += 1) page.server.sayAs(ANNA, page.room, `missed ${i}`);
  page.wait(2);
  assert.deepEqual([page.state.divider, page.state.landing, page.state.isWatching], [1, true, false]);
  assert.equal(page.state.unread(1), 130);
  page.chat.landed();
  page.chat.see(60);
  // Lost again half-way: the divider stays where one began to read.
  page.loseAndReturn();
  assert.deepEqual([page.state.divider, page.state.unread(1)], [1, 71]);
  page.chat.setWatching(true);
  assert.equal(page.state.unread(1), 0);
});

test('mentions in other rooms are told when there are more, and those that were left unread stay', () => {
  const page = Page.inRoom();
  page.chat.rename('Mira');
  page.flow();
  const told = [];
  page.chat.onMention(({ title }) => told.push(title));
  const changed = (id, mentions) => {
    const { title, lastSeq: seq } = page.server.rooms.get(id);
    page.server.push(page.socket, { type: 'room_changed', room: { id, title, userCount: 1, seq, ...(mentions && { mentions }) } });
    page.flow();
  };
  changed(2, 1);
  changed(2, 1);
  changed(2, 3);
  assert.deepEqual([told, page.state.mentions(2), page.state.mentions(3)], [['Room 2', 'Room 2'], 3, 0]);
  page.chat.enter(2);
  page.flow();
  assert.equal(page.state.mentions(2), 0, 'whoever enters has heard');
  assert.equal(told.length, 2);
  changed(2, 0);
  assert.equal(page.state.mentions(2), 0);
});

test('mentions below what was read count until they are seen, also from another room', () => {
  const page = new Page({ isMentioned: (text, name) => text.includes(`@${name}`) });
  page.flow();
  page.chat.enter(1);
  page.flow();
  page.chat.setWatching(true);
  page.chat.setWatching(false);
  const { name } = page.state.me;
  for (const text of ['one', `@${name} two`, 'three', `@${name} four`]) page.server.sayAs(ANNA, page.room, text);
  page.flow();
  assert.deepEqual([page.state.mentions(1), page.state.unread(1)], [2, 4]);
  page.chat.see(2);
  assert.deepEqual([page.state.mentions(1), page.state.unread(1)], [1, 2]);
  page.chat.enter(2);
  page.flow();
  assert.deepEqual([page.state.mentions(1), page.state.unread(1)], [1, 2]);
  page.chat.enter(1);
  page.flow();
  page.chat.setWatching(true);
  assert.deepEqual([page.state.mentions(1), page.state.unread(1)], [0, 0]);
});

test('a link to a message is where one begins, whatever is unread', () => {
  const page = awayFrom(130);
  page.chat.open({ room: 1, seq: 20 });
  page.flow();
  assert.deepEqual([page.state.target, page.state.landing, page.state.seeking], [{ seq: 20 }, false, null]);
});

test('a connection that is lost while the first unread is searched does not end the search', () => {
  const page = awayFrom(400);
  page.chat.enter(1);
  page.watch(({ type }) => type === 'history' || undefined);
  page.flow();
  assert.equal(page.state.seeking, 101);
  page.watch();
  page.loseAndReturn();
  assert.equal(page.state.seeking, null);
  assert.ok(seqs(page).includes(101));
});

test('unread: in a room read before, and in the current room while nobody looks', () => {
  const page = Page.inRoom();
  page.chat.setWatching(true);
  const other = page.server.rooms.get(2);
  page.server.sayAs(ANNA, other, 'before');
  page.server.sayAs(ANNA, page.room, 'seen');
  page.flow();
  assert.deepEqual([page.state.unread(1), page.state.unread(2)], [0, 0], 'room 2 was never read');
  page.chat.enter(2);
  page.flow();
  for (let i = 0; i < 3; i += 1) page.server.sayAs(ANNA, page.room, `m${i}`);
  page.flow();
  assert.deepEqual([page.state.unread(1), page.state.unread(2)], [3, 0]);
  page.reload().flow();
  assert.equal(page.state.unread(1), 3);
  page.chat.setWatching(true);
  page.chat.enter(1);
  assert.equal(page.state.unread(1), 3, 'until they are seen');
  page.flow();
  assert.deepEqual([page.state.unread(1), page.state.divider, page.state.landing], [3, 1, true]);
  page.chat.landed();
  page.chat.see(3);
  assert.deepEqual([page.state.unread(1), page.state.divider], [1, 1]);
  page.chat.see(2);
  page.chat.setWatching(false);
  assert.deepEqual([page.state.unread(1), page.state.divider], [1, 1], 'not all has been read');
  page.chat.setWatching(true);
  assert.deepEqual([page.state.unread(1), page.state.divider], [0, 1]);
  page.chat.setWatching(false);
  assert.equal(page.state.divider, 4);
  page.server.sayAs(ANNA, page.room, 'unseen');
  page.chat.say('mine');
  page.server.sayAs(BEN, page.room, 'unseen');
  page.flow();
  assert.deepEqual([page.state.unread(1), page.state.divider], [2, 4]);
  page.chat.setWatching(true);
  assert.deepEqual([page.state.unread(1), page.state.divider], [0, 4]);
  page.chat.setWatching(false);
  page.chat.setWatching(true);
  assert.equal(page.state.divider, null);
});

test('numbers that the server gives again, after it has lost messages, are not read', () => {
  const page = awayFrom(0);
  page.server.loseTail(10);
  page.wait(10);
  page.chat.enter(1);
  page.flow();
  page.chat.setWatching(true);
  page.chat.enter(2);
  page.flow();
  for (let i = 1; i <= 5; i += 1) page.server.sayAs(ANNA, page.room, `again ${i}`);
  page.flow();
  assert.equal(page.state.unread(1), 5);
  page.reload().flow();
  assert.equal(page.state.unread(1), 5);
});

test('mentions of a history that is lost are not told any more', () => {
  const page = Page.inRoom({ isMentioned: (text, name) => text.includes(`@${name}`) });
  page.chat.setWatching(true);
  page.chat.setWatching(false);
  page.server.sayAs(ANNA, page.room, `@${page.state.me.name} are you there?`);
  page.flow();
  page.chat.enter(2);
  page.flow();
  const before = page.state.mentions(1);
  page.server.restart({ keeps: false });
  page.wait(10);
  assert.equal(page.state.phase, 'online');
  assert.deepEqual([before, page.state.mentions(1), page.state.unread(1)], [1, 0, 0]);
});
