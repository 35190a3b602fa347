// Runs axe-core on every view of the page, light and dark, on a desktop and on a phone. No violation of any rule is
// allowed, best practices included.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { AWAY, PHONE, stage } from './browser.mjs';
import { PATIENT, Talker } from './talker.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const DEVICES = { desktop: { viewport: { width: 1280, height: 800 } }, phone: PHONE };
const visit = stage();

/** Asserts that axe finds nothing. In dark mode only the colours differ, so only their contrast is checked. */
async function check(page, view) {
  for (const [colorScheme, options] of [['light', {}], ['dark', { runOnly: ['color-contrast'] }]]) {
    await page.emulateMedia({ colorScheme });
    if (!await page.evaluate(() => 'axe' in globalThis)) await page.evaluate(AXE);
    const found = await page.evaluate(async (settings) => {
      const { violations } = await globalThis.axe.run(document, { resultTypes: ['violations'], ...settings });
      const told = ({ target, failureSummary }) => `${target} ${failureSummary}`;
      return violations.map(({ id, nodes }) => [id, ...nodes.map(told)]);
    }, options);
    assert.deepEqual(found, [], `${view}, ${colorScheme}`);
  }
}

const TALK = [
  '**bold** _italic_ `code` :tada: @Anna and https://wschat.example/a_(b)?c',
  '> a quote\n\n```\na block of code\n```',
  'and more of the same',
];

/** Makes the page load with messages that seem to have been refused before. */
function failBefore(page) {
  return page.addInitScript(() => {
    const why = [
      { problem: 'the text is too long', reason: 'bad_text' },
      { problem: '', reason: 'unknown' },
      { problem: '', reason: 'room_gone' },
    ];
    const entries = why.map((failed, i) => ({
      ref: `failed-${i}`, kind: 'text', text: `Failed ${i}`, time: Date.now(),
      room: { id: 1, title: 'Room 1' }, failed, sent: null,
    }));
    sessionStorage.setItem('wschat.outbox', JSON.stringify(entries));
  });
}

for (const [device, options] of Object.entries(DEVICES)) {
  const isPhone = device === 'phone';

  test(`${device}: the first visit, the lobby, the settings and the shortcuts`, () => (
    visit([{ ...options, isGreeted: false }], async ({ page }) => {
      const dialog = page.getByRole('dialog', { name: 'Welcome!' });
      await dialog.waitFor();
      await check(page, 'the first visit');
      await dialog.getByRole('textbox').fill('x'.repeat(40));
      await dialog.getByText('8 characters too long').waitFor();
      await check(page, 'a name that is too long');
      await dialog.getByRole('button', { name: 'Not now' }).click();
      await page.getByRole('link', { name: 'Room 1' }).waitFor();
      await check(page, 'the lobby');
      await page.getByRole('button', { name: 'Go to a room' }).click();
      await page.getByRole('dialog', { name: 'Go to a room' }).getByRole('option').first().waitFor();
      await check(page, 'the switcher');
      await page.keyboard.press('Escape');
      await page.getByRole('button', { name: 'Settings' }).click();
      await page.getByRole('dialog', { name: 'Settings' }).waitFor();
      await check(page, 'the settings');
      await page.getByRole('button', { name: 'Keyboard shortcuts' }).click();
      await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor();
      await check(page, 'the shortcuts');
    })));

  const anna = { ...options, name: 'Anna' };
  test(`${device}: a room with everything that can be in it`, () => visit([anna], async (tab, { server }) => {
    const { page } = tab;
    const show = (name) => page.getByRole('button', { name, exact: true }).click();
    const ben = await Talker.enter(server, { name: 'Ben' });
    await ben.say(...Array.from({ length: 140 }, (_, i) => `Before ${i + 1}`), ...TALK);
    await ben.gif(3);
    await ben.gif(999);
    await failBefore(page);
    await page.goto(new URL('#room=1&seq=3', server.url).href);
    await page.reload();
    await page.getByRole('button', { name: 'Load messages' }).waitFor({ state: 'attached' });
    await tab.message('Before 3').waitFor();
    for (const name of ['Eve', 'Zoë', 'علي']) (await Talker.enter(server, { name })).close();
    await ben.say('News for @Anna');
    await tab.line('New messages').waitFor({ state: 'attached' });
    const toNewest = page.getByRole('button', { name: /new message/ });
    await toNewest.waitFor();
    await check(page, 'far up in the room');

    await toNewest.click();
    await tab.say('Mine :wave:');
    await tab.log.getByText('The connection was lost. This message may not have been sent.').waitFor();
    await check(page, 'the end of the room');

    await show('GIFs');
    await tab.shelf.getByRole('img').last().waitFor();
    await check(page, 'the shelf of GIFs');
    await page.keyboard.press('Escape');
    await tab.text.pressSequentially('@B');
    await page.locator('#completion').getByRole('option').first().waitFor();
    await check(page, 'suggestions');
    await page.keyboard.press('Escape');
    await tab.text.fill('x'.repeat(4_100));
    await tab.pace.getByText('100 characters too long').waitFor();
    await check(page, 'a message that is too long');
    await tab.text.fill('');

    if (isPhone) await page.locator('#members-toggle').click();
    await tab.member('Ben').waitFor();
    await check(page, 'the members');
    if (isPhone) await show('Back to messages');

    await show('Mute');
    await tab.showed('toast', /Room muted/);
    if (isPhone) await show('Back to rooms');
    await tab.enter('Room 2');
    await ben.say('one', 'two');
    if (isPhone) await show('Back to rooms');
    await tab.room('Room 1').getByText('2 new messages').waitFor();
    await check(page, 'the lobby with unread messages');
    for (let i = 4; i <= 12; i += 1) await ben.create(`Room ${i}`);
    await page.getByRole('searchbox', { name: 'Filter rooms' }).fill('2');
    await tab.room('Room 12').waitFor();
    await check(page, 'the filtered rooms');
    await page.evaluate(() => { location.hash = '#room=Nowhere'; });
    await tab.notice.getByText('There is no room called “Nowhere”.').waitFor();
    await check(page, 'a notice');
  }, { settings: PATIENT }));

  test(`${device}: offline, and after the server has lost everything`, () => (
    visit([{ ...options, allowed: AWAY }], async (tab, { server }) => {
      await tab.enter('Room 1');
      await tab.say('Said');
      await tab.sent('Said').waitFor();
      await server.kill();
      await tab.banner.getByRole('button', { name: 'Try now' }).waitFor();
      await tab.say('Waiting');
      await tab.log.getByText('Waiting to send').waitFor();
      await check(tab.page, 'offline');
      await server.restart();
      await tab.impatient();
      await tab.line('The server has lost earlier messages.').waitFor();
      await check(tab.page, 'lost');
    })));
}
