// The log: scrolling back, new messages, and links to messages.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IN_PLACE, PHONE, stage } from './browser.mjs';
import { PATIENT, Talker } from './talker.mjs';

const visitServer = stage();

/** Carla has said `count` messages in Room 1, and Anna has entered it. */
const visit = (count, story, options) => visitServer([], async ({ server, open }) => {
  const carla = await Talker.enter(server, { name: 'Carla' });
  const words = (i) => `message ${i + 1}${i % 7 === 0 ? ' of many lines'.repeat(20) : ''}`;
  await carla.say(...Array.from({ length: count }, (_, i) => words(i)));
  const anna = await open({ name: 'Anna', ...options });
  await anna.enter('Room 1');
  await atEnd(anna, count);
  await story(anna, carla, { server, open });
}, { settings: PATIENT });

/** The row of the message with this number. */
const row = (tab, seq) => tab.log.locator(`[data-seq="${seq}"]`);
const toLatest = (tab) => tab.page.locator('#to-latest');
const divider = (tab) => tab.log.getByText('New messages', { exact: true });

/** Waits until the log is at its end, with this message as the last. */
const atEnd = (tab, seq) => tab.page.waitForFunction((number) => {
  const log = document.getElementById('log');
  const last = [...document.querySelectorAll('[data-seq]')].at(-1);
  return last?.dataset.seq === String(number) && log.scrollHeight - log.clientHeight - log.scrollTop < 2;
}, seq);

const scrollUp = (tab, pixels) => tab.log.evaluate((log, by) => { log.scrollTop -= by; }, pixels);

/** Whether the row is completely visible in the log. */
const isSeen = (locator) => locator.evaluate((item) => {
  const log = document.getElementById('log').getBoundingClientRect();
  const { top, bottom } = item.getBoundingClientRect();
  return top >= log.top - 1 && bottom <= log.bottom + 1;
});

test('scrolling up loads older messages, and the reading position stays', () => visit(320, async (anna) => {
  let oldest = 320;
  let pages = 0;
  while (oldest > 1) {
    // To the first row on the page: older ones are added above, and it must not move.
    const moved = await anna.log.evaluate(async (log) => {
      const list = document.getElementById('entries');
      const first = () => Number(list.querySelector('[data-seq]').dataset.seq);
      const place = (seq) => list.querySelector(`[data-seq="${seq}"]`).getBoundingClientRect().top;
      const before = first();
      const more = new Promise((resolve) => {
        new MutationObserver((_, observer) => {
          if (first() >= before) return;
          observer.disconnect();
          resolve();
        }).observe(list, { childList: true });
      });
      log.scrollTop = 0;
      // The second row: the first may join the group of an older message and lose its name.
      const top = place(before + 1);
      await more;
      await new Promise((resolve) => { requestAnimationFrame(() => requestAnimationFrame(resolve)); });
      return { before, now: first(), moved: place(before + 1) - top };
    });
    assert.ok(Math.abs(moved.moved) < 1, JSON.stringify(moved));
    oldest = moved.now;
    pages += 1;
  }
  assert.ok(pages > 4, `${pages} pages`);
  await anna.log.getByText('This is the beginning of Room 1.').waitFor();
  const count = await anna.log.locator('#entries > li').count();
  assert.ok(count < 250, `${count} rows are drawn`);
  await toLatest(anna).click();
  await atEnd(anna, 320);
}));

/** The numbers of the visible messages, after the next drawing. */
const look = (tab) => tab.log.evaluate(async (log) => {
  await new Promise((resolve) => { requestAnimationFrame(() => requestAnimationFrame(resolve)); });
  const { top, bottom } = log.getBoundingClientRect();
  return [...log.querySelectorAll('[data-seq]')].filter((item) => {
    const box = item.getBoundingClientRect();
    return box.bottom > top && box.top < bottom;
  }).map(({ dataset }) => Number(dataset.seq));
});

test('scrolling by wheel skips no message', () => visit(160, async (anna) => {
  const all = Array.from({ length: 160 }, (_, i) => i + 1);
  await anna.log.hover();
  for (const [by, last] of [[-450, 1], [450, 160]]) {
    const seen = new Set(await look(anna));
    for (let i = 0; i < 200 && !seen.has(last); i += 1) {
      await anna.page.mouse.wheel(0, by);
      for (const seq of await look(anna)) seen.add(seq);
    }
    assert.deepEqual(all.filter((seq) => !seen.has(seq)), []);
  }
}));

test('at the end new messages scroll in, further up a button counts them', () => visit(60, async (anna, carla) => {
  await carla.say('61');
  await atEnd(anna, 61);
  assert.ok(await toLatest(anna).isHidden());

  await scrollUp(anna, 900);
  await toLatest(anna).getByText('Jump to latest').waitFor();
  const place = await anna.log.evaluate((log) => log.scrollTop);
  await carla.say('62', '63');
  await toLatest(anna).getByText('2 new messages').waitFor();
  assert.equal(await anna.log.evaluate((log) => log.scrollTop), place);
  await toLatest(anna).click();
  await atEnd(anna, 63);
  await toLatest(anna).waitFor({ state: 'hidden' });
  assert.equal(await divider(anna).count(), 1);
  assert.ok(await anna.log.locator('.divider + [data-seq="62"]').count());

  // It stays while Anna follows the conversation, and goes when she scrolls away after reading everything.
  await carla.say('64');
  await atEnd(anna, 64);
  assert.ok(await anna.log.locator('.divider + [data-seq="62"]').count());
  await scrollUp(anna, 900);
  await divider(anna).waitFor({ state: 'detached' });

  // Sending a message scrolls to it.
  await anna.say('my own');
  await atEnd(anna, 65);
  assert.equal(await divider(anna).count(), 0);
}));

test('a room entered again shows what is new', () => visit(30, async (anna, carla) => {
  await anna.enter('Room 2');
  await carla.say('31', '32');
  await anna.enter('Room 1');
  await atEnd(anna, 32);
  assert.ok(await anna.log.locator('.divider + [data-seq="31"]').count());
  // A reload keeps it.
  await anna.enter('Room 2');
  await anna.page.reload();
  await anna.page.getByRole('heading', { name: 'Room 2', exact: true }).waitFor();
  await carla.say('33');
  await anna.enter('Room 1');
  await atEnd(anna, 33);
  assert.ok(await anna.log.locator('.divider + [data-seq="33"]').count());
  assert.equal(await divider(anna).count(), 1);
}));

test('messages that arrive while the page is hidden are below the divider', () => visit(3, async (anna, carla) => {
  const show = (state) => anna.page.evaluate((now) => {
    Object.defineProperty(document, 'visibilityState', { value: now, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  }, state);
  await show('hidden');
  await carla.say('four');
  await anna.log.locator('.divider + [data-seq="4"]').waitFor();
  await show('visible');
  await carla.say('five');
  await row(anna, 5).waitFor();
  assert.ok(await anna.log.locator('.divider + [data-seq="4"]').count());
}));

const clipboard = { permissions: ['clipboard-read', 'clipboard-write'] };
const copied = (tab) => tab.page.evaluate(() => navigator.clipboard.readText());

test('a message’s link can be copied, and opens at the message', () => visit(300, async (anna, carla, { server, open }) => {
  const link = (seq) => new URL(`#room=1&seq=${seq}`, server.url).href;
  const copy = anna.page.getByRole('button', { name: 'Copy link', exact: true });
  await row(anna, 299).hover(IN_PLACE);
  await copy.click();
  await anna.showed('toast', /Link copied/);
  assert.equal(await copied(anna), link(299));

  // By keyboard.
  const { keyboard } = anna.page;
  const seq = () => anna.page.evaluate(() => document.activeElement.dataset.seq);
  await keyboard.press('Alt+m');
  await keyboard.press('ArrowUp');
  assert.equal(await seq(), '300');
  await keyboard.press('ArrowUp');
  await keyboard.press('ArrowUp');
  assert.equal(await seq(), '298');
  await keyboard.press('c');
  await anna.page.waitForFunction((href) => navigator.clipboard.readText().then((text) => text === href), link(298));
  await keyboard.press('ArrowDown');
  await keyboard.press('Enter');
  await anna.page.waitForFunction((href) => navigator.clipboard.readText().then((text) => text === href), link(299));
  await keyboard.press('Home');
  assert.ok(Number(await seq()) < 298);
  await keyboard.press('End');
  assert.equal(await seq(), '300');
  await keyboard.press('Escape');
  assert.equal(await anna.page.evaluate(() => document.activeElement.id), 'text');

  // A link to an old message, while the page is open.
  await anna.page.evaluate((hash) => { location.hash = hash; }, '#room=1&seq=120');
  // One check for both: it is highlighted for two seconds only.
  await anna.page.waitForFunction(() => document.activeElement.matches('[data-seq="120"].target'));
  assert.ok(await isSeen(row(anna, 120)));
  await row(anna, 120).and(anna.log.locator(':not(.target)')).waitFor();
  await toLatest(anna).click();
  await atEnd(anna, 300);

  // As a friend opens it, on a first visit.
  const friend = await open({ name: 'Ben', hash: '#room=1&seq=17' });
  await row(friend, 17).waitFor();
  assert.ok(await isSeen(row(friend, 17)));
  await friend.page.evaluate((hash) => { location.hash = hash; }, '#room=1&seq=12345');
  await friend.notice.getByText('This message is no longer available.').waitFor();
}, clipboard));

test('on a phone a tap shows the link button, and a resize keeps the position', () => visit(40, async (anna) => {
  // As on a busy machine the room is still coming in at the first attempt, and no more at the second. The handler is
  // called before the row is looked for, and before each attempt.
  const room = anna.page.locator('#room');
  const coming = await room.evaluateHandle((node) => (
    node.animate({ translate: ['0 0.5rem', '0'] }, { duration: 1_000, iterations: Infinity })));
  let calls = 0;
  await anna.page.addLocatorHandler(room, async () => {
    calls += 1;
    if (calls === 3) await coming.evaluate((animation) => animation.cancel());
  }, { times: 3, noWaitAfter: true });
  await row(anna, 39).tap(IN_PLACE);
  assert.equal(calls, 3);
  const copy = anna.page.getByRole('button', { name: 'Copy link', exact: true });
  await copy.waitFor();
  const box = await copy.boundingBox();
  assert.ok(box.x >= 0 && box.x + box.width <= 390, JSON.stringify(box));
  // As when the keyboard opens.
  await anna.page.setViewportSize({ width: 390, height: 420 });
  await atEnd(anna, 40);
  await scrollUp(anna, 600);
  await toLatest(anna).waitFor();
  const top = () => anna.log.evaluate((log) => {
    const edge = log.getBoundingClientRect().top;
    const item = [...log.querySelectorAll('.said')].find((one) => one.getBoundingClientRect().bottom > edge);
    return [item.dataset.seq, Math.round(item.getBoundingClientRect().top - edge)];
  });
  const before = await top();
  await anna.page.setViewportSize({ width: 390, height: 780 });
  await anna.page.waitForFunction(() => document.getElementById('log').clientHeight > 500);
  assert.deepEqual(await top(), before);
}, PHONE));
