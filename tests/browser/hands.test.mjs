// One journey by each of the ways to use the page: by mouse, by touch, by keyboard, and through the accessibility tree.

import { test } from 'node:test';
import { PHONE, stage } from './browser.mjs';
import { Keyboard, Mouse, Reader, Touch } from './hands.mjs';
import { Visitor, Words } from './moves.mjs';
import { PATIENT, Talker } from './talker.mjs';

const WIDE = { viewport: { width: 1440, height: 900 } };
const TABLET = { viewport: { width: 768, height: 1024 } };
const visit = stage();

async function journey(does, server, hasKeys) {
  const ben = await Talker.enter(server, { name: 'Benedikt' });
  await does.nameOneself('Anna');
  await does.enter('Room 1');
  await does.say('Hello all');
  await ben.say('Hello @Anna');
  await does.hand.reads(does.log, 'Hello @Anna');
  await does.mention('Benedikt', 'how are you?');
  await does.emoji('wave', '👋');
  await does.pick('applause', 'clap', '👏');
  await does.gif('A waving hand');
  await does.openMembers();
  await does.hand.reads(does.members, 'Benedikt');
  await does.closeMembers();
  await does.mute();
  await does.create('Roof terrace');
  await does.say('Who brings the table?');
  await does.leave();
  if (hasKeys) {
    await does.openShortcuts();
    await does.closeDialog('shortcuts');
  }
  await does.enter('Room 1');
  await does.hand.reads(does.log, 'how are you?');
  await does.speak('Deutsch', 'de');
  await does.hand.sees(does.button('share'));
  ben.close();
}

const WAYS = [
  ['by mouse', Mouse, WIDE],
  ['by mouse in a narrow window', Mouse, { viewport: { width: 390, height: 780 } }],
  ['by touch on a phone', Touch, PHONE],
  ['by touch on a tablet', Touch, { ...TABLET, hasTouch: true }],
  ['by keyboard', Keyboard, WIDE],
  ['by keyboard in a narrow window', Keyboard, { viewport: { width: 390, height: 780 } }],
  ['through the accessibility tree', Reader, WIDE],
  ['through the accessibility tree of a phone', Reader, PHONE],
];

for (const [way, Hand, device] of WAYS) {
  test(`a whole visit ${way}`, () => visit([{ ...device, isGreeted: false }], async (tab, { server }) => {
    await journey(new Visitor(new Hand(tab.page), await Words.load('en-GB')), server, !device.hasTouch);
  }, { settings: PATIENT }));
}
