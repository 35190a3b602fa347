// The main journeys in Firefox, in German: what works in Chromium works there, too.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Guest } from './crowd.mjs';
import { AWAY, skip, stageFirefox } from './firefox.mjs';
import { until } from './hands.mjs';
import { PATIENT, Talker } from './talker.mjs';

const ROOM = 1;
const ROOM_TITLE = 'Room 1';
const visit = stageFirefox();

const journey = (what, story, options) => test(what, { skip }, () => visit(story, { settings: PATIENT, ...options }));

/** Waits until exactly these texts have been said in the room, in this order. */
async function areSaid(server, texts, roomId = ROOM) {
  const witness = await Guest.connect(server.socketUrl);
  let said;
  await until(`all of ${texts}`, async () => {
    said = (await witness.texts(roomId)).filter((what) => typeof what === 'string').map((text) => text.trim());
    return said.length >= texts.length;
  });
  assert.deepEqual(said, texts);
  witness.socket.terminate();
}

/** The texts of the messages on the page that the server has, oldest first. */
const shown = ({ page }) => page.$$eval('#entries > .said[data-seq] .content', (all) => all.map((node) => node.innerText));

journey('a first visit: choose a name, enter, write, mention, send a GIF and an emoji', async (does, { server, tab }) => {
  const ben = await Talker.enter(server, { name: 'Benedikt' });
  await does.nameOneself('Anna');
  await does.enter(ROOM_TITLE);
  await does.say('Hallo zusammen');
  await ben.say('Hallo @Anna');
  await does.hand.reads(does.log, 'Hallo @Anna');
  await does.mention('Benedikt', 'wie geht es?');
  await does.gif('A waving hand');
  await does.emoji('wave', '👋');
  await areSaid(server, ['Hallo zusammen', 'Hallo @Anna', '@Benedikt wie geht es?', '👋']);
  await until('four texts and a GIF on the page', () => tab.page.$$eval('#entries > .said[data-seq]', ({ length }) => length === 5));
  ben.close();
});

journey('after a reload the same person is in the same room, with the draft', async (does, { server, tab }) => {
  const ben = await Guest.connect(server.socketUrl, 'Ben');
  await ben.enter(ROOM);
  const moves = [];
  ben.heard((frame) => {
    if (['enter_room', 'leave_room'].includes(frame.type)) moves.push(`${frame.type} ${frame.user.name}`);
    return frame.text === 'danach';
  }).catch(() => {});
  await does.nameOneself('Anna');
  await does.enter(ROOM_TITLE);
  await does.say('davor');
  await does.hand.write(does.box, 'ein halber Geda');
  await tab.page.reload();
  await does.isIn(ROOM_TITLE);
  await does.hand.reads(does.log, 'davor');
  assert.equal(await does.hand.value(does.box), 'ein halber Geda');
  const heard = ben.heard((frame) => frame.text === 'danach');
  await does.say('danach');
  assert.equal((await heard).from.name, 'Anna');
  assert.deepEqual(moves, ['enter_room Anna']);
  ben.socket.terminate();
});

journey('what is written offline is said once, in order, after the connection is back', async (does, { server, proxy, tab }) => {
  await does.nameOneself('Anna');
  await does.enter(ROOM_TITLE);
  await does.say('davor');
  proxy.breakOff();
  await does.hand.sees(does.button('try_now'));
  const texts = ['im Tunnel', 'immer noch', 'gleich da'];
  for (const text of texts) await does.say(text);
  await does.hand.reads(does.log, does.t('waiting'));
  await tab.page.reload();
  await does.hand.reads(does.log, texts.at(-1));
  proxy.mend();
  await tab.page.evaluate(() => dispatchEvent(new Event('online')));
  await areSaid(server, ['davor', ...texts]);
  await until('all on the page', async () => (await shown(tab)).length === 4);
  assert.deepEqual(await shown(tab), ['davor', ...texts]);
}, { allowed: AWAY });

journey('a new room, its members, the settings and the shortcuts, and out again', async (does, { server, tab }) => {
  await does.nameOneself('Anna');
  await does.create('Dachterrasse');
  await does.say('Wer bringt den Tisch?');
  await does.openMembers();
  await does.hand.reads(does.members, 'Anna');
  await does.closeMembers();
  await does.openShortcuts();
  await does.closeDialog('shortcuts');
  await does.leave();
  assert.equal(await tab.page.$eval('html', ({ lang }) => lang), 'de-DE');
  await does.enter('Dachterrasse');
  await does.hand.reads(does.log, 'Wer bringt den Tisch?');
  const [, id] = (await tab.page.evaluate(() => location.hash)).match(/^#room=(\d+)$/);
  await areSaid(server, ['Wer bringt den Tisch?'], Number(id));
});

journey('on a narrow screen: into a room, to the members, and back to the rooms', async (does) => {
  await does.nameOneself('Anna');
  await does.enter(ROOM_TITLE);
  await does.openMembers();
  await does.closeMembers();
  await does.toRooms();
  await does.hand.sees(does.room('Room 2'));
}, { viewport: { width: 390, height: 780 } });
