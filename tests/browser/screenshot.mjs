// `node screenshot.mjs OUT_DIR`: two visitors talk, and the pictures for the README are taken.

import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { launch, Tab } from './browser.mjs';
import { Server } from './server.mjs';

const directory = process.argv[2];
if (!directory) {
  console.error('usage: node screenshot.mjs OUT_DIR');
  process.exit(2);
}
mkdirSync(directory, { recursive: true });

const PHONE = { viewport: { width: 390, height: 780 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
const DESKTOP = { viewport: { width: 1280, height: 920 } };

const server = await Server.start();
const browser = await launch();
const mira = await Tab.open(browser, server.url, DESKTOP);
const jonas = await Tab.open(browser, server.url, PHONE);

const shoot = async (tab, name, colorScheme) => {
  await tab.page.emulateMedia({ colorScheme });
  await tab.page.screenshot({ path: path.join(directory, `${name}.png`) });
};

await mira.rename('Mira');
await jonas.rename('Jonas');
await mira.create('Lake weekend');
await jonas.room('Lake weekend').waitFor();
await shoot(jonas, 'phone-rooms', 'light');
await mira.enter('Lake weekend');
await jonas.enter('Lake weekend');
await mira.line('Jonas entered the room').waitFor();

/** Each waits until the other has heard, so that the talk has the same order everywhere. */
const says = async (speaker, listener, text) => {
  await speaker.say(text);
  await listener.message(text).waitFor();
};
const shows = async (speaker, listener, alt) => {
  await speaker.gif(alt);
  for (const tab of [speaker, listener]) {
    await tab.log.getByRole('img', { name: alt }).last().evaluate((image) => image.decode());
  }
};
await shows(jonas, mira, 'A waving hand');
await says(mira, jonas, 'There you are! Still in for the lake on Saturday?');
await says(jonas, mira, 'Of course. I bring the boat, you bring the cake?');
await says(mira, jonas, 'Deal. Train at 9:12, platform 4 – and coffee first:');
await shows(mira, jonas, 'A steaming cup of coffee');

await shoot(mira, 'desktop-light', 'light');
await shoot(mira, 'desktop-dark', 'dark');
await shoot(jonas, 'phone-light', 'light');
await jonas.page.getByRole('button', { name: 'GIF', exact: true }).tap();
await jonas.page.getByRole('group', { name: 'Choose a GIF' }).getByRole('img').last().evaluate((image) => image.decode());
await shoot(jonas, 'phone-dark-gifs', 'dark');

await mira.close();
await jonas.close();
await browser.close();
await server.stop();
