// A stranger's first ten minutes, and the next day: opens a link, names herself, writes, mentions, misses a mention and
// finds it, makes a room, invites somebody, and comes back. In two languages, with the mouse and on a phone.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PHONE, stage } from './browser.mjs';
import { Guest } from './crowd.mjs';
import { Mouse, Touch } from './hands.mjs';
import { Visitor, Words } from './moves.mjs';
import { PATIENT, Talker } from './talker.mjs';

const SETTINGS = { rooms: ['Lobby', 'Garden', 'Kitchen'], limits: { ...PATIENT.limits, resumeGraceSeconds: 1 } };
const GARDEN = 2;
const DEVICES = {
  'on a desktop': [Mouse, { viewport: { width: 1440, height: 900 } }],
  'on a phone': [Touch, PHONE],
};
const visit = stage();

/** Somebody in the room who notes what the others there do. */
async function neighbour(server) {
  const tom = await Guest.connect(server.socketUrl, 'Tom');
  await tom.enter(GARDEN);
  return tom;
}

const isMove = (type, name) => (frame) => frame.type === type && frame.user?.name === name;

/** From the link to the first words: nobody reads the name that she had before she had one. */
async function arrives(does, tom) {
  const came = tom.heard(({ type }) => type === 'enter_room');
  await does.nameOneself('Mira');
  await does.isIn('Garden');
  assert.equal((await came).user.name, 'Mira');
  const heard = tom.heard(({ text }) => text === 'Is this the garden?');
  await does.say('Is this the garden?');
  assert.equal((await heard).from.name, 'Mira');
  const mentioned = tom.heard(({ text }) => text?.startsWith('@Tom'));
  await does.mention('Tom', 'what grows here?');
  await mentioned;
}

/** She is in another room when somebody writes to her. */
async function findsMention(does, tom) {
  await does.enter('Kitchen');
  await tom.say('Beans');
  await tom.say('@Mira and pumpkins, look!');
  await does.toRooms();
  await does.hand.reads(does.room('Garden'), does.words.pattern('room_unread', { count: 2 }));
  await does.enter('Garden');
  await does.hand.reads(does.log, 'and pumpkins, look!');
}

/** She makes a room, and somebody follows her link to it. */
async function invites(does, { open, page }, locale, words) {
  await does.create('Harvest');
  await does.say('Who comes on Sunday?');
  const link = new URL(await does.invite());
  const friend = await open({ locale, hash: link.hash, isGreeted: false });
  const guest = new Visitor(new Mouse(friend.page), words);
  await guest.nameOneself('Ida');
  await guest.isIn('Harvest');
  await guest.hand.reads(guest.log, 'Who comes on Sunday?');
  await guest.say('I do');
  await does.hand.reads(does.log, 'I do');
  await friend.close();
  await page.bringToFront();
}

/** She closes the page, and opens it again when her session is long over. */
async function comesBack(tab, { server, Hand, words, tom }) {
  const context = tab.page.context();
  const watcher = await Talker.enter(server, { name: 'Watcher', roomId: GARDEN });
  await new Visitor(new Hand(tab.page), words).enter('Garden');
  const gone = tom.heard(isMove('leave_room', 'Mira'));
  const url = tab.page.url();
  await tab.page.close();
  await gone;
  await tom.say('Good night');
  watcher.close();
  const page = await context.newPage();
  await page.goto(url);
  const does = new Visitor(new Hand(page), words);
  await does.isIn('Garden');
  await does.hand.reads(does.log, 'Good night');
  const heard = tom.heard(({ text }) => text === 'Good morning');
  await does.say('Good morning');
  assert.equal((await heard).from.name, 'Mira');
}

for (const locale of ['en-GB', 'de-DE']) {
  for (const [device, [Hand, options]] of Object.entries(DEVICES)) {
    test(`a stranger’s first ten minutes, and the next day, ${device} (${locale})`, () => visit([], async ({ server, open }) => {
      const words = await Words.load(locale);
      const tom = await neighbour(server);
      const permissions = ['clipboard-read', 'clipboard-write'];
      const tab = await open({ ...options, locale, permissions, hash: `#room=${GARDEN}`, isGreeted: false });
      const does = new Visitor(new Hand(tab.page), words);
      await arrives(does, tom);
      await findsMention(does, tom);
      await invites(does, { open, page: tab.page }, locale, words);
      await comesBack(tab, { server, Hand, words, tom });
      tom.socket.terminate();
    }, { settings: SETTINGS }));
  }
}
