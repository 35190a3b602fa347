// A room of ten thousand messages, and one with a thousand members who talk.

import { Tab } from '../browser.mjs';
import { bringMembers, fill, talk as speak } from '../crowd.mjs';
import { Server } from '../server.mjs';
import { measure, PATIENT, textOf } from './measure.mjs';

const MESSAGES = 10_000;
const MEMBERS = 1_000;
const PER_SECOND = 50;
const SECONDS = 20;
/** A full screen of messages per frame, faster than anybody scrolls for long. */
const PIXELS_PER_FRAME = 600;

/** Runs in the page: scrolls one step per frame until the beginning (or the end). */
async function scroll({ step, isBack }) {
  const log = document.getElementById('log');
  const frame = () => new Promise((resolve) => { requestAnimationFrame(resolve); });
  const isThere = () => (isBack
    ? log.scrollTop === 0 && log.querySelector('[data-seq="1"]')
    : log.scrollHeight - log.clientHeight - log.scrollTop < 2 && document.getElementById('to-latest').hidden);
  while (!isThere()) {
    log.scrollTop += isBack ? -step : step;
    await frame();
  }
}

export async function talk(browser) {
  return [...await longTalk(browser), ...await fullRoom(browser)];
}

async function longTalk(browser) {
  const server = await Server.start(PATIENT);
  await fill(server, 1, MESSAGES, textOf);
  const tab = await Tab.open(browser, server.url, { name: 'Zoe' });
  const count = MESSAGES.toLocaleString('en');
  const go = (isBack) => tab.page.evaluate(scroll, { step: PIXELS_PER_FRAME, isBack });
  const rows = [
    ...await measure(browser, tab.page, 'a room is entered', () => tab.enter('Room 1')),
    ...await measure(browser, tab.page, `${count} messages, scrolling up, loading them`, () => go(true)),
    ...await measure(browser, tab.page, `${count} messages, scrolling down`, () => go(false)),
  ];
  await tab.close();
  await server.stop();
  return rows;
}

async function fullRoom(browser) {
  const server = await Server.start(PATIENT);
  const tab = await Tab.open(browser, server.url, { name: 'Zoe' });
  await tab.enter('Room 1');
  const allThere = () => tab.rooms.getByRole('link', { name: '1,001 people here' }).waitFor({ timeout: 60_000 });
  const count = PER_SECOND * SECONDS;
  const last = () => tab.page.locator(`[data-seq="${count}"]`).waitFor({ timeout: 60_000 });
  const rows = [
    ...await measure(browser, tab.page, '1,000 members enter', () => Promise.all([bringMembers(server, 1, MEMBERS), allThere()])),
    ...await measure(browser, tab.page, `${PER_SECOND} messages a second, 1,000 members`, () => Promise.all([
      speak(server, 1, { perSecond: PER_SECOND, count, textOf }), last(),
    ])),
  ];
  await tab.close();
  await server.stop();
  return rows;
}
