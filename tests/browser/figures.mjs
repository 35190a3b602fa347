// `npm run figures -- [--hour] [PART…]`: what people feel of the page, as one table in Markdown. It judges nothing, since
// the figures depend on the machine. Parts: load, phone, talk, rooms, members, hour. The page is open for an hour with
// `--hour`; otherwise the messages of an hour come in three minutes.

import { launch } from './browser.mjs';
import { hour } from './figures/hour.mjs';
import { members, rooms } from './figures/lists.mjs';
import { load } from './figures/load.mjs';
import { phone } from './figures/phone.mjs';
import { talk } from './figures/talk.mjs';

const PARTS = { load, phone, talk, rooms, members, hour };

const words = process.argv.slice(2);
const isHour = words.includes('--hour');
const wanted = words.filter((word) => word !== '--hour');
const unknown = wanted.filter((part) => !Object.hasOwn(PARTS, part));
if (unknown.length > 0) {
  console.error(`usage: node figures.mjs [--hour] [${Object.keys(PARTS).join('|')}]…, not ${unknown.join()}`);
  process.exit(2);
}

const browser = await launch();
console.log('| | | |\n|---|---|---:|');
try {
  for (const [name, part] of Object.entries(PARTS)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    for (const [what, figure, value] of await part(browser, { isHour })) console.log(`| ${what} | ${figure} | ${value} |`);
  }
} finally {
  await browser.close();
}
