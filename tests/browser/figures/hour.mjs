// A page that is open for an hour while five messages a second come: memory, nodes and listeners must not grow.

import { Tab } from '../browser.mjs';
import { talk } from '../crowd.mjs';
import { Server } from '../server.mjs';
import { PATIENT, textOf } from './measure.mjs';

const HOUR_S = 3_600;
const SHORT_S = 180;
const COUNT = HOUR_S * 5;
const PARTS = 6;

/** What the page holds after the garbage is gone. */
async function sample(session) {
  await session.send('HeapProfiler.collectGarbage');
  const { usedSize } = await session.send('Runtime.getHeapUsage');
  const { nodes, jsEventListeners } = await session.send('Memory.getDOMCounters');
  return { heap: usedSize / 2 ** 20, nodes, listeners: jsEventListeners };
}

export async function hour(browser, { isHour }) {
  // Those who talk in one part have left before the next ends, so that the list of members stays the same.
  const server = await Server.start({ limits: { ...PATIENT.limits, resumeGraceSeconds: 1 } });
  const tab = await Tab.open(browser, server.url, { name: 'Zoe' });
  const session = await tab.page.context().newCDPSession(tab.page);
  await tab.enter('Room 1');
  const seconds = isHour ? HOUR_S : SHORT_S;
  const samples = [await sample(session)];
  for (let part = 1; part <= PARTS; part += 1) {
    const count = COUNT / PARTS;
    const before = (part - 1) * count;
    await talk(server, 1, { perSecond: COUNT / seconds, count, textOf: (number) => textOf(before + number) });
    await tab.page.locator(`[data-seq="${before + count}"]`).waitFor();
    samples.push(await sample(session));
  }
  await tab.close();
  await server.stop();
  const what = `${COUNT.toLocaleString('en')} messages in ${seconds / 60} min`;
  const along = (key, digits) => samples.map((one) => one[key].toFixed(digits)).join(', ');
  const label = `at the start and after each ${(COUNT / PARTS).toLocaleString('en')}`;
  return [
    [what, `heap in MiB ${label}`, along('heap', 1)],
    [what, `nodes ${label}`, along('nodes', 0)],
    [what, `listeners ${label}`, along('listeners', 0)],
  ];
}
