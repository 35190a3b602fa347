// Unread messages: one begins at the first of them, and they count until they have been seen.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AWAY, PHONE, stage } from './browser.mjs';
import { PATIENT, Talker } from './talker.mjs';

const visitServer = stage();

/** Anna has read 60 messages of Carla's in Room 1 and gone to Room 2; then Carla has said `count` more. */
const visit = (count, story, { isProxied, governed, ...options } = {}) => visitServer([], async ({ server, proxy, open }) => {
  const carla = await Talker.enter(server, { name: 'Carla' });
  await say(carla, 60);
  const anna = await open({ name: 'Anna', ...options });
  await anna.enter('Room 1');
  await atEnd(anna, 60);
  await toList(anna);
  await anna.enter('Room 2');
  await say(carla, count);
  if (count > 0) await unread(anna, 'Room 1', count);
  await toList(anna);
  await story(anna, carla, { server, proxy });
}, { settings: PATIENT, isProxied, governed });

const say = (talker, count) => (count === 0 ? null : talker.say(...Array.from({ length: count }, (_, i) => `number ${i + 1}`)));

/** On a phone the list is another pane. */
async function toList({ page }) {
  const back = page.locator('#to-rooms');
  if (await back.isVisible()) await back.click();
}

const words = (count) => (count > 99 ? 'more than 99 new messages' : `${count} new message${count === 1 ? '' : 's'}`);
const unread = (tab, title, count) => tab.page.locator('#rooms a').filter({ hasText: title })
  .getByText(words(count), { exact: true }).waitFor({ state: 'attached' });
const toLatest = (tab) => tab.page.locator('#to-latest');

const atEnd = (tab, seq) => tab.page.waitForFunction((number) => {
  const log = document.getElementById('log');
  const last = [...document.querySelectorAll('[data-seq]')].at(-1);
  return last?.dataset.seq === String(number) && log.scrollHeight - log.clientHeight - log.scrollTop < 2;
}, seq);

/** Waits until the divider stands above this message, in the upper third of the log. */
const beginsAt = (tab, seq) => tab.page.waitForFunction((number) => {
  const log = document.getElementById('log').getBoundingClientRect();
  const divider = document.querySelector(`.divider:has(+ [data-seq="${number}"])`)?.getBoundingClientRect();
  return divider && divider.top >= log.top && divider.top < log.top + log.height / 3;
}, seq);

/** The `seq` of the newest message whose end is on the screen. */
const newest = ({ log }) => log.evaluate((node) => {
  const edge = node.getBoundingClientRect().bottom + 1;
  return Number([...node.querySelectorAll('[data-seq]')].findLast((row) => row.getBoundingClientRect().bottom <= edge).dataset.seq);
});

for (const [size, options] of [['desktop', {}], ['phone', PHONE]]) {
  for (const [count, isReloaded] of [[130, false], [900, true]]) {
    test(`${count} unread on a ${size}${isReloaded ? ', after a reload' : ''}: one begins at the first`, () => visit(count, async (anna) => {
      if (isReloaded) {
        await anna.page.reload();
        await anna.isIn('Room 2');
        await toList(anna);
      }
      await anna.enter('Room 1');
      await beginsAt(anna, 61);
      const seen = await newest(anna);
      assert.ok(seen > 61 && seen < 100, `${seen}`);
      await toLatest(anna).getByText(`${60 + count - seen} new messages`).waitFor();

      // Half-way through, and elsewhere: the rest stays unread.
      await anna.log.evaluate((log) => { log.scrollTop += log.clientHeight; });
      await anna.page.waitForFunction((before) => !document.getElementById('to-latest').textContent.startsWith(before), `${60 + count - seen} `);
      const half = await newest(anna);
      assert.ok(half > seen, `${half} after ${seen}`);
      await toList(anna);
      await anna.enter('Room 2');
      await toList(anna);
      await unread(anna, 'Room 1', 60 + count - half);
      await anna.enter('Room 1');
      await beginsAt(anna, half + 1);

      await toLatest(anna).click();
      await atEnd(anna, 60 + count);
      await toLatest(anna).waitFor({ state: 'hidden' });
      await anna.page.waitForFunction(() => document.title === 'Room 1 – wschat');
    }, options));
  }
}

test('whoever reads on from the first unread message skips none, and the gaps fill by themselves', () => visit(300, async (anna) => {
  await anna.page.reload();
  await anna.isIn('Room 2');
  await anna.enter('Room 1');
  await beginsAt(anna, 61);
  const seen = new Set();
  const look = async () => {
    const now = await anna.log.evaluate(async (log) => {
      await new Promise((resolve) => { requestAnimationFrame(() => requestAnimationFrame(resolve)); });
      const { top, bottom } = log.getBoundingClientRect();
      return [...log.querySelectorAll('[data-seq]')].filter((row) => {
        const box = row.getBoundingClientRect();
        return box.bottom > top && box.top < bottom;
      }).map(({ dataset }) => Number(dataset.seq));
    });
    for (const seq of now) seen.add(seq);
  };
  await look();
  await anna.log.hover();
  for (let i = 0; i < 200 && !seen.has(360); i += 1) {
    await anna.page.mouse.wheel(0, 450);
    // Who comes to a gap waits until it has filled.
    await anna.page.waitForFunction(() => {
      const { bottom } = document.getElementById('log').getBoundingClientRect();
      return [...document.querySelectorAll('.missing')].every((gap) => gap.getBoundingClientRect().top > bottom);
    });
    await look();
  }
  const all = Array.from({ length: 300 }, (_, i) => 61 + i);
  assert.deepEqual(all.filter((seq) => !seen.has(seq)), []);
  await toLatest(anna).waitFor({ state: 'hidden' });
}));

test('what was erased while it was unread is not looked for, and nothing stays unread', () => visit(130, async (anna, carla, { server }) => {
  await server.command('POST', '/v1/erase', { user: carla.id });
  await anna.enter('Room 1');
  await anna.room('Room 1').getByText(/new message/).waitFor({ state: 'detached' });
  await toLatest(anna).waitFor({ state: 'hidden' });
  assert.deepEqual(await anna.texts(), []);
  await carla.say('a new beginning');
  await anna.sent('a new beginning').waitFor();
  await anna.page.waitForFunction(() => document.title === 'Room 1 – wschat');
}, { governed: true }));

test('what is unread but fits on the screen is read at once', () => visit(3, async (anna) => {
  await anna.enter('Room 1');
  await atEnd(anna, 63);
  assert.ok(await anna.log.locator('.divider + [data-seq="61"]').count());
  await anna.room('Room 1').getByText(/new message/).waitFor({ state: 'detached' });
}));

test('the End key leads to the latest message, and everything is read', () => visit(130, async (anna) => {
  await anna.enter('Room 1');
  await beginsAt(anna, 61);
  await anna.log.focus();
  await anna.page.keyboard.press('End');
  await atEnd(anna, 190);
  assert.equal(await anna.page.evaluate(() => document.activeElement.dataset.seq), '190');
  await anna.page.waitForFunction(() => document.title === 'Room 1 – wschat');
}));

test('after a lost connection one begins at the first message that was missed', () => visit(0, async (anna, carla, { proxy }) => {
  await anna.enter('Room 1');
  await atEnd(anna, 60);
  proxy.breakOff();
  await anna.banner.getByRole('button', { name: 'Try now' }).waitFor();
  await say(carla, 130);
  proxy.mend();
  await anna.impatient();
  await beginsAt(anna, 61);
  await toLatest(anna).waitFor();
}, { isProxied: true, allowed: AWAY }));

/** A page whose window can be put behind another one. */
const COVERED = {
  async before(page) {
    await page.addInitScript(() => {
      let isBehind = false;
      document.hasFocus = () => !isBehind;
      globalThis.cover = (isCovered) => {
        isBehind = isCovered;
        dispatchEvent(new Event(isCovered ? 'blur' : 'focus'));
      };
    });
  },
};

test('what arrives while the window is behind another one is unread, and one begins there', () => visit(0, async (anna, carla) => {
  await anna.enter('Room 1');
  await atEnd(anna, 60);
  await anna.page.evaluate(() => globalThis.cover(true));
  await carla.say('61');
  await anna.page.waitForFunction(() => document.title === '(1) Room 1 – wschat');
  await atEnd(anna, 61);
  await say(carla, 129);
  await anna.page.waitForFunction(() => document.title === '(130) Room 1 – wschat');
  await beginsAt(anna, 61);
  await anna.page.evaluate(() => globalThis.cover(false));
  const seen = await newest(anna);
  await toLatest(anna).getByText(`${190 - seen} new messages`).waitFor();
  await beginsAt(anna, 61);
}, COVERED));
