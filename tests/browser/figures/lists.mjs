// Long lists: 500 rooms and 500 members, how long until they are drawn, and finding one of them.

import { Tab } from '../browser.mjs';
import { bringMembers } from '../crowd.mjs';
import { Server } from '../server.mjs';
import { keyRows, keyTimes, measure, ms, PATIENT } from './measure.mjs';

const MANY = 500;

export async function rooms(browser) {
  const titles = Array.from({ length: MANY }, (_, i) => `Room ${i + 1}`);
  const server = await Server.start({ ...PATIENT, rooms: titles });
  const tab = await Tab.open(browser, server.url, { name: 'Zoe' });
  const { page } = tab;
  const what = `${MANY} rooms`;
  await page.addInitScript(noteAll, { selector: '#rooms a', count: MANY });
  await page.reload();
  await page.waitForFunction(() => globalThis.allDrawn !== undefined);
  const rows = [[what, 'opening the page until all are listed', ms(await page.evaluate(() => globalThis.allDrawn))]];
  rows.push(...await measure(browser, page, `${what}, one is entered`, () => tab.enter('Room 450')));
  const filter = page.locator('#room-filter');
  const isThere = await filter.count() > 0;
  if (isThere) await filter.click();
  rows.push(...(isThere ? keyRows(`${what}, filtering`, await keyTimes(page, 'room 48')) : [[`${what}, filtering`, 'key to frame', 'no filter']]));
  await tab.close();
  await server.stop();
  return rows;
}

/** Runs in the page, before all else: notes when so many are drawn. */
function noteAll({ selector, count }) {
  const look = () => {
    if (document.querySelectorAll(selector).length >= count) globalThis.allDrawn = performance.now();
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}

export async function members(browser) {
  const server = await Server.start(PATIENT);
  await bringMembers(server, 1, MANY);
  const tab = await Tab.open(browser, server.url, { name: 'Zoe', viewport: { width: 1440, height: 900 } });
  const { page } = tab;
  const what = `${MANY} members`;
  const rows = await measure(browser, page, `${what}, their room is entered`, async () => {
    await tab.enter('Room 1');
    await tab.members.getByRole('listitem').first().waitFor();
  });
  await tab.members.getByRole('searchbox').click();
  rows.push(...keyRows(`${what}, searching`, await keyTimes(page, 'guest 48')));
  await tab.close();
  await server.stop();
  return rows;
}
