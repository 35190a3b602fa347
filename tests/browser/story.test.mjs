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
/** More than one sees at once. */
const SHEEP = 40;
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
  await does.hand.reads(does.room('Garden'), does.mentionPill);
  await does.enter('Garden');
  await does.hand.reads(does.log, 'and pumpkins, look!');
  await isAtFirstNew(does, 'Beans');
}

/** The first message that she has not read is in sight, below the line that says so. */
async function isAtFirstNew({ hand, log, t }, text) {
  await hand.reads(log, t('new_divider'));
  await hand.page.waitForFunction((wanted) => {
    const seen = document.getElementById('log').getBoundingClientRect();
    const divider = document.querySelector('.divider')?.getBoundingClientRect();
    const first = document.querySelector('.divider ~ .said');
    if (!divider || !first?.textContent.includes(wanted)) return false;
    return divider.top >= seen.top && first.getBoundingClientRect().bottom <= seen.bottom;
  }, text);
}

/** She makes a room, is offered to invite people as long as it is empty, and somebody follows her link to it. */
async function invites(does, { open, page }, locale, words) {
  await does.create('Harvest');
  await does.hand.press(does.button('invite'));
  await does.hand.sees(does.invitation);
  const link = new URL(await does.invite());
  await does.say('Who comes on Sunday?');
  await does.hand.gone(does.button('invite'));
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
  for (let sheep = 1; sheep <= SHEEP; sheep += 1) await tom.say(`${sheep} sheep`);
  watcher.close();
  const page = await context.newPage();
  await page.goto(url);
  const does = new Visitor(new Hand(page), words);
  await does.isIn('Garden');
  await isAtFirstNew(does, 'Good night');
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
