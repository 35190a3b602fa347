// The page under a finger, and in a browser's surroundings: sizes of controls, swiping back, the keyboard of glass, notches,
// the browser's bar, paper.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PHONE, stage } from './browser.mjs';
import { PATIENT, Talker } from './talker.mjs';

const visit = stage();
const TABLET = { viewport: { width: 768, height: 1024 }, isMobile: true, hasTouch: true };

/** The controls in view that are smaller than a fingertip: 44 pixels. A link inside a text is as high as its line. */
const small = (page) => page.evaluate(() => {
  const found = [];
  const top = document.querySelector('dialog[open]') ?? document;
  for (const node of top.querySelectorAll('button, input, textarea, select, a, [role="menuitem"], [role="option"]')) {
    if (!node.checkVisibility({ visibilityProperty: true }) || node.closest('.unseen') || node.matches('.content a')) continue;
    // A radio button is as large as its label.
    const { width, height } = (node.matches('[type="radio"]') ? node.closest('label') : node).getBoundingClientRect();
    if (width < 43.9 || height < 43.9) found.push(`${node.id || node.className || node.textContent} ${width} × ${height}`);
  }
  return found;
});

for (const [device, options] of [['phone', PHONE], ['tablet', TABLET]]) {
  test(`${device}: every control is large enough for a finger, in every view`, () => (
    visit([{ ...options, isGreeted: false }], async (tab, { server }) => {
      const { page } = tab;
      const judge = async (view) => assert.deepEqual(await small(page), [], view);
      const press = (name) => page.getByRole('button', { name, exact: true }).tap();
      await tab.room('Room 1').waitFor();
      await judge('the welcome');
      await page.evaluate(() => { location.hash = '#room=1'; });
      await page.getByRole('dialog').waitFor();
      await judge('the name');
      await page.locator('#name').fill('Anna');
      await press('Start chatting');
      await tab.isIn('Room 1');
      await page.getByRole('button', { name: 'Invite people' }).waitFor();
      await judge('an empty room');
      const ben = await Talker.enter(server, { name: 'Ben' });
      await ben.say('Hello');
      await ben.gif(1);
      await tab.log.getByRole('img').waitFor();
      await judge('a room');
      await tab.text.fill('@B');
      await page.locator('#completion').getByRole('option', { name: /Ben/ }).waitFor();
      await judge('the suggestions');
      await tab.text.fill('');
      await press('Share');
      await page.getByRole('dialog').getByRole('img').waitFor();
      await judge('the invitation');
      await press('Close');
      await press('More');
      await judge('the menu');
      await page.keyboard.press('Escape');
      await press('2 members');
      await tab.member('Ben').getByRole('button').tap();
      await judge('the members');
      await page.keyboard.press('Escape');
      await page.locator('#members-close').tap();
      if (device === 'phone') await press('Back to rooms');
      await judge('the rooms');
      await press('Settings');
      await page.getByRole('dialog').getByRole('switch').first().waitFor();
      await judge('the settings');
      assert.equal(await page.getByRole('button', { name: 'Keyboard shortcuts' }).count(), 0);
    }, { settings: PATIENT })));
}

/** Moves a finger over the page, in one stroke. */
const swipe = ({ page }, [x, y], [toX, toY], selector = 'body') => page.evaluate(([from, to, where]) => {
  const target = document.querySelector(where);
  const touch = ([clientX, clientY]) => new Touch({ identifier: 1, target, clientX, clientY });
  const tell = (type, at, isOver) => target.dispatchEvent(new TouchEvent(type, {
    bubbles: true, touches: isOver ? [] : [touch(at)], changedTouches: [touch(at)],
  }));
  tell('touchstart', from, false);
  tell('touchmove', to, false);
  tell('touchend', to, true);
}, [[x, y], [toX, toY], selector]);

const pane = ({ page }) => page.evaluate(() => document.body.dataset.pane);

test('a swipe from the edge goes back, and nothing else does', () => visit([{ name: 'Anna', ...PHONE }], async (anna) => {
  await anna.enter('Room 1');
  await swipe(anna, [200, 300], [330, 305]); // not from the edge
  await swipe(anna, [10, 300], [60, 300]); // too short
  await swipe(anna, [10, 300], [110, 500]); // rather down
  await swipe(anna, [10, 700], [200, 700], '#text'); // marks text
  assert.equal(await pane(anna), 'room');
  await anna.page.getByRole('button', { name: '1 member', exact: true }).tap();
  await swipe(anna, [10, 300], [200, 310], '#members');
  assert.equal(await pane(anna), 'room');
  await swipe(anna, [10, 300], [200, 310], '#log');
  assert.equal(await pane(anna), 'rooms');
  await anna.room('Room 1').tap();
  assert.equal(await pane(anna), 'room');
  await anna.page.evaluate(() => { document.documentElement.dir = 'rtl'; });
  await swipe(anna, [10, 300], [200, 310], '#log');
  assert.equal(await pane(anna), 'room');
  await swipe(anna, [380, 300], [200, 310], '#log');
  assert.equal(await pane(anna), 'rooms');
}));

test('a keyboard that covers the page does not cover the message box', () => visit([{
  name: 'Anna', ...PHONE,
  // A browser that does not make the page smaller by itself.
  before: (page) => page.addInitScript(() => {
    const visible = Object.assign(new EventTarget(), { height: innerHeight, scale: 1 });
    Object.defineProperty(globalThis, 'visualViewport', { value: visible });
    globalThis.cover = (pixels) => {
      visible.height = innerHeight - pixels;
      visible.dispatchEvent(new Event('resize'));
    };
  }),
}], async (anna) => {
  await anna.enter('Room 1');
  const bottom = () => anna.page.locator('#composer').evaluate((node) => node.getBoundingClientRect().bottom);
  await anna.page.evaluate(() => Promise.all(document.getAnimations().map(({ finished }) => finished)));
  const before = await bottom();
  await anna.page.evaluate(() => globalThis.cover(320));
  assert.ok(await bottom() <= before - 319, 'above the keyboard');
  await anna.page.evaluate(() => globalThis.cover(0));
  assert.equal(await bottom(), before);
}));

test('after a reload on a phone no ring is around the title', () => visit([{ name: 'Anna', ...PHONE }], async (anna) => {
  await anna.enter('Room 1');
  await anna.page.reload();
  await anna.isIn('Room 1');
  const title = anna.title('Room 1');
  await anna.page.waitForFunction((node) => document.activeElement === node, await title.elementHandle());
  assert.equal(await title.evaluate((node) => getComputedStyle(node).outlineStyle), 'none');
}));

test('a toast is below the header, and above the messages', () => visit([{ name: 'Anna', ...PHONE }], async (anna) => {
  await anna.enter('Room 1');
  await anna.choose('Mute');
  const toast = await anna.toast.getByText('Room muted.').elementHandle();
  const { top, bottom } = await toast.evaluate((node) => node.getBoundingClientRect().toJSON());
  const header = await anna.page.locator('#room > .heading').evaluate((node) => node.getBoundingClientRect().bottom);
  assert.ok(top >= header && bottom < 200, `${top} ${bottom}`);
}));

for (const [chosen, system] of [['Dark', 'light'], ['Light', 'dark']]) {
  test(`the browser’s bar has the chosen colour (${chosen}), whatever the system has`, () => (
    visit([{ colorScheme: system, name: 'Anna' }], async ({ page }) => {
      const bar = () => page.evaluate(() => [...document.querySelectorAll('meta[name="theme-color"]')]
        .find(({ media }) => media === '' || matchMedia(media).matches).content);
      const asSystem = await bar();
      await page.getByRole('button', { name: 'Settings' }).click();
      await page.getByRole('radio', { name: chosen }).check();
      const own = await bar();
      assert.notEqual(own, asSystem);
      await page.reload();
      await page.getByRole('button', { name: 'Settings' }).click();
      assert.equal(await bar(), own);
      await page.getByRole('radio', { name: 'Match system' }).check();
      assert.equal(await bar(), asSystem);
    })));
}

test('on paper there is the talk alone, all of it', () => visit([{ name: 'Anna' }], async (anna, { server }) => {
  const ben = await Talker.enter(server, { name: 'Ben' });
  await ben.say(...Array.from({ length: 30 }, (_, i) => `Line ${i + 1}`));
  await anna.enter('Room 1');
  await anna.sent('Line 30').waitFor();
  await anna.page.emulateMedia({ media: 'print' });
  for (const id of ['lobby', 'members', 'composer', 'toast']) assert.equal(await anna.page.locator(`#${id}`).isVisible(), false, id);
  assert.equal(await anna.sent('Line 1').isVisible(), true);
  const { page } = anna;
  assert.ok(await page.locator('#log').evaluate((log) => log.scrollHeight <= log.clientHeight + 1), 'nothing is scrolled away');
}, { settings: PATIENT }));

test('on a tablet the members lie over the talk, which keeps its width', () => visit([{ name: 'Anna', ...TABLET }], async (anna) => {
  await anna.enter('Room 1');
  const width = () => anna.page.locator('#log').evaluate((log) => log.clientWidth);
  const before = await width();
  assert.ok(before >= 480, String(before));
  await anna.page.getByRole('button', { name: '1 member', exact: true }).tap();
  await anna.member('Anna').waitFor();
  assert.equal(await width(), before);
  await anna.page.locator('#log').tap({ position: { x: 40, y: 300 } });
  await anna.members.waitFor({ state: 'hidden' });
}));

test('the language changes at once, and nothing is lost', () => visit([{ name: 'Anna' }], async (anna) => {
  const { page } = anna;
  await anna.enter('Room 1');
  await anna.text.fill('half a thought');
  await page.getByRole('button', { name: 'Settings' }).click();
  await page.getByRole('combobox', { name: 'Language' }).selectOption('Deutsch');
  await page.getByRole('dialog', { name: 'Einstellungen' }).waitFor();
  assert.match(await page.locator('html').getAttribute('lang'), /^de/);
  await page.getByRole('button', { name: 'Schließen' }).click();
  assert.equal(await page.getByRole('textbox', { name: 'Nachricht', exact: true }).inputValue(), 'half a thought');
  await page.getByRole('button', { name: 'Einstellungen' }).click();
  await page.getByRole('combobox', { name: 'Sprache' }).selectOption('Automatisch');
  await page.getByRole('dialog', { name: 'Settings' }).waitFor();
}));
