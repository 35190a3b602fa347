// `npm run shots -- DIR [NAME…]`: pictures of every view (views.mjs), or of those named, for three widths, light and dark:
// DIR/NAME-WIDTH-THEME.png. For the eyes of whoever changes the page.

import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { launch, PHONE } from './browser.mjs';
import { openView, VIEWS, Worlds } from './views.mjs';

const [directory, ...names] = process.argv.slice(2);
if (!directory) {
  console.error('usage: node shots.mjs DIR [NAME…]');
  process.exit(2);
}
mkdirSync(directory, { recursive: true });

const DEVICES = {
  1440: { viewport: { width: 1440, height: 900 } },
  768: { viewport: { width: 768, height: 1024 }, hasTouch: true },
  390: { ...PHONE, viewport: { width: 390, height: 844 } },
};

const browser = await launch();
const worlds = new Worlds();
const failures = [];
for (const view of VIEWS.filter(({ name }) => names.length === 0 || names.includes(name))) {
  for (const [width, device] of Object.entries(DEVICES)) {
    try {
      const { tab, close } = await openView(browser, worlds, view, device);
      for (const colorScheme of ['light', 'dark']) {
        await tab.page.emulateMedia({ colorScheme });
        await tab.page.screenshot({ path: path.join(directory, `${view.name}-${width}-${colorScheme}.png`) });
      }
      await close();
    } catch (error) {
      failures.push(`${view.name}, ${width}: ${error.message}`);
    }
  }
  console.log(view.name);
}
await browser.close();
await worlds.stop();
for (const failure of failures) console.error(failure);
process.exit(failures.length > 0 ? 1 : 0);
