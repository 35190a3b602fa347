// `node animation.mjs FILE.webp`: the connection breaks, messages wait, and go out when it is back; as a moving picture for
// the README. Needs `img2webp` (Debian: webp).

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { launch, Tab } from './browser.mjs';
import { Proxy } from './proxy.mjs';
import { Server } from './server.mjs';
import { PATIENT, Talker } from './talker.mjs';

const [file] = process.argv.slice(2);
if (!file) {
  console.error('usage: node animation.mjs FILE.webp');
  process.exit(2);
}

const directory = mkdtempSync(path.join(tmpdir(), 'wschat-frames-'));
const server = await Server.start({ rooms: ['Lobby', 'Lake weekend', 'Book club'], ...PATIENT });
const proxy = await Proxy.start(server);
const browser = await launch();
const frames = [];

const mira = await Tab.open(browser, proxy.url, { name: 'Mira', viewport: { width: 800, height: 560 } });
const tariq = await Talker.enter(server, { name: 'Tariq', roomId: 2 });
await mira.enter('Lake weekend');

/** Keeps what is on the screen for so long. */
async function hold(milliseconds) {
  const picture = path.join(directory, `${frames.length}.png`);
  await mira.page.screenshot({ path: picture, animations: 'disabled' });
  frames.push('-d', String(milliseconds), picture);
}

async function writes(text) {
  for (const piece of [text.slice(0, text.length / 2), text]) {
    await mira.text.fill(piece);
    await hold(250);
  }
  await mira.page.getByRole('button', { name: 'Send', exact: true }).click();
  await mira.message(text).waitFor();
  await hold(1_000);
}

await tariq.say('The train is leaving. Where are you?');
await mira.message('The train is leaving. Where are you?').waitFor();
await hold(1_200);
await writes('In car 4, by the window');
proxy.breakOff();
await mira.banner.getByRole('button', { name: 'Try now' }).waitFor();
await hold(1_600);
await writes('We are in the tunnel now');
await writes('Save me a seat for the bags');
await tariq.say('I see you!');
proxy.mend();
await mira.wake();
await mira.sent('Save me a seat for the bags').waitFor();
await mira.message('I see you!').waitFor();
await hold(1_200);
await mira.banner.getByText('Reconnected').waitFor({ state: 'hidden' });
await hold(2_400);

execFileSync('img2webp', ['-loop', '0', '-lossy', '-q', '80', ...frames, '-o', file], { stdio: 'inherit' });
rmSync(directory, { recursive: true });
tariq.close();
await browser.close();
proxy.stop();
await server.stop();
