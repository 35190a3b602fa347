// The first minutes: the welcome with its cards, the name before the room, an empty room, and what the page says when it
// cannot begin.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PHONE, stage } from './browser.mjs';
import { Talker } from './talker.mjs';

const visit = stage();
const STRANGER = { isGreeted: false };

test('a stranger is in a room, and named, after two actions', () => visit([STRANGER, { name: 'Ben' }], async (tab, ben) => {
  await ben.enter('Room 2');
  const { page } = tab;
  await page.getByRole('textbox', { name: 'Choose a display name' }).fill('Mira');
  await page.getByRole('region', { name: 'wschat' }).getByRole('link', { name: /^Room 2/ }).click();
  await tab.isIn('Room 2');
  await tab.me.getByText('Mira', { exact: true }).waitFor();
  await ben.line('Mira joined').waitFor();
  assert.equal(await ben.line(/User \d|is now/).count(), 0);
}));

for (const [how, device] of [['desktop', {}], ['phone', PHONE]]) {
  test(`${how}: whoever comes by a link is named before others see them`, () => (
    visit([{ name: 'Ben' }], async (ben, { open }) => {
      await ben.enter('Room 2');
      const tab = await open({ ...STRANGER, ...device, hash: '#room=2' });
      const dialog = tab.page.getByRole('dialog', { name: 'You’re invited to “Room 2”' });
      await dialog.getByRole('textbox', { name: 'Display name' }).fill('Mira');
      await dialog.getByRole('button', { name: 'Start chatting' }).click();
      await tab.isIn('Room 2');
      await ben.line('Mira joined').waitFor();
      assert.equal(await ben.line(/User \d|is now/).count(), 0);
    })));
}

test('a refused name stays in the dialog, with the reason', () => visit([{ ...STRANGER, hash: '#room=2' }], async (tab) => {
  const dialog = tab.page.getByRole('dialog', { name: 'You’re invited to “Room 2”' });
  await dialog.getByRole('textbox').fill('bell\u0007');
  await dialog.getByRole('button', { name: 'Start chatting' }).click();
  await dialog.getByText(/^This name wasn’t accepted/).waitFor();
  assert.equal(await tab.page.locator('#room').isVisible(), false);
  await dialog.getByRole('textbox').fill('Bell');
  await dialog.getByRole('button', { name: 'Start chatting' }).click();
  await tab.isIn('Room 2');
}));

test('the liveliest rooms come first, and stay where they are', () => visit([{ name: 'Anna' }], async (anna, { server, open }) => {
  const cards = ({ page }) => page.locator('#cards .title').allInnerTexts();
  await anna.page.locator('#cards').getByText('Room 1').waitFor();
  const ben = await Talker.enter(server, { name: 'Ben', roomId: 3 });
  await anna.page.locator('#cards').getByRole('link', { name: /Room 3/ }).getByText(/Ben|1 person here/).waitFor();
  assert.deepEqual((await cards(anna)).slice(0, 3), ['Room 1', 'Room 2', 'Room 3']);
  const carl = await open({ name: 'Carl' });
  await carl.page.locator('#cards').getByText('Room 3').waitFor();
  assert.equal((await cards(carl))[0], 'Room 3');
  ben.close();
}));

test('many cards leave the welcome its title, and a quiet room one line', () => visit([{ name: 'Anna' }], async ({ page }) => {
  await page.locator('#cards').getByText('No messages yet').nth(11).waitFor();
  const title = page.getByRole('heading', { level: 1, name: 'wschat' });
  assert.ok((await title.boundingBox()).height >= 28);
  assert.equal(await page.locator('#cards').getByText('Nobody’s here right now').filter({ visible: true }).count(), 0);
}, { settings: { rooms: Array.from({ length: 40 }, (_, i) => `Room ${i + 1}`) } }));

test('an empty room says what it is and what to do, until something is said', () => visit([{ name: 'Anna' }], async (anna) => {
  const { page } = anna;
  await anna.enter('Room 1');
  const heading = page.getByRole('heading', { name: 'This is the beginning of Room 1.' });
  await heading.waitFor();
  assert.equal(await heading.evaluate((node) => getComputedStyle(node).fontSize), '20px');
  await page.getByRole('button', { name: 'Invite people' }).click();
  await page.getByRole('dialog', { name: 'Invite people to “Room 1”' }).getByRole('button', { name: 'Close' }).click();
  await anna.say('Hello!');
  await heading.waitFor({ state: 'hidden' });
}));

test('what the browser forgets is said before anything is written', () => visit([{
  ...STRANGER,
  before: (page) => page.addInitScript(() => {
    for (const area of ['localStorage', 'sessionStorage']) {
      Object.defineProperty(globalThis, area, { get() { throw new DOMException('denied', 'SecurityError'); } });
    }
  }),
}], async ({ page }) => {
  await page.getByText('Your browser won’t let this page save anything.').waitFor();
}));

// ---- the page cannot begin

/** A browser without what the page is written with: the `v` flag of regular expressions. */
const ofOld = (page) => page.addInitScript(() => {
  const Real = RegExp;
  globalThis.RegExp = new Proxy(Real, {
    construct(target, [pattern, flags = '', ...rest]) {
      if (String(flags).includes('v')) throw new SyntaxError("Invalid flags supplied to RegExp constructor 'v'");
      return new target(pattern, flags, ...rest);
    },
  });
});

const without = (file) => (page) => page.route(`**/${file}`, (route) => route.abort());
const OLD = {
  'en-GB': 'This chat needs a newer browser.', 'de-DE': 'Dieser Chat braucht einen neueren Browser.',
  'es-ES': 'Este chat necesita un navegador más reciente.', 'fr-FR': 'Ce chat a besoin d’un navigateur plus récent.',
};

/** Nothing looks ready: no control but the one that loads the page again. */
const controls = (page) => page.evaluate(() => [...document.querySelectorAll('button, input, textarea, a')]
  .filter((node) => node.checkVisibility()).map((node) => node.textContent));

for (const [locale, words] of Object.entries(OLD)) {
  test(`an old browser is told so (${locale})`, () => visit([], async ({ browser, server }) => {
    const page = await (await browser.newContext({ locale })).newPage();
    await ofOld(page);
    await page.goto(server.url);
    await page.getByRole('status').getByText(words).waitFor();
    assert.deepEqual(await controls(page), []);
  }));
}

for (const [what, prepare, words] of [
  ['the script', without('app.js'), 'Part of this page couldn’t be loaded.'],
  ['the words', without('texts/*.js'), 'Part of this page couldn’t be loaded.'],
  ['the style', without('style.css'), 'Part of this page couldn’t be loaded.'],
  ['WebSocket', (page) => page.addInitScript(() => { delete globalThis.WebSocket; }), 'This chat needs a newer browser.'],
]) {
  test(`without ${what} the page says so`, () => visit([], async ({ browser, server }) => {
    const page = await (await browser.newContext({ locale: 'en-GB' })).newPage();
    await prepare(page);
    await page.goto(server.url);
    await page.getByRole('status').getByText(words).waitFor();
    assert.deepEqual(await controls(page), what === 'WebSocket' ? [] : ['Reload']);
  }));
}

test('without JavaScript it says so, in every language', () => visit([], async ({ browser, server }) => {
  const page = await (await browser.newContext({ javaScriptEnabled: false })).newPage();
  await page.goto(server.url);
  for (const language of ['en', 'de', 'es', 'fr']) await page.locator(`noscript p[lang=${language}]`).waitFor();
  assert.equal(await page.locator('button:visible, input:visible').count(), 0);
}));
