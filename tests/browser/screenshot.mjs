// `node screenshot.mjs OUT_DIR`: six people plan a weekend, for the screenshots in the README and the docs.

import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { launch, PHONE, Tab } from './browser.mjs';
import { Client } from './client.mjs';
import { Server } from './server.mjs';

const directory = process.argv[2];
if (!directory) {
  console.error('usage: node screenshot.mjs OUT_DIR');
  process.exit(2);
}
mkdirSync(directory, { recursive: true });

const ROOMS = ['Lobby', 'Lake weekend', 'Kitchen', 'Book club', 'Release 2.0', 'Loud music'];
const DESKTOP = { viewport: { width: 1440, height: 900 } };

const server = await Server.start({ rooms: ROOMS, limits: { messageBurst: 100 } });
const browser = await launch();

/** Somebody without a page. */
async function guest(name, room) {
  const client = await Client.connect(server.socketUrl, { protocols: ['wschat.v2'] });
  client.does = (request) => client.send(JSON.stringify(request));
  client.does({ type: 'change_name', name });
  client.does({ type: 'enter_room', roomId: ROOMS.indexOf(room) + 1 });
  return client;
}

const mira = await Tab.open(browser, server.url, { name: 'Mira', ...DESKTOP });
await mira.enter('Loud music');
await mira.choose('Mute');
await mira.enter('Book club');
const reader = await guest('Noor', 'Book club');
for (const name of ['Ivo', 'Sana', 'Piet']) await guest(name, 'Book club');
for (const name of ['Kim', 'Oskar', 'Rosa', 'Ben', 'Ines', 'Jo', 'Fay']) await guest(name, 'Lobby');
const zoe = await guest('Zoë', 'Release 2.0');
await guest('Max', 'Release 2.0');
const tariq = await guest('Tariq', 'Lake weekend');
const lea = await guest('Léa', 'Lake weekend');
const ada = await guest('Ada', 'Lake weekend');
const yuki = await guest('Yuki', 'Lake weekend');
const jonas = await Tab.open(browser, server.url, { name: 'Jonas', ...PHONE });
await jonas.enter('Lake weekend');
await mira.enter('Lake weekend');
for (const text of ['Chapter 9!', 'No spoilers', 'Too late']) reader.does({ type: 'text', text });
zoe.does({ type: 'text', text: '@Mira can you look at the notes?' });
await mira.room('Book club').getByText('3 new messages').waitFor();
await mira.room('Release 2.0').getByText('1 mention').waitFor();

/** Waits until both pages have each message, so that the order is the same everywhere. */
const isSaid = async (act) => {
  const counts = await Promise.all([mira, jonas].map(({ page }) => page.locator('.said[data-seq]').count()));
  await act();
  await Promise.all([mira, jonas].map(({ page }, i) => page.locator('.said[data-seq]').nth(counts[i]).waitFor()));
};
const says = (who, text) => isSaid(() => (who.does ? who.does({ type: 'text', text }) : who.say(text)));
const shows = (who, alt) => isSaid(() => (
  who.does ? who.does({ type: 'gif', gifId: who.welcome.gifs.find((gif) => gif.alt === alt).id }) : who.gif(alt)
));

await says(tariq, 'The cabin is ours! From Friday, **four o’clock**.');
await says(ada, 'I have taught the sauna some manners:\n```\n$ curl -d heat=80 http://sauna.local\nReady in 40 minutes. Bring a towel.\n```');
await says(mira, 'You gave a sauna an *API*?');
await says(jonas, '@Mira can you bring the big pot? I’ll make the dumplings');
await says(mira, 'It is packed 🎒 Train at 9:12, platform 4');
await says(yuki, '> Train at 9:12\nI take the next one. Somebody has to fetch the cake!');
await shows(lea, 'A birthday cake with candles');
tariq.does({ type: 'typing' });
for (const { typing } of [mira, jonas]) await typing.getByText('typing').waitFor();

/** Waits until the visible images have loaded and the newest message is visible. */
const isDrawn = async ({ page }) => {
  await page.waitForFunction(() => {
    const { bottom } = document.getElementById('log').getBoundingClientRect();
    const inSight = [...document.images].filter((image) => image.checkVisibility() && image.getBoundingClientRect().bottom > 0);
    const last = document.querySelector('#entries > :last-child').getBoundingClientRect();
    return inSight.every(({ complete }) => complete) && (last.height === 0 || last.bottom <= bottom);
  });
};

const shoot = async (tab, name, colorScheme) => {
  await tab.page.emulateMedia({ colorScheme });
  await isDrawn(tab);
  await tab.page.screenshot({ path: path.join(directory, `${name}.png`) });
};

await shoot(mira, 'desktop-light', 'light');
await shoot(mira, 'desktop-dark', 'dark');
await shoot(jonas, 'phone-light', 'light');
await shoot(jonas, 'phone-dark', 'dark');
await jonas.openGifs();
await jonas.shelf.getByRole('img').last().evaluate((image) => image.decode());
await shoot(jonas, 'phone-dark-gifs', 'dark');
await jonas.page.keyboard.press('Escape');
await jonas.page.getByRole('button', { name: 'Back to rooms' }).tap();
await shoot(jonas, 'phone-rooms', 'light');
await mira.page.setViewportSize({ width: 820, height: 1100 });
await shoot(mira, 'tablet-light', 'light');

await mira.close();
await jonas.close();
await browser.close();
await server.stop();
process.exit(); // the guests are still there
