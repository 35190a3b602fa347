// The server is killed again and again under pages that are sending. In the end every page shows every message, once
// and in the same order, and has kept its draft.

import assert from 'node:assert/strict';
import { setImmediate as soon } from 'node:timers/promises';
import { test } from 'node:test';
import { AWAY, stage } from './browser.mjs';
import { Guest } from './crowd.mjs';

const KILLS = 10;
const NAMES = ['Anna', 'Ben', 'Cleo'];
/** Enough history on entering for a reloaded page to have everything. */
const SETTINGS = { history: { file: 'wschat.db' }, limits: { historyOnEnter: 200 } };

const visit = stage();
const visitors = NAMES.map((name) => ({ name, allowed: AWAY }));

/** Messages that are still in the page's outbox. */
const unsent = ({ page }) => page.locator('#entries > .said:not([data-seq])');

/** Lets `count` texts through to the server, and holds the rest. Resolves when the last of them has been passed on. */
function letThrough(proxy, count) {
  let passed = 0;
  return new Promise((resolve) => {
    proxy.gate = ({ type }, isUp) => {
      if (!isUp || type !== 'text') return 'pass';
      if (passed === count) return 'hold';
      passed += 1;
      if (passed === count) resolve();
      return 'pass';
    };
  });
}

/** Asserts that every page shows everything that was said, in the server's order. */
async function allSaid(tabs, server, said) {
  for (const { page } of tabs) {
    await page.waitForFunction((count) => {
      const rows = document.querySelectorAll('#entries > .said');
      return rows.length >= count && [...rows].every((row) => row.dataset.seq !== undefined);
    }, said.length).catch(() => {}); // the assertions below say what is missing
  }
  const guest = await Guest.connect(server.socketUrl);
  const kept = await guest.texts(1);
  guest.socket.terminate();
  assert.deepEqual(kept.toSorted(), said.toSorted());
  for (const tab of tabs) {
    assert.equal(await unsent(tab).count(), 0);
    assert.deepEqual(await tab.texts(), kept);
    assert.equal(await tab.page.locator('#entries > .missing').count(), 0);
  }
  // Every author's messages are in the order in which they were written.
  for (const name of NAMES) {
    const own = (texts) => texts.filter((text) => text.startsWith(name));
    assert.deepEqual(own(kept), own(said));
  }
}

test('the server is killed ten times: no message lost or doubled, every draft kept', () => visit(visitors, async (...args) => {
  const tabs = args.slice(0, NAMES.length);
  const { server } = args.at(-1);
  for (const tab of tabs) {
    await tab.enter('Room 1');
    await tab.impatient();
  }
  const said = [];
  const drafts = [];
  for (let kill = 1; kill <= KILLS; kill += 1) {
    await Promise.all(tabs.map(async (tab, index) => {
      const words = `${NAMES[index]} ${kill}`;
      for (const part of ['a', 'b']) {
        await tab.say(`${words}${part}`);
        said.push(`${words}${part}`);
      }
      drafts[index] = `draft ${words}`;
      await tab.text.fill(drafts[index]);
    }));
    // At a different moment each time: messages may be unheard, heard or acknowledged.
    await tabs[kill % 3].say(`${NAMES[kill % 3]} ${kill}c`);
    said.push(`${NAMES[kill % 3]} ${kill}c`);
    drafts[kill % 3] = '';
    for (let turn = 0; turn < kill * 2; turn += 1) await soon();
    await server.kill();
    // One tab writes on while the server is down, and another is reloaded as soon as it is up.
    await tabs[(kill + 1) % 3].page.locator('#room.away').waitFor();
    await tabs[(kill + 1) % 3].say(`${NAMES[(kill + 1) % 3]} ${kill}d`);
    said.push(`${NAMES[(kill + 1) % 3]} ${kill}d`);
    await tabs[(kill + 1) % 3].text.fill(`later ${kill}`);
    drafts[(kill + 1) % 3] = `later ${kill}`;
    await server.restart();
    await Promise.all(tabs.map((tab) => tab.wake()));
    if (kill % 3 === 0) {
      await tabs[kill % 2].page.reload();
      await tabs[kill % 2].impatient();
    }
    for (const [index, tab] of tabs.entries()) {
      await tab.isIn('Room 1');
      assert.equal(await tab.text.inputValue(), drafts[index]);
    }
  }
  await allSaid(tabs, server, said);
  for (const [index, tab] of tabs.entries()) assert.equal(await tab.text.inputValue(), drafts[index]);
}, { settings: SETTINGS }));

test('the server is killed again and again while the page sends what was written offline', () => visit([visitors[0]], async (anna, { server, proxy }) => {
  await anna.enter('Room 1');
  await anna.impatient();
  await server.kill();
  await anna.page.locator('#room.away').waitFor();
  const said = Array.from({ length: 20 }, (_, index) => `Anna ${index + 1}`);
  for (const text of said) await anna.say(text);
  for (let kill = 1; kill <= 4; kill += 1) {
    // Something is left to send at each kill, however late it comes; whether the last text arrives is left to chance.
    const passed = letThrough(proxy, kill);
    await server.restart();
    await anna.wake();
    await passed;
    await server.kill();
    await anna.page.locator('#room.away').waitFor();
  }
  proxy.release();
  await server.restart();
  await allSaid([anna], server, said);
}, { settings: SETTINGS, isProxied: true }));
