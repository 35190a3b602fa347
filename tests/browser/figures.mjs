// Measures how smooth the page stays under load: `npm run figures`. It prints a table and judges nothing, since the
// figures depend on the machine. A long task keeps the page from answering for more than 50 ms. Where other programs
// use the processor too, part of that is waiting; the processor time of the task says more.

import { launch, Tab } from './browser.mjs';
import { bringMembers, fill, talk } from './crowd.mjs';
import { Server } from './server.mjs';

const MESSAGES = 10_000;
const MEMBERS = 1_000;
const PER_SECOND = 50;
const SECONDS = 20;
/** A full screen of messages per frame, faster than anybody scrolls for long. */
const PIXELS_PER_FRAME = 600;

const SERVER = {
  limits: { messagesPerSecond: 0, historyMaxEvents: 20_000, resumeGraceSeconds: 600, maxConnections: 4_000 },
};

const WORDS = 'What is said in a room is short, most of the time, but now and then somebody has more to tell than fits '
  + 'one line of the screen, and then it takes two or three';

/** What people write: mostly short, some with markup, links, emoji, names or a GIF. */
function textOf(number) {
  const words = WORDS.slice(0, 12 + ((number * 37) % 130));
  const kinds = [
    `${number} ${words}`, `${number} **${words}**`, `${number} see https://example.org/${number} :tada:`,
    `${number} @Ada ${words}`, `${number} \`code\` and _more_`, `${number}\n> ${words}\n${words}`, `${number} :heart:`,
  ];
  return kinds[number % 11] ?? kinds[0];
}

/** Runs in the page: starts measuring. */
function watch() {
  const seen = { gaps: [], nodes: 0, before: performance.now(), from: performance.now(), isOn: true };
  const frame = (now) => {
    if (!seen.isOn) return;
    seen.gaps.push(now - seen.before);
    seen.before = now;
    seen.nodes = Math.max(seen.nodes, document.getElementsByTagName('*').length);
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  globalThis.figures = seen;
}

/** Stops measuring and returns the results. */
function sum() {
  const seen = globalThis.figures;
  seen.isOn = false;
  const tasks = globalThis.longTasks.filter(({ at }) => at >= seen.from).map(({ ms }) => ms);
  const gaps = seen.gaps.toSorted((a, b) => a - b);
  return {
    longest: tasks.length === 0 ? 'none' : Math.round(Math.max(...tasks)),
    over: tasks.length,
    nodes: seen.nodes,
    frame: gaps[gaps.length >> 1].toFixed(1),
    worst: Math.round(gaps[Math.floor(gaps.length * 0.99)]),
  };
}

/** Scrolls one step per frame until the beginning (or the end). */
async function scroll({ step, isBack }) {
  const log = document.getElementById('log');
  const frame = () => new Promise((resolve) => { requestAnimationFrame(resolve); });
  const isThere = () => (isBack
    ? log.scrollTop === 0 && log.querySelector('.head')?.textContent.includes('begins')
    : log.scrollHeight - log.clientHeight - log.scrollTop < 2 && document.getElementById('to-latest').hidden);
  while (!isThere()) {
    log.scrollTop += isBack ? -step : step;
    await frame();
  }
}

const table = [];

async function measure(tab, what, act) {
  await browser.startTracing(tab.page, { categories: ['toplevel'] });
  await tab.page.evaluate(watch);
  await act();
  const seen = await tab.page.evaluate(sum);
  const worked = workedMs(JSON.parse(await browser.stopTracing()));
  table.push({ what, ...seen, ...worked });
}

/** The processor time of single tasks on the page's main thread. */
function workedMs({ traceEvents }) {
  const thread = ({ pid, tid }) => `${pid} ${tid}`;
  const isMain = ({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain';
  const main = new Set(traceEvents.filter(isMain).map(thread));
  const times = traceEvents
    .filter((event) => event.ph === 'X' && event.name.endsWith('RunTask') && main.has(thread(event)))
    .map(({ tdur = 0 }) => tdur / 1_000);
  return { worked: Math.round(times.reduce((a, c) => Math.max(a, c), 0)), workedOver: times.filter((ms) => ms > 50).length };
}

async function visit(browser, server) {
  const tab = await Tab.open(browser, server.url, { name: 'Zoe' });
  await tab.page.evaluate(() => {
    globalThis.longTasks = [];
    new PerformanceObserver((list) => {
      for (const { startTime, duration } of list.getEntries()) globalThis.longTasks.push({ at: startTime, ms: duration });
    }).observe({ type: 'longtask', buffered: true });
  });
  return tab;
}

async function longTalk(browser) {
  const server = await Server.start(SERVER);
  await fill(server, 1, MESSAGES, textOf);
  const tab = await visit(browser, server);
  await measure(tab, 'a room is entered', () => tab.enter('Room 1'));
  const count = MESSAGES.toLocaleString('en');
  const go = (isBack) => tab.page.evaluate(scroll, { step: PIXELS_PER_FRAME, isBack });
  await measure(tab, `${count} messages, end to start, loading them`, () => go(true));
  await measure(tab, `${count} messages, start to end`, () => go(false));
  await tab.close();
  await server.stop();
}

async function fullRoom(browser) {
  const server = await Server.start(SERVER);
  const tab = await visit(browser, server);
  await tab.enter('Room 1');
  const allThere = () => tab.rooms.getByRole('link', { name: '1,001 people here' }).waitFor({ timeout: 60_000 });
  await measure(tab, '1,000 members enter', () => Promise.all([bringMembers(server, 1, MEMBERS), allThere()]));
  const count = PER_SECOND * SECONDS;
  const last = () => tab.page.locator(`[data-seq="${count}"]`).waitFor({ timeout: 60_000 });
  await measure(tab, `${PER_SECOND} messages a second, 1,000 members`, () => Promise.all([
    talk(server, 1, { perSecond: PER_SECOND, count, textOf }), last(),
  ]));
  await tab.close();
  await server.stop();
}

const browser = await launch();
try {
  await longTalk(browser);
  await fullRoom(browser);
} finally {
  await browser.close();
}

const HEADINGS = {
  what: '', longest: 'longest task (ms)', over: 'over 50 ms', worked: 'most work (ms)', workedOver: 'over 50 ms',
  nodes: 'most nodes', frame: 'median frame (ms)', worst: '99 % of frames (ms)',
};
const lines = [HEADINGS, ...table].map((row) => Object.keys(HEADINGS).map((key) => String(row[key])));
const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => line[column].length)));
for (const line of lines) {
  console.log(line.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]))).join('  '));
}
