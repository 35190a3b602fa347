// A slow phone, emulated: a processor that is four times slower, and "Fast 3G".

import { PHONE, Tab } from '../browser.mjs';
import { fill } from '../crowd.mjs';
import { Server } from '../server.mjs';
import { keyRows, keyTimes, ms, PATIENT, quantile, textOf } from './measure.mjs';

const SLOWER = 4;
const FAST_3G = { offline: false, latency: 150, downloadThroughput: 1_600_000 / 8, uploadThroughput: 750_000 / 8 };
const LOADS = 5;
const MESSAGES = 200;
const WHAT = 'slow phone (4 × CPU, Fast 3G)';

async function slowDown(page) {
  const session = await page.context().newCDPSession(page);
  await session.send('Network.enable');
  await session.send('Network.emulateNetworkConditions', FAST_3G);
  await session.send('Emulation.setCPUThrottlingRate', { rate: SLOWER });
  return session;
}

/** Runs in the page, before all else: notes when the first room and the first message are on the screen. */
function noteFirsts() {
  globalThis.firsts = {};
  const wanted = { rooms: '#rooms a', message: '#entries .said' };
  const look = () => {
    for (const [name, selector] of Object.entries(wanted)) {
      if (globalThis.firsts[name] === undefined && document.querySelector(selector)) globalThis.firsts[name] = performance.now();
    }
    if (Object.keys(globalThis.firsts).length < 2) requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}

/** Opens the address of a room as somebody who has a name, with nothing or everything in the cache. */
async function loads(context, url, isCached) {
  const page = await context.newPage();
  const session = await slowDown(page);
  await session.send('Network.setCacheDisabled', { cacheDisabled: !isCached });
  await page.addInitScript(noteFirsts);
  await page.goto(`${url}#room=1`);
  await page.waitForFunction(() => globalThis.firsts.message !== undefined && globalThis.firsts.rooms !== undefined);
  const seen = await page.evaluate(() => ({
    paint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime, ...globalThis.firsts,
  }));
  await page.close();
  return seen;
}

async function sends(tab) {
  const times = [];
  for (let i = 0; i < 20; i += 1) {
    await tab.text.fill(`Mine ${i}`);
    times.push(await tab.page.evaluate(() => new Promise((resolve) => {
      const log = document.getElementById('entries');
      const count = () => log.querySelectorAll('.own').length;
      const [before, began] = [count(), performance.now()];
      const look = () => (count() > before ? resolve(performance.now() - began) : requestAnimationFrame(look));
      document.getElementById('send').click();
      requestAnimationFrame(look);
    })));
  }
  return times;
}

export async function phone(browser) {
  const server = await Server.start(PATIENT);
  await fill(server, 1, MESSAGES, textOf);
  const tab = await Tab.open(browser, server.url, { name: 'Zoe', ...PHONE });
  const context = tab.page.context();
  const rows = [];
  for (const [what, isCached] of [['nothing cached', false], ['cached', true]]) {
    const seen = [];
    for (let i = 0; i < LOADS; i += 1) seen.push(await loads(context, server.url, isCached));
    const half = (key) => ms(quantile(seen.map((one) => one[key]), 0.5));
    rows.push([`${WHAT}, ${what}`, 'first paint', half('paint')]);
    rows.push([`${WHAT}, ${what}`, 'rooms listed', half('rooms')]);
    rows.push([`${WHAT}, ${what}`, 'first message', half('message')]);
  }
  await tab.page.goto(`${server.url}#room=1`);
  await tab.page.reload();
  await tab.text.waitFor();
  await slowDown(tab.page);
  await tab.text.tap();
  const text = 'This is written on a slow phone, as fast as the phone permits. '.repeat(3);
  rows.push(...keyRows(`${WHAT}, writing`, await keyTimes(tab.page, text)));
  rows.push([`${WHAT}, writing`, 'Send to own message, p50', ms(quantile(await sends(tab), 0.5))]);
  await tab.close();
  await server.stop();
  return rows;
}
