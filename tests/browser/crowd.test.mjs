// A long history, a full room and a busy room: nothing is missing, and the page stays small. figures.mjs measures how
// smooth it is.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stage } from './browser.mjs';
import { bringMembers, fill, talk } from './crowd.mjs';

const SETTINGS = { limits: { messagesPerSecond: 0, historyMaxEvents: 20_000, resumeGraceSeconds: 600 } };
/** Limits for the whole page, with the longest range of the log and the longest list of members. */
const MOST_NODES = 3_500;
const MESSAGES = 10_000;

const visit = stage();

/**
 * Scrolls through the log from the end to the beginning, a screen and a half at a time. Returns the numbers of all
 * messages that were drawn, and the largest number of nodes.
 */
async function walkBack() {
  const log = document.getElementById('log');
  const found = new Map();
  let nodes = 0;
  const look = () => {
    let before = 0;
    for (const row of log.querySelectorAll('.said')) {
      const seq = Number(row.dataset.seq);
      if (seq <= before) throw new Error(`${seq} stands behind ${before}`);
      before = seq;
      found.set(seq, row.querySelector('.content').textContent);
    }
    nodes = Math.max(nodes, document.getElementsByTagName('*').length);
  };
  look();
  while (log.scrollTop > 0 || log.querySelector('.head')?.textContent !== 'This is the beginning of Room 1.') {
    log.scrollTop -= 1.5 * log.clientHeight;
    await new Promise((resolve) => { requestAnimationFrame(resolve); });
    look();
  }
  return { found: [...found], nodes };
}

test('scrolling to the first of 10,000 messages shows each, with few drawn at once', () => visit([], async ({ server, open }) => {
  await fill(server, 1, MESSAGES, (number) => `text ${number}`);
  const tab = await open({ name: 'Anna' });
  await tab.enter('Room 1');
  const { found, nodes } = await tab.page.evaluate(walkBack);
  assert.equal(found.length, MESSAGES);
  assert.equal(new Set(found.map(([, text]) => text)).size, MESSAGES);
  assert.ok(nodes <= MOST_NODES, `${nodes} nodes`);
  await tab.page.getByRole('button', { name: 'Jump to latest' }).click();
  await tab.page.locator(`[data-seq="${MESSAGES}"]`).waitFor();
}, { settings: SETTINGS }));

test('1,000 members are counted, and each can be found', () => visit([{ name: 'Anna' }], async (anna, { server }) => {
  await anna.enter('Room 1');
  await bringMembers(server, 1, 1_000);
  await anna.rooms.getByRole('link', { name: '1,001 people here' }).waitFor();
  const shown = await anna.members.getByRole('listitem').count();
  assert.ok(shown >= 50 && shown <= 300, `${shown} members are drawn`);
  await anna.members.getByText(`and ${1_001 - shown} more`).waitFor();
  await anna.members.getByRole('searchbox', { name: 'Search members' }).fill('guest 987');
  await anna.member('Guest 987').waitFor();
  assert.equal(await anna.members.getByRole('listitem').count(), 1);
  await anna.line(/and 992 others joined/).waitFor();
}, { settings: SETTINGS }));

test('50 messages a second are all shown, once and in order', () => visit([{ name: 'Anna' }], async (anna, { server }) => {
  await anna.enter('Room 1');
  const count = 200;
  // Rows are removed again while scrolling, so each is noted when it appears.
  await anna.page.evaluate(() => {
    globalThis.drawn = [];
    new MutationObserver((changes) => {
      for (const { addedNodes } of changes) {
        for (const { dataset } of addedNodes) if (dataset?.seq) globalThis.drawn.push(Number(dataset.seq));
      }
    }).observe(document.getElementById('entries'), { childList: true });
  });
  await talk(server, 1, { perSecond: 50, count, textOf: (number) => `text ${number}` });
  await anna.page.locator(`[data-seq="${count}"]`).waitFor();
  const drawn = [...new Set(await anna.page.evaluate(() => globalThis.drawn))];
  assert.deepEqual(drawn, Array.from({ length: count }, (_, index) => index + 1));
  const texts = await anna.texts();
  assert.equal(new Set(texts).size, texts.length);
  assert.ok(await anna.page.locator('#log').evaluate((log) => log.scrollHeight - log.clientHeight - log.scrollTop < 2));
}, { settings: SETTINGS }));
