// Measures what happens in a page: tasks, frames, nodes, and the time from a key to the frame that shows it.

export const ms = (value) => (value === undefined ? 'none' : `${Math.round(value)} ms`);

/** The value below which this part of all values lies. */
export function quantile(values, part) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
}

/** Runs in the page: starts measuring. */
function watch() {
  const seen = { gaps: [], nodes: 0, before: performance.now(), from: performance.now(), isOn: true, tasks: [] };
  seen.observer = new PerformanceObserver((list) => seen.tasks.push(...list.getEntries().map(({ duration }) => duration)));
  seen.observer.observe({ type: 'longtask' });
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

/** Runs in the page: stops measuring. */
function sum() {
  const seen = globalThis.figures;
  seen.isOn = false;
  seen.observer.disconnect();
  return { gaps: seen.gaps, nodes: seen.nodes, tasks: seen.tasks };
}

/** The processor time of single tasks on the page's main thread. */
function workedMs({ traceEvents }) {
  const thread = ({ pid, tid }) => `${pid} ${tid}`;
  const isMain = ({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain';
  const main = new Set(traceEvents.filter(isMain).map(thread));
  const times = traceEvents
    .filter((event) => event.ph === 'X' && event.name.endsWith('RunTask') && main.has(thread(event)))
    .map(({ tdur = 0 }) => tdur / 1_000);
  return times.reduce((a, c) => Math.max(a, c), 0);
}

/**
 * Rows about what the page does during `act`. A long task keeps it from answering for more than 50 ms. Where other
 * programs use the processor too, part of that is waiting: "most work" is the processor time of one task.
 */
export async function measure(browser, page, what, act) {
  await browser.startTracing(page, { categories: ['toplevel'] });
  await page.evaluate(watch);
  await act();
  const { gaps, nodes, tasks } = await page.evaluate(sum);
  const worked = workedMs(JSON.parse(await browser.stopTracing()));
  return [
    [what, 'longest task', ms(tasks.length === 0 ? undefined : Math.max(...tasks))],
    [what, 'most work in a task', ms(worked)],
    [what, 'frames over 50 ms', `${gaps.filter((gap) => gap > 50).length} of ${gaps.length}`],
    [what, 'most elements', nodes.toLocaleString('en')],
  ];
}

/** Runs in the page: notes how long each key takes until a frame shows what it did. */
function noteKeys() {
  globalThis.keyTimes = [];
  addEventListener('keydown', ({ timeStamp }) => {
    requestAnimationFrame(() => {
      // The message comes after the frame has been painted.
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => globalThis.keyTimes.push(performance.now() - timeStamp);
      port2.postMessage(null);
    });
  }, { capture: true });
}

/** Types these letters one by one; each waits for the frame of the last. Returns the times from key to frame. */
export async function keyTimes(page, text) {
  await page.evaluate(noteKeys);
  for (const [index, letter] of [...text].entries()) {
    await page.keyboard.press(letter === ' ' ? 'Space' : letter);
    await page.waitForFunction((count) => globalThis.keyTimes.length > count, index);
  }
  return page.evaluate(() => globalThis.keyTimes);
}

export const keyRows = (what, times) => [
  [what, 'key to frame, p50', ms(quantile(times, 0.5))],
  [what, 'key to frame, p95', ms(quantile(times, 0.95))],
];

const WORDS = 'What is said in a room is short, most of the time, but now and then somebody has more to tell than fits '
  + 'one line of the screen, and then it takes two or three';

/** What people write: mostly short, some with markup, links, emoji, names or a GIF. */
export function textOf(number) {
  const words = WORDS.slice(0, 12 + ((number * 37) % 130));
  const kinds = [
    `${number} ${words}`, `${number} **${words}**`, `${number} see https://example.org/${number} :tada:`,
    `${number} @Ada ${words}`, `${number} \`code\` and _more_`, `${number}\n> ${words}\n${words}`, `${number} :heart:`,
  ];
  return kinds[number % 11] ?? kinds[0];
}

export const PATIENT = {
  limits: { messagesPerSecond: 0, roomsPerSecond: 0, historyMaxEvents: 20_000, resumeGraceSeconds: 600, maxConnections: 4_000, maxRooms: 600 },
};
