// Rooms: the list and its counts, creating, entering and leaving, links, and the panes of a phone.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AWAY, PHONE, stage } from './browser.mjs';

const visit = stage();
const TWO = [{ name: 'Anna' }, { name: 'Ben' }];

/** The list is updated a little later than the room. */
const people = (tab, title, count) => (count === 0
  ? tab.room(title).getByText(/here$/).waitFor({ state: 'detached' })
  : tab.room(title).getByText(`${count} ${count === 1 ? 'person' : 'people'} here`).waitFor());
const unread = (tab, title, words) => tab.room(title).getByText(words, { exact: true }).waitFor();

test('two visitors in a room see each other’s messages, with author and time', () => visit(TWO, async (anna, ben) => {
  await anna.enter('Room 1');
  await ben.enter('Room 1');
  await anna.line('Ben joined').waitFor();
  await anna.say('Hello!');
  await ben.sent('Hello!').waitFor();
  await ben.say('Hi there');
  for (const tab of [anna, ben]) {
    await tab.sent('Hello!').getByText('Anna', { exact: true }).waitFor();
    await tab.sent('Hi there').getByText('Ben', { exact: true }).waitFor();
    await tab.member('Anna').waitFor();
    await tab.member('Ben').waitFor();
    await people(tab, 'Room 1', 2);
    assert.deepEqual(await tab.texts(), ['Hello!', 'Hi there']);
  }
  assert.equal(await anna.message('Hello!').getByText('(you)').count(), 1);
  assert.equal(await ben.message('Hello!').getByText('(you)').count(), 0);
  const time = await ben.message('Hello!').locator('time').getAttribute('datetime');
  assert.ok(Math.abs(Date.now() - Date.parse(time)) < 60_000, time);
  assert.equal(await anna.text.inputValue(), '');
}));

test('a text that is too long is not sent, and stays in the box', () => visit([{ name: 'Anna' }], async (anna) => {
  await anna.enter('Room 1');
  await anna.text.fill('x'.repeat(4_003));
  await anna.pace.getByText('3 characters too long').waitFor();
  await anna.text.press('Enter');
  assert.equal((await anna.text.inputValue()).length, 4_003);
  assert.equal(await anna.page.getByRole('button', { name: 'Send', exact: true }).isDisabled(), true);
  await anna.text.fill('😀'.repeat(4_000));
  await anna.text.press('Enter');
  await anna.sent('😀'.repeat(4_000)).waitFor();
  assert.equal(await anna.text.inputValue(), '');
}));

test('the list counts the people in each room, as they come and go', () => visit(TWO, async (anna, ben) => {
  await people(anna, 'Room 1', 0);
  await ben.enter('Room 1');
  await people(anna, 'Room 1', 1);
  await anna.enter('Room 1');
  await people(ben, 'Room 1', 2);
  await ben.enter('Room 2');
  await people(anna, 'Room 1', 1);
  await people(anna, 'Room 2', 1);
  // Whoever closes the page may come back for a while, and then is gone.
  await ben.close();
  await people(anna, 'Room 2', 0);
}, { settings: { limits: { resumeGraceSeconds: 1 } } }));

test('messages in rooms that were visited are counted until they are read', () => visit(TWO, async (anna, ben) => {
  await anna.enter('Room 1');
  await ben.enter('Room 1');
  await anna.say('back in a minute');
  await ben.sent('back in a minute').waitFor();
  await anna.enter('Room 2');
  for (const text of ['one', 'two', 'three']) await ben.say(text);
  await unread(anna, 'Room 1', '3 new messages');
  assert.equal(await anna.page.title(), '(3) Room 2 – wschat');
  assert.equal(await anna.room('Room 3').getByText(/new message/).count(), 0);
  await anna.enter('Room 1');
  await anna.sent('three').waitFor();
  await anna.line(/^New messages$/).waitFor();
  await anna.room('Room 1').getByText(/new message/).waitFor({ state: 'detached' });
  await anna.page.waitForFunction(() => document.title === 'Room 1 – wschat');
  // The next message is new again, and alone.
  await anna.enter('Room 3');
  await ben.say('four');
  await unread(anna, 'Room 1', '1 new message');
}));

test('a new room is entered by its creator, and listed for everyone', () => visit(TWO, async (anna, ben) => {
  await anna.create('Tea & cake');
  assert.equal(await anna.page.getByLabel('New room').inputValue(), '');
  await ben.enter('Tea & cake');
  await people(anna, 'Tea & cake', 2);
  await anna.say('Cake?');
  await ben.sent('Cake?').waitFor();
}));

test('an invalid title is refused by the page or the server, with the reason', () => visit([{}], async (tab) => {
  const box = tab.page.getByLabel('New room');
  const create = tab.page.getByRole('button', { name: 'Create', exact: true });
  await box.fill('x'.repeat(66));
  assert.equal(await box.evaluate((node) => node.validationMessage), '2 characters too long');
  await create.click();
  assert.equal(await box.inputValue(), 'x'.repeat(66));
  await box.fill('bell\u0007');
  await create.click();
  await tab.notice.getByText(/title/i).waitFor();
  await tab.notice.getByRole('button', { name: 'Dismiss' }).click();
  await tab.notice.getByText(/title/i).waitFor({ state: 'detached' });
  assert.equal(await tab.page.locator('#room').isVisible(), false);
}));

test('a room that was refused by the rate limit can be created later', () => visit([{}], async (tab) => {
  await tab.create('First');
  await tab.page.getByLabel('New room').fill('Second');
  await tab.page.getByRole('button', { name: 'Create', exact: true }).click();
  const again = tab.notice.getByRole('button', { name: 'Try again' });
  const made = tab.room('Second').first();
  await again.waitFor();
  // Until the rate limit allows it. The button goes with each answer, so a click may come too late.
  while (!(await made.isVisible())) {
    await again.or(made).first().waitFor();
    await again.click({ timeout: 1_000 }).catch(() => {});
  }
  await tab.isIn('Second');
}, { settings: { limits: { roomsPerSecond: 0.1, roomBurst: 1 } } }));

test('a visitor who leaves is gone for the others, and may return', () => visit(TWO, async (anna, ben) => {
  await anna.enter('Room 3');
  await ben.enter('Room 3');
  await people(anna, 'Room 3', 2);
  await ben.say('Stay!');
  await anna.sent('Stay!').waitFor();
  await anna.leave();
  await anna.page.getByRole('heading', { name: 'Choose a room to start chatting' }).waitFor();
  await ben.line('Anna left').waitFor();
  await ben.member('Anna').waitFor({ state: 'detached' });
  await people(anna, 'Room 3', 1);
  // The focus is not lost with the button that had it.
  assert.equal(await anna.page.evaluate(() => document.activeElement.closest('#rooms') !== null), true);
  await anna.enter('Room 3');
  await anna.sent('Stay!').waitFor();
  // A short absence between two messages is not worth a line.
  await ben.line('Anna left').waitFor({ state: 'detached' });
  await ben.member('Anna').waitFor();
  await ben.say('There you are');
  await anna.enter('Room 1');
  await ben.line('Anna left').waitFor();
}));

test('a link opens a room by id or by title', () => visit([], async ({ open }) => {
  const anna = await open({ name: 'Anna', hash: '#room=3' });
  await anna.isIn('Room 3');
  const { hash, length } = await anna.page.evaluate(() => ({ hash: location.hash, length: history.length }));
  const control = await open({ name: 'Carl' });
  assert.deepEqual([hash, length], ['#room=3', await control.page.evaluate(() => history.length)], 'and stands there from the beginning');
  await anna.create('Tea & cake');
  const ben = await open({ name: 'Ben', hash: '#room=Tea+%26+cake' });
  await ben.isIn('Tea & cake');
  await anna.member('Ben').waitFor();
  // As typed by hand, while the page is open.
  await ben.page.evaluate(() => { location.hash = '#room=Room 2'; });
  await ben.isIn('Room 2');
  assert.equal(new URL(ben.page.url()).hash, '#room=2');
}));

test('a room’s link can be copied, and leads a friend there', () => visit([
  { name: 'Anna', permissions: ['clipboard-read', 'clipboard-write'] },
], async (anna, { open, server }) => {
  await anna.create('Tea & cake');
  await anna.page.getByRole('button', { name: 'Share', exact: true }).click();
  await anna.page.getByRole('dialog', { name: 'Invite people to “Tea & cake”' }).getByRole('button', { name: 'Copy link' }).click();
  await anna.page.getByRole('button', { name: 'Link copied.' }).waitFor();
  await anna.page.keyboard.press('Escape');
  const link = await anna.page.evaluate(() => navigator.clipboard.readText());
  assert.ok(link.startsWith(server.url), link);
  const ben = await open({ name: 'Ben', hash: link.slice(server.url.length) });
  await ben.isIn('Tea & cake');
}));

test('rooms in the list are links, which can open in another tab', () => visit([{ name: 'Anna' }], async (anna) => {
  const link = await anna.room('Room 2').getAttribute('href');
  assert.equal(link, '#room=2');
  const [another] = await Promise.all([
    anna.page.context().waitForEvent('page'),
    anna.room('Room 2').click({ modifiers: ['ControlOrMeta'] }),
  ]);
  await another.getByRole('heading', { name: 'Room 2', exact: true }).waitFor();
  assert.equal(await anna.page.locator('#room').isVisible(), false);
}));

test('the back button goes through the visited rooms', () => visit([{}], async (tab) => {
  await tab.enter('Room 1');
  await tab.enter('Room 2');
  await tab.enter('Room 3');
  await tab.page.goBack();
  await tab.isIn('Room 2');
  await tab.page.goBack();
  await tab.isIn('Room 1');
  await tab.page.goForward();
  await tab.isIn('Room 2');
  await tab.page.reload();
  await tab.isIn('Room 2');
  // From the first one to the welcome, where one came from, and forward again.
  await tab.page.goBack();
  await tab.isIn('Room 1');
  await tab.page.goBack();
  await tab.page.getByRole('heading', { name: 'Choose a room to start chatting' }).waitFor();
  await tab.page.waitForFunction(() => document.activeElement.closest('#rooms'));
  assert.equal(new URL(tab.page.url()).hash, '');
  await people(tab, 'Room 1', 0);
  await tab.page.goForward();
  await tab.isIn('Room 1');
}));

test('a room that the page begins with is not one to go back from', () => visit([{}], async (tab, { server }) => {
  await tab.enter('Room 1');
  await tab.page.goto(server.url);
  await tab.isIn('Room 1');
  await tab.page.waitForFunction(() => location.hash === '#room=1');
  assert.deepEqual(await tab.page.evaluate(() => history.state), { pane: 'room', path: [] });
}));

test('a missing room can be created', () => visit([{ name: 'Anna', hash: '#room=Garden' }], async (anna) => {
  await anna.notice.getByText('There’s no room called “Garden”.').waitFor();
  await anna.notice.getByRole('button', { name: 'Create it' }).click();
  await anna.isIn('Garden');
  assert.equal(await anna.notice.textContent(), '');
  // A number is not offered as a title.
  await anna.page.evaluate(() => { location.hash = '#room=99'; });
  await anna.notice.getByText('There’s no room called “99”.').waitFor();
  assert.equal(await anna.notice.getByRole('button', { name: 'Create it' }).count(), 0);
  await anna.notice.getByRole('button', { name: 'Dismiss' }).click();
  await anna.isIn('Garden');
}));

test('a room that is gone after a restart is reported, and can be created again', () => visit([
  { name: 'Anna', allowed: AWAY },
], async (anna, { server }) => {
  await anna.create('For today');
  await anna.say('before');
  await anna.sent('before').waitFor();
  await server.kill();
  await server.restart();
  await anna.notice.getByText('There’s no room called “For today”.').waitFor();
  await anna.page.getByRole('heading', { name: 'Choose a room to start chatting' }).waitFor();
  await anna.enter('Room 1');
  await anna.page.evaluate(() => { location.hash = '#room=For today'; });
  await anna.notice.getByRole('button', { name: 'Create it' }).click();
  await anna.isIn('For today');
  assert.equal(await anna.message('before').count(), 0);
}));

test('a phone shows one pane at a time', () => visit([{ name: 'Anna', ...PHONE }], async (anna) => {
  const { page } = anna;
  const panes = { rooms: page.locator('#lobby'), talk: page.locator('main'), members: page.locator('#members') };
  const shows = async (wanted) => {
    await panes[wanted].waitFor();
    for (const [name, pane] of Object.entries(panes)) assert.equal(await pane.isVisible(), name === wanted, name);
  };
  await shows('rooms');
  await anna.room('Room 1').tap();
  await anna.isIn('Room 1');
  await shows('talk');
  await page.getByRole('button', { name: '1 member', exact: true }).tap();
  await shows('members');
  await anna.member('Anna').waitFor();
  await page.getByRole('button', { name: 'Back to messages' }).tap();
  await shows('talk');
  await anna.text.fill('half a thought');
  await page.getByRole('button', { name: 'Back to rooms' }).tap();
  await shows('rooms');
  await people(anna, 'Room 1', 1);
  await anna.room('Room 1').tap();
  await shows('talk');
  assert.equal(await anna.text.inputValue(), 'half a thought');
  // The phone's own back button leads where one came from, and so do the page's.
  const length = await page.evaluate(() => history.length);
  await page.getByRole('button', { name: '1 member', exact: true }).tap();
  await shows('members');
  await page.goBack();
  await shows('talk');
  await page.goForward();
  await shows('members');
  await page.goBack();
  await page.goBack();
  await shows('rooms');
  await page.goForward();
  await shows('talk');
  await page.getByRole('button', { name: '1 member', exact: true }).tap();
  await page.getByRole('button', { name: 'Back to messages' }).tap();
  await shows('talk');
  await page.waitForFunction(() => history.state.pane === 'room');
  await page.goBack();
  await shows('rooms');
  await anna.room('Room 2').tap();
  await anna.isIn('Room 2');
  assert.equal(await page.evaluate(() => history.length), length, 'no pane is there twice');
  await anna.choose('Leave');
  await shows('rooms');
  await page.waitForFunction(() => history.state.pane === 'rooms' && location.hash === '');
}));

test('who comes to a room by a link on a phone gets to the rooms by Back, also after a reload, and no ring boxes its title', () => visit([
  { isGreeted: false, hash: '#room=2', ...PHONE },
], async (anna) => {
  const { page } = anna;
  await page.locator('#name').fill('Anna');
  await page.keyboard.press('Enter');
  await anna.isIn('Room 2');
  await page.reload();
  await anna.isIn('Room 2');
  await page.waitForFunction(() => document.activeElement.id === 'room-title');
  assert.equal(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), 'none');
  await page.keyboard.press('Alt');
  assert.equal(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), 'solid');
  await page.goBack();
  await page.locator('#lobby').waitFor();
  assert.equal(await page.locator('main #room').isVisible(), false);
  await page.goForward();
  await anna.isIn('Room 2');
  // A room that is left by a link to another one is where Back leads.
  await page.evaluate(() => { location.hash = '#room=Room 3'; });
  await anna.isIn('Room 3');
  assert.equal(new URL(page.url()).hash, '#room=3');
  await page.goBack();
  await anna.isIn('Room 2');
  await page.getByRole('button', { name: 'Back to rooms' }).tap();
  await page.locator('#lobby').waitFor();
}));
