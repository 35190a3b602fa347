// The views of the page (views.mjs) for everybody: axe-core finds nothing in any of them, light, dark and in forced
// colours, on a desktop, zoomed in to 400 %, and on a phone; nothing is cut off or covered; nothing moves that should
// not; and a finger hits every control.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { launch, PHONE } from './browser.mjs';
import { openView, VIEWS, Worlds } from './views.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** All rules of WCAG 2.2 A and AA, and the best practices. Nothing here needs the style sheets read once more. */
const ALL = { preload: false };
const CONTRAST = { ...ALL, runOnly: ['color-contrast'] };
const DESKTOP = { viewport: { width: 1440, height: 900 } };
/** What is left of a window of 1280 by 1024 at 400 %. */
const ZOOMED = { width: 320, height: 256 };
const FINGER_PX = 44;

let browser;
const worlds = new Worlds();
before(async () => { browser = await launch(); });
after(async () => {
  await browser.close();
  await worlds.stop();
});

async function axe(page, settings) {
  if (!await page.evaluate(() => 'axe' in globalThis)) await page.evaluate(AXE);
  return page.evaluate(async (options) => {
    const { violations } = await globalThis.axe.run(document, { resultTypes: ['violations'], ...options });
    const told = ({ target, failureSummary }) => `${target} ${failureSummary}`;
    // The arrow keys scroll the suggestions from the box, which as a text area cannot call itself a combobox.
    const isRight = ({ id, nodes }) => id === 'scrollable-region-focusable' && nodes.every(({ target }) => `${target}` === '#completion');
    return violations.filter((found) => !isRight(found)).map(({ id, nodes }) => [id, ...nodes.map(told)]);
  }, settings);
}

/** Changes how the page is shown, and waits until it has become that. */
async function show(page, media) {
  await page.emulateMedia(media);
  await page.evaluate(async () => {
    // What inherits a colour that changes begins to change when that has ended.
    for (let still = 0; still < 2;) {
      await new Promise((resolve) => { requestAnimationFrame(resolve); });
      const changes = document.getAnimations().filter(({ effect }) => effect.getComputedTiming().iterations < Infinity);
      still = changes.length === 0 ? still + 1 : 0;
      await Promise.allSettled(changes.map(({ finished }) => finished));
    }
  });
}

/** In dark mode and in forced colours only the colours differ, so only their contrast is checked. */
async function checkColours(page) {
  assert.deepEqual(await axe(page, ALL), [], 'light');
  await show(page, { colorScheme: 'dark' });
  assert.deepEqual(await axe(page, CONTRAST), [], 'dark');
  await show(page, { colorScheme: 'light', forcedColors: 'active' });
  assert.deepEqual(await axe(page, CONTRAST), [], 'forced colours');
  await show(page, { forcedColors: 'none' });
}

/** Runs in the page: what is wider than the window, and which controls cannot be brought into sight and used. */
function outOfReach() {
  const found = document.scrollingElement.scrollWidth > innerWidth ? ['the page scrolls sideways'] : [];
  const modal = document.querySelector('dialog[open]');
  const name = (node) => node.id || node.getAttribute('aria-label') || node.textContent.trim().slice(0, 40) || node.tagName;
  for (const node of (modal ?? document).querySelectorAll('a, button, input, textarea, summary, [role="option"], [role="tab"]')) {
    // What is for screen readers only, or for the keyboard, has no place on the screen until it has the focus.
    if (!node.checkVisibility({ visibilityProperty: true }) || node.closest('.unseen, #skip')) continue;
    node.scrollIntoView({ block: 'center', inline: 'nearest', behavior: 'instant' });
    const [box] = node.getClientRects();
    if (!box || box.width <= 2) continue;
    if (box.left < -0.5 || box.right > innerWidth + 0.5) found.push(`${name(node)} is cut off`);
    const top = document.elementFromPoint((box.left + box.right) / 2, (box.top + box.bottom) / 2);
    // Suggestions lie over the messages while one writes, and close by a tap beside them.
    if (top?.closest('#completion')) continue;
    if (!top || !(node.contains(top) || top.contains(node) || top.closest('label')?.contains(node))) {
      found.push(`${name(node)} is covered by ${top ? name(top) : 'the edge'}`);
    }
  }
  return found;
}

/** Runs in the page: what a finger may miss. Links within a sentence may be as high as a line. */
function tooSmall(least) {
  const found = [];
  const modal = document.querySelector('dialog[open]');
  for (const node of (modal ?? document).querySelectorAll('a, button, input, textarea, summary, [role="option"], [role="tab"]')) {
    if (!node.checkVisibility({ visibilityProperty: true }) || node.closest('.unseen, #skip')) continue;
    if (node.matches('a') && getComputedStyle(node).display === 'inline') continue;
    // Where a label is around the control, the finger may hit that, too.
    const { width, height } = (node.closest('label') ?? node).getBoundingClientRect();
    if (width > 2 && (width < least - 0.5 || height < least - 0.5)) {
      const name = node.id || node.getAttribute('aria-label') || node.textContent.trim().slice(0, 40);
      found.push(`${name}: ${Math.round(width)} × ${Math.round(height)}`);
    }
  }
  return [...new Set(found)];
}

/** Runs in the page: what moves, for longer than anybody can see. */
function moving() {
  return document.getAnimations()
    .filter(({ effect }) => effect.getComputedTiming().activeDuration > 10)
    .map(({ effect }) => `${effect.target.id || effect.target.className}: ${effect.getKeyframes().map((frame) => Object.keys(frame))}`);
}

/** The height that is left for what is read. */
const readable = (page) => page.evaluate(() => {
  const log = document.getElementById('log');
  return log.checkVisibility() && !document.querySelector('dialog[open]') ? log.clientHeight : Infinity;
});

for (const view of VIEWS.filter(({ isLike }) => !isLike)) {
  test(`${view.name}: on a desktop, and at 400 %`, async (t) => {
    const { tab: { page }, close } = await openView(browser, worlds, view, DESKTOP);
    t.after(close);
    await checkColours(page);
    assert.deepEqual(await page.evaluate(outOfReach), [], 'at 1440');
    await page.setViewportSize(ZOOMED);
    await show(page, {});
    assert.deepEqual(await axe(page, ALL), [], 'at 400 %');
    assert.deepEqual(await page.evaluate(outOfReach), [], 'at 400 %');
    assert.ok(await readable(page) >= 60, `at 400 % ${await readable(page)} pixels are left for the messages`);
  });
}

for (const view of VIEWS.filter(({ isOwnOnPhone }) => isOwnOnPhone)) {
  test(`${view.name}: on a phone, with reduced motion`, async (t) => {
    const { tab: { page }, close } = await openView(browser, worlds, view, { ...PHONE, reducedMotion: 'reduce' });
    t.after(close);
    assert.deepEqual(await page.evaluate(moving), [], 'nothing moves');
    assert.deepEqual(await axe(page, ALL), []);
    assert.deepEqual(await page.evaluate(outOfReach), []);
    assert.deepEqual(await page.evaluate(tooSmall, FINGER_PX), [], 'a finger hits all');
  });
}
