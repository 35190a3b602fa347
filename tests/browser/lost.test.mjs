// No message is lost or said twice: a real browser and the real server, with a connection between them that the story
// can break at any moment.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AWAY, stage } from './browser.mjs';
import { Guest } from './crowd.mjs';

const ROOM = 1;

const visit = stage();

/**
 * A server, and Anna in room 1, over a connection that can be cut. `before` as in `Tab.open`, all other options as for
 * `visit`.
 */
function story(name, { before, ...options }, tell) {
  test(name, () => visit([{ name: 'Anna', allowed: AWAY, before }], async (anna, { server, proxy }) => {
    await anna.enter('Room 1');
    await tell({ anna, server, proxy });
  }, { ...options, isProxied: true }));
}

/** Waits until the page shows exactly these messages, all acknowledged, and asserts that the server has the same. */
async function allSaid(tab, server, texts, roomId = ROOM) {
  await tab.page.waitForFunction((expected) => {
    const shown = [...document.querySelectorAll('#entries > .said[data-seq] .content')];
    // The last one also tells this room from another that is still shown.
    const isSent = shown.length >= expected.length && shown.at(-1)?.innerText === expected.at(-1);
    return isSent && !document.querySelector('#entries > .said:not([data-seq])');
  }, texts).catch(() => {}); // the assertions below say what is missing
  assert.deepEqual(await tab.texts(), texts);
  assert.equal(await unsent(tab).count(), 0);
  const guest = await Guest.connect(server.socketUrl);
  assert.deepEqual(await guest.texts(roomId), texts);
  guest.socket.terminate();
}

const online = (tab) => tab.page.locator('#room:not(.away)').waitFor();
const offline = (tab) => tab.page.locator('#room.away').waitFor();
const unsent = ({ page }) => page.locator('#entries > .said:not([data-seq])');
const isSaid = (frame) => frame.type === 'text';

story('a message is "sending" until the server has it', {}, async ({ anna, server, proxy }) => {
  proxy.gate = (frame, isUp) => (isSaid(frame) && !isUp ? 'hold' : 'pass');
  await anna.say('Hello!');
  await anna.message('Hello!').getByText('Sending…').waitFor();
  assert.deepEqual(await anna.texts(), []);
  assert.equal(await anna.text.inputValue(), '');
  proxy.release();
  await anna.message('Hello!').getByText('Sending…').waitFor({ state: 'detached' });
  await allSaid(anna, server, ['Hello!']);
});

story('a refused message stays, with the reason, to be retried or discarded', {}, async ({ anna, server, proxy }) => {
  let isStrict = true;
  proxy.gate = (frame, isUp) => {
    // The server refuses an empty text; the page itself never sends one.
    if (isUp && isStrict && frame.text?.startsWith('bad')) frame.text = '';
    return 'pass';
  };
  for (const text of ['good 1', 'bad 1', 'bad 2', 'good 2']) await anna.say(text);
  const refused = anna.page.locator('.said.failed');
  await refused.nth(1).waitFor();
  await anna.message('good 2').locator('time').waitFor();
  await refused.first().getByText('Not sent: The message is empty, too long, or contains characters that aren’t allowed.').waitFor();
  await anna.page.reload();
  await refused.nth(1).waitFor();
  isStrict = false;
  await refused.first().getByRole('button', { name: 'Try again' }).click();
  await refused.nth(1).waitFor({ state: 'detached' });
  await refused.getByRole('button', { name: 'Discard' }).click();
  await refused.waitFor({ state: 'detached' });
  await allSaid(anna, server, ['good 1', 'good 2', 'bad 1']);
});

story('messages written offline are sent once, in order, when the network is back', {}, async ({ anna, server, proxy }) => {
  await anna.say('before');
  await anna.sent('before').waitFor();
  // In this order: while Chromium is switched offline, it may not tell the page that a WebSocket has ended.
  proxy.breakOff();
  await offline(anna);
  await anna.page.context().setOffline(true);
  await anna.banner.getByText('Your device is offline.').waitFor();
  const texts = ['one', 'two', 'two', 'three'];
  for (const text of texts) await anna.say(text);
  await anna.message('three').getByText('Waiting to send').waitFor();
  await anna.pace.getByText('Not connected. 4 messages will send when you’re back.').waitFor();
  proxy.mend();
  await anna.page.context().setOffline(false);
  await anna.showed('banner', /Reconnected/);
  await allSaid(anna, server, ['before', ...texts]);
  await anna.banner.getByText('Reconnected.').waitFor({ state: 'detached' });
});

story('a connection that breaks again and again while the queue is sent doubles nothing', {}, async ({ anna, server, proxy }) => {
  proxy.breakOff();
  await offline(anna);
  const texts = Array.from({ length: 8 }, (_, index) => `message ${index + 1}`);
  for (const text of texts) await anna.say(text);
  // Alternates between cutting before the server has the message, and before the page has the acknowledgement.
  let cuts = 0;
  proxy.gate = (frame, isUp) => {
    const isDue = isSaid(frame) && isUp === (cuts % 2 === 0) && frame.text !== texts.at(-1);
    if (!isDue || cuts === 6) return 'pass';
    cuts += 1;
    setImmediate(() => proxy.cut());
    return 'drop';
  };
  proxy.mend();
  await anna.impatient();
  await allSaid(anna, server, texts);
});

for (const [state, isUp] of [['the server has not got', true], ['is not acknowledged']]) {
  story(`a reload loses no message that ${state}, and no draft`, {}, async ({ anna, server, proxy }) => {
    proxy.gate = (frame, up) => (isSaid(frame) && up === Boolean(isUp) ? 'hold' : 'pass');
    for (const text of ['one', 'two']) await anna.say(text);
    await anna.text.pressSequentially('half a thou');
    await anna.message('two').getByText('Sending…').waitFor();
    proxy.gate = () => 'pass';
    await anna.page.reload();
    await allSaid(anna, server, ['one', 'two']);
    assert.equal(await anna.text.inputValue(), 'half a thou');
  });
}

story('a reload while offline keeps each room’s waiting messages and draft', {}, async ({ anna, server, proxy }) => {
  proxy.breakOff();
  await offline(anna);
  await anna.say('to one');
  await anna.text.fill('draft for one');
  await anna.room('Room 2').click();
  await anna.page.getByRole('heading', { name: 'Room 2' }).waitFor();
  assert.equal(await anna.text.inputValue(), '');
  await anna.say('to two');
  await anna.text.fill('draft for two');
  await anna.room('Room 1').click();
  await anna.page.getByRole('heading', { name: 'Room 1', exact: true }).waitFor();
  await anna.say('to one, too');
  await anna.text.fill('draft for one');
  await anna.page.reload();
  await anna.message('to one, too').getByText('Waiting').waitFor();
  assert.equal(await anna.text.inputValue(), 'draft for one');
  assert.deepEqual(await unsent(anna).locator('.content').allInnerTexts(), ['to one', 'to one, too']);
  proxy.mend();
  await anna.impatient();
  await allSaid(anna, server, ['to one', 'to one, too']);
  await anna.room('Room 2').click();
  await allSaid(anna, server, ['to two'], 2);
  assert.equal(await anna.text.inputValue(), 'draft for two');
});

story('a session that expired becomes a new user, and still doubles nothing', {
  settings: { limits: { resumeGraceSeconds: 1 } },
}, async ({ anna, server, proxy }) => {
  const witness = await Guest.connect(server.socketUrl, 'Ben');
  await witness.enter(ROOM);
  const gone = witness.heard(({ type, user }) => type === 'leave_room' && user.name === 'Anna');
  // The first has been said, the second has not.
  proxy.gate = (frame, isUp) => (isSaid(frame) && !isUp ? 'hold' : 'pass');
  const heard = witness.heard(({ text }) => text === 'said');
  await anna.say('said');
  await anna.say('not said');
  await heard;
  proxy.breakOff();
  await gone;
  proxy.release();
  proxy.mend();
  await anna.impatient();
  await allSaid(anna, server, ['said', 'not said']);
  assert.equal(await anna.page.locator('.said.own').count(), 2);
  witness.socket.terminate();
});

story('the banner shows the state, and reconnects at once when asked', {}, async ({ anna, proxy }) => {
  await anna.banner.locator('span').waitFor({ state: 'detached' });
  // After a close for a fault of its own, the page waits the longest before it reconnects.
  proxy.cut(1008, 'slow consumer');
  await anna.showed('banner', /^Disconnected: the connection is too slow\. Trying again in (1[5-9]|2\d|30) seconds\./);
  await anna.page.getByRole('button', { name: 'Try now' }).click();
  await anna.showed('banner', /Reconnected/);
  for (const [target, type] of [['window', 'online'], ['window', 'focus'], ['document', 'visibilitychange']]) {
    proxy.cut(1008, '');
    await anna.showed('banner', /^Disconnected\. Trying again in (1[5-9]|2\d|30) seconds\./);
    const connected = proxy.connected();
    await anna.page.evaluate(([on, what]) => globalThis[on].dispatchEvent(new Event(what)), [target, type]);
    await connected;
    await anna.showed('banner', /Reconnected/);
  }
});

story('missed messages that do not fit are loaded by and by, as one reads on', {
  settings: { limits: { outboxMaxBytes: 70_000 } },
}, async ({ anna, server, proxy }) => {
  const ben = await Guest.connect(server.socketUrl, 'Ben');
  await ben.enter(ROOM);
  await ben.say('0');
  await anna.message('0').waitFor();
  proxy.breakOff();
  await offline(anna);
  const texts = Array.from({ length: 25 }, (_, index) => String(index + 1));
  for (const text of texts) await ben.say(text.padEnd(4_000, '.'));
  proxy.mend();
  await anna.impatient();
  await anna.log.locator('.divider').waitFor();
  // Reading on, until nothing is missing.
  await anna.page.waitForFunction((count) => {
    document.getElementById('log').scrollTop += 100;
    return document.querySelectorAll('.said').length === count && !document.querySelector('.missing');
  }, texts.length + 1);
  assert.deepEqual((await anna.texts()).map(parseFloat), [0, ...texts.map(Number)]);
  ben.socket.terminate();
});

story('messages that are no longer stored are reported', { settings: { limits: { historyMaxEvents: 5 } } }, async ({ anna, server, proxy }) => {
  const ben = await Guest.connect(server.socketUrl, 'Ben');
  await ben.enter(ROOM);
  await ben.say('before');
  await anna.message('before').waitFor();
  proxy.breakOff();
  await offline(anna);
  for (let number = 1; number <= 20; number += 1) await ben.say(String(number));
  proxy.mend();
  await anna.impatient();
  await anna.page.getByText('Some messages are no longer available.').waitFor();
  assert.equal((await anna.texts())[0], 'before');
  assert.equal((await anna.texts()).at(-1), '20');
  ben.socket.terminate();
});

story('a server that has lost its history is reported, and gets the unsent messages', {}, async ({ anna, server, proxy }) => {
  await anna.say('forgotten');
  await allSaid(anna, server, ['forgotten']);
  await server.kill();
  await offline(anna);
  await anna.say('still to be said');
  await anna.text.fill('a draft');
  await server.restart();
  await anna.impatient();
  await anna.page.getByText('The server has lost earlier messages.').waitFor();
  await allSaid(anna, server, ['still to be said']);
  assert.equal(await anna.text.inputValue(), 'a draft');
  assert.equal(await anna.page.locator('#me bdi').innerText(), 'Anna');
});

story('rate-limited messages wait and are sent by themselves', {
  settings: { limits: { messagesPerSecond: 1, messageBurst: 5 } },
}, async ({ anna, server, proxy }) => {
  const texts = Array.from({ length: 10 }, (_, index) => `quick ${index + 1}`);
  // Written offline, so that all of it is sent as fast as the server answers.
  proxy.breakOff();
  await offline(anna);
  for (const text of texts) await anna.say(text);
  proxy.mend();
  await anna.impatient();
  await anna.showed('pace', /^You’re sending messages too fast\. Resuming in 1 second\.$/);
  await anna.page.reload();
  await allSaid(anna, server, texts);
});

story('messages that cannot be saved are sent when they can', {
  fillable: true, settings: { history: { file: 'wschat.db' } },
}, async ({ anna, server }) => {
  await anna.say('saved');
  await allSaid(anna, server, ['saved']);
  server.fillDisk();
  await anna.say('not saved');
  await anna.showed('pace', /^The server can’t save messages right now\. Trying again in [123] seconds?\.$/);
  await anna.say('nor this');
  assert.deepEqual(await anna.texts(), ['saved']);
  server.freeDisk();
  await allSaid(anna, server, ['saved', 'not saved', 'nor this']);
});

/** Keeps one page from the server for a while, although the network works and other pages get through. */
const hold = { isOn: false };
const holdable = (page) => page.routeWebSocket(/.*/, (socket) => {
  if (hold.isOn) socket.close();
  else socket.connectToServer();
});

story('a duplicated tab takes over the session, the other says so, and nothing is doubled', {
  before: holdable,
}, async ({ anna, server, proxy }) => {
  hold.isOn = true;
  proxy.breakOff();
  await offline(anna);
  for (const text of ['one', 'two']) await anna.say(text);
  // A window opened by a page starts with a copy of its session storage, like a duplicated tab.
  const [copy] = await Promise.all([anna.page.waitForEvent('popup'), anna.page.evaluate(() => { open(location.href); })]);
  const other = anna.beside(copy);
  await other.message('two').waitFor();
  // The copy connects first and sends both, and Anna’s tab no longer tries.
  proxy.mend();
  await other.impatient();
  await allSaid(other, server, ['one', 'two']);
  hold.isOn = false;
  await anna.page.bringToFront();
  await anna.banner.getByText('This chat is open in another tab.').waitFor();
  await unsent(anna).first().waitFor({ state: 'detached' });
  await anna.page.getByRole('button', { name: 'Use here' }).click();
  await allSaid(anna, server, ['one', 'two']);
  await copy.locator('#banner').getByText('This chat is open in another tab.').waitFor();
  await copy.getByRole('button', { name: 'Use here' }).click();
  await anna.banner.getByText('This chat is open in another tab.').waitFor();
  await copy.getByRole('textbox', { name: 'Message' }).fill('three');
  await copy.keyboard.press('Enter');
  await allSaid(other, server, ['one', 'two', 'three']);
  await copy.close();
});

test('a server without wschat.v2 works, without history', () => visit([], async ({ proxy, open }) => {
  proxy.isBase = true;
  const anna = await open({ name: 'Anna', allowed: AWAY });
  const ben = await open({ name: 'Ben', allowed: AWAY });
  for (const tab of [anna, ben]) await tab.enter('Room 1');
  await anna.say('Hello!');
  await ben.message('Hello!').waitFor();
  await ben.say('Hi there');
  await anna.message('Hi there').waitFor();
  assert.deepEqual(await anna.texts(), ['Hello!', 'Hi there']);
  // Nobody can know whether this was said, so Anna has to decide.
  proxy.gate = (frame, isUp) => (isSaid(frame) && isUp && frame.text === 'Lunch?' ? 'drop' : 'pass');
  await anna.say('Lunch?');
  await anna.message('Lunch?').getByText('Sending…').waitFor();
  proxy.gate = () => 'pass';
  proxy.cut();
  await anna.message('Lunch?').getByText(/may not have been sent/).waitFor();
  await online(anna);
  await online(ben);
  await anna.page.getByRole('button', { name: 'Try again' }).click();
  await ben.message('Lunch?').waitFor();
}, { isProxied: true }));
