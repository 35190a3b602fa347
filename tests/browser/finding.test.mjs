// Finding a room: by the filter and the order of the list, by the switcher, and because one is mentioned there.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { PHONE, stage } from './browser.mjs';
import { PATIENT, Talker } from './talker.mjs';

const visitServer = stage();
const MANY = ['Älpler', 'Beekeeping', 'café au lait', 'Room 10'];

/** The server has twelve rooms: Room 1 to 8 and those of `MANY`. Tom talks in Room 1. */
const visit = (story, options, settings = {}) => visitServer([], async ({ server, open }) => {
  const tom = await Talker.enter(server, { name: 'Tom' });
  const ids = {};
  const first = Array.from({ length: 5 }, (_, i) => `Room ${i + 4}`);
  for (const title of [...first, ...MANY]) ids[title] = await tom.create(title);
  const anna = await open({ name: 'Anna', ...options });
  await titles(anna, 12);
  await story(anna, tom, { server, ids });
}, { settings: { ...PATIENT, ...settings } });

/** The titles in the list from top to bottom, once there are so many. */
async function titles({ page }, count) {
  await page.waitForFunction((wanted) => document.querySelectorAll('#rooms li:not([hidden]) .title').length === wanted, count);
  return page.locator('#rooms li:not([hidden]) .title').allInnerTexts();
}
const filterOf = ({ page }) => page.getByRole('searchbox', { name: 'Filter rooms' });
const switcherOf = ({ page }) => page.getByRole('dialog', { name: 'Go to a room' });

test('a filter finds rooms whatever the case and the accents; Enter opens the first, Escape clears', () => visit(async (anna) => {
  await filterOf(anna).fill('alp');
  assert.deepEqual(await titles(anna, 1), ['Älpler']);
  await filterOf(anna).fill('CAFE');
  assert.deepEqual(await titles(anna, 1), ['café au lait']);
  await filterOf(anna).fill('nowhere');
  await anna.rooms.getByText('No rooms found').waitFor();
  await filterOf(anna).press('Escape');
  await titles(anna, 12);
  assert.equal(await filterOf(anna).inputValue(), '');
  await filterOf(anna).fill('bee');
  await filterOf(anna).press('ArrowDown');
  assert.equal(await anna.page.evaluate(() => document.activeElement.textContent.includes('Beekeeping')), true);
  await filterOf(anna).press('Enter');
  await anna.isIn('Beekeeping');
  await titles(anna, 12);
}));

test('with few rooms there is no filter', () => visitServer([{ name: 'Anna' }], async (anna) => {
  await anna.room('Room 3').waitFor();
  assert.equal(await filterOf(anna).isVisible(), false);
}));

test('the list is sorted by name or activity, as was chosen before', () => visit(async (anna, tom, { ids }) => {
  const sort = anna.page.getByRole('combobox', { name: 'Sort rooms' });
  await sort.selectOption('By name');
  assert.deepEqual((await titles(anna, 12)).slice(0, 5), ['Älpler', 'Beekeeping', 'café au lait', 'Room 1', 'Room 2']);
  assert.equal((await titles(anna, 12)).at(-1), 'Room 10');
  await anna.page.reload();
  await anna.me.waitFor();
  assert.equal((await titles(anna, 12))[0], 'Älpler');
  await sort.selectOption('By activity');
  await anna.page.mouse.move(600, 300);
  const first = (title) => anna.page.waitForFunction((wanted) => document.querySelector('#rooms .title').textContent === wanted, title);
  await tom.go(ids['Room 7']);
  await tom.say('first');
  await first('Room 7');
  await tom.go(ids.Beekeeping);
  await tom.say('second');
  await first('Beekeeping');
  assert.equal((await titles(anna, 12))[1], 'Room 7');
  // It does not move away from under the pointer.
  await anna.room('Room 1').hover();
  const place = await anna.room('Room 1').boundingBox();
  await tom.go(ids['Room 5']);
  await tom.say('third');
  await anna.page.waitForFunction((id) => document.querySelector(`#rooms [data-id="${id}"]`), ids['Room 5']);
  assert.deepEqual(await anna.room('Room 1').boundingBox(), place);
  await anna.page.mouse.move(600, 300);
  await first('Room 5');
}));

test('the order by activity is right on the first view, whatever the device thinks of the time', () => visitServer([], async ({ server, open }) => {
  const tom = await Talker.enter(server, { name: 'Tom' });
  const ids = [];
  for (let i = 0; i < 30; i += 1) ids.push(await tom.create(`Place ${i}`));
  // Much was said in the first ones, and least of all where something was said last.
  for (const [i, id] of ids.entries()) {
    await tom.go(id);
    await tom.say(...Array.from({ length: 30 - i }, (_, number) => `${number}`));
    // The time of a message is in milliseconds, and two rooms of the same one have no order.
    for (const said = Date.now(); Date.now() === said;) await nextTurn();
  }
  const anna = await open({
    name: 'Anna',
    async before(page) {
      await page.addInitScript(() => {
        localStorage.setItem('wschat.sort', '"activity"');
        const { now } = Date;
        Date.now = () => now() - 86_400_000;
      });
    },
  });
  await anna.page.mouse.move(600, 300);
  const begins = (...wanted) => anna.page.waitForFunction((expected) => {
    const shown = [...document.querySelectorAll('#rooms .title')].map((node) => node.textContent);
    return expected.every((title, i) => shown[i] === title);
  }, wanted);
  await begins('Place 29', 'Place 28', 'Place 27', 'Place 26');
  await begins(...ids.map((_, i) => `Place ${29 - i}`), 'Room 1');
  await tom.go(ids[3]);
  await tom.say('now here');
  await begins('Place 3', 'Place 29');
}, { settings: PATIENT }));

test('an opened room is in sight in the list', () => visit(async (anna, tom, { ids }) => {
  await anna.page.setViewportSize({ width: 1100, height: 480 });
  const isSeen = (title) => anna.room(title).evaluate((link) => {
    const [box, list] = [link.getBoundingClientRect(), document.getElementById('rooms').getBoundingClientRect()];
    return box.top >= list.top - 1 && box.bottom <= list.bottom + 1;
  });
  assert.equal(await isSeen('Room 10'), false);
  await anna.page.evaluate((id) => { location.hash = `#room=${id}`; }, ids['Room 10']);
  await anna.isIn('Room 10');
  assert.equal(await isSeen('Room 10'), true);
}));

test('Ctrl+K leads to a room by a few letters, with the keyboard alone', () => visit(async (anna) => {
  const { keyboard } = anna.page;
  await anna.enter('Room 1');
  await keyboard.press('Control+k');
  const field = switcherOf(anna).getByRole('combobox', { name: 'Room name' });
  await field.waitFor();
  const chosen = () => switcherOf(anna).getByRole('option', { selected: true }).innerText();
  await keyboard.type('lait');
  assert.match(await chosen(), /^café au lait/);
  assert.equal(await field.getAttribute('aria-activedescendant'), await switcherOf(anna).getByRole('option').getAttribute('id'));
  await field.fill('room 1');
  assert.match(await chosen(), /^Room 1(?!0)/);
  await keyboard.press('ArrowDown');
  assert.match(await chosen(), /^Room 10/);
  await keyboard.press('ArrowDown');
  await keyboard.press('ArrowUp');
  await keyboard.press('Enter');
  await anna.isIn('Room 10');
  assert.equal(await switcherOf(anna).isVisible(), false);
  await keyboard.press('Control+k');
  await switcherOf(anna).waitFor();
  await keyboard.type('nowhere');
  await switcherOf(anna).getByText('No rooms found').waitFor();
  await keyboard.press('Control+k');
  await switcherOf(anna).waitFor({ state: 'hidden' });
}));

test('on a phone a button opens the switcher, and a tap goes there', () => visit(async (anna) => {
  await anna.page.getByRole('button', { name: 'Go to a room' }).tap();
  await switcherOf(anna).getByRole('option', { name: 'Älpler' }).tap();
  await anna.isIn('Älpler');
  await anna.page.goBack();
  await anna.page.locator('#lobby').waitFor();
}, PHONE));

test('a mention in a room that was never opened is shown, in the list and in the title', () => visit(async (anna, tom) => {
  await anna.enter('Room 1');
  await tom.go(2);
  await tom.say('@Anna where are you?');
  await anna.room('Room 2').getByText('1 mention', { exact: true }).waitFor({ state: 'attached' });
  await anna.page.waitForFunction(() => document.title === '(@1) Room 1 – wschat');
  await anna.page.locator('#announcer').getByText('You were mentioned in Room 2.').waitFor({ state: 'attached' });
  // The switcher has it first.
  await anna.page.keyboard.press('Control+k');
  await switcherOf(anna).getByRole('option').first().getByText('Room 2').waitFor();
  await anna.page.keyboard.press('Enter');
  await anna.isIn('Room 2');
  await anna.room('Room 2').getByText(/mention/).waitFor({ state: 'detached' });
  await anna.page.waitForFunction(() => document.title === 'Room 2 – wschat');
}));

test('a mention below what was read is shown until it is seen', () => visit(async (anna, tom) => {
  await anna.enter('Room 1');
  const words = 'a long story '.repeat(30);
  await tom.say(...Array.from({ length: 30 }, (_, i) => `${i} ${words}`));
  await anna.page.locator('[data-seq="30"]').waitFor();
  await anna.log.evaluate((log) => { log.scrollTop = 0; });
  await anna.page.locator('#to-latest').waitFor();
  await tom.say('@Anna are you still there?');
  await anna.room('Room 1').getByText('1 mention', { exact: true }).waitFor({ state: 'attached' });
  await anna.page.locator('#to-latest').click();
  await anna.room('Room 1').getByText('1 mention', { exact: true }).waitFor({ state: 'detached' });
  // Left unread, it is told by the list and by the card of the room.
  await anna.log.evaluate((log) => { log.scrollTop = 0; });
  await anna.page.locator('#to-latest').waitFor();
  await tom.say('@Anna and now?');
  await anna.room('Room 1').getByText('1 mention', { exact: true }).waitFor({ state: 'attached' });
  await anna.leave();
  await anna.page.locator('#cards li').filter({ hasText: 'Room 1' }).locator('.mentioned').waitFor();
  await anna.room('Room 1').getByText('1 mention', { exact: true }).waitFor({ state: 'attached' });
}));
