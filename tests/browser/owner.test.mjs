// The owner's name, icon, colours, welcome and language: on the page, live, and nothing but text.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { AWAY, stage } from './browser.mjs';

const visit = stage();
const GOVERNED = { governed: true };
const LIVE = { governed: true, isProxied: true };

const SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><circle cx="4" cy="4" r="4" fill="#7c3aed"/></svg>';
const POND = { title: 'The Pond', accent: '#7c3aed', welcome: '# Hi\n\nA *calm* place.' };

/** A colour of the page's style sheets. */
const color = (tab, name) => tab.page.evaluate((wanted) => {
  const probe = document.body.appendChild(document.createElement('i'));
  probe.style.color = `var(${wanted})`;
  const { color: found } = getComputedStyle(probe);
  probe.remove();
  return found;
}, name);

/** Waits until the title, the brand and the icon of the tab are these. */
async function shows(tab, title, hasIcon) {
  await tab.page.waitForFunction(([wanted, isOwn, builtIn]) => {
    const favicon = document.getElementById('favicon').getAttribute('href');
    return document.title === wanted && (favicon !== builtIn) === isOwn
      && [...document.querySelectorAll('[data-owner="title"]')].every((node) => node.textContent === wanted);
  }, [title, hasIcon, tab.favicon]);
}

/** Remembers the built-in icon and colour. */
async function know(tab) {
  tab.favicon = await tab.page.locator('#favicon').getAttribute('href');
  tab.accent = await color(tab, '--accent');
}

test('an open page follows the owner after a reconnect', () => visit([{ name: 'Anna', allowed: AWAY }], async (anna, { server, proxy }) => {
  await know(anna);
  await shows(anna, 'wschat', false);
  await anna.page.evaluate(() => { globalThis.isSame = true; });
  writeFileSync(server.file('icon.svg'), SVG);
  await server.reload({ ...POND, icon: 'icon.svg' });
  proxy.cut();
  await shows(anna, 'The Pond', true);
  await anna.page.waitForFunction(() => document.querySelectorAll('#owner-style').length === 1
    && document.getElementById('owner-style').sheet.cssRules.length > 0);
  assert.notEqual(await color(anna, '--accent'), anna.accent);
  await anna.page.waitForFunction(async (wanted) => {
    const image = document.querySelector('img[data-owner="icon"]');
    return await (await fetch(image.src)).text() === wanted && image.naturalWidth > 0;
  }, SVG);

  // And back again.
  await server.reload({});
  proxy.cut();
  await shows(anna, 'wschat', false);
  await anna.page.waitForFunction((wanted) => {
    const probe = document.body.appendChild(document.createElement('i'));
    probe.style.color = 'var(--accent)';
    const { color: found } = getComputedStyle(probe);
    probe.remove();
    return found === wanted;
  }, anna.accent);
  assert.ok(await anna.page.evaluate(() => globalThis.isSame), 'all without loading the page again');
}, LIVE));

/** The page is hidden, and seen again after this time. */
const lookAway = (tab, ms) => tab.page.evaluate((passed) => {
  const states = ['hidden', 'visible'];
  for (const state of states) {
    Object.defineProperty(document, 'visibilityState', { get: () => state, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
    const now = performance.now.bind(performance);
    if (state === 'hidden') performance.now = () => now() + passed;
  }
}, ms);

test('a page that is looked at again after a minute follows the owner', () => visit([{ name: 'Anna' }], async (anna, { server }) => {
  await know(anna);
  const asked = [];
  anna.page.on('request', (request) => { if (request.url().endsWith('page.json')) asked.push(request.url()); });
  await server.reload({ title: 'The Pond' });
  await lookAway(anna, 59_000);
  assert.deepEqual(asked, [], 'a short look away asks for nothing');
  await lookAway(anna, 61_000);
  await shows(anna, 'The Pond', false);
  assert.equal(asked.length, 1);
}, GOVERNED));

test('the owner’s language is for those who have chosen none', () => visit([], async ({ open }) => {
  const anna = await open({ name: 'Anna' });
  await anna.page.getByRole('heading', { name: 'Räume' }).waitFor();
  // The browser's variant of the owner's language, if it has one.
  const ben = await open({ name: 'Ben', locale: 'de-AT' });
  assert.equal(await ben.page.locator('html').getAttribute('lang'), 'de-AT');
  const eve = await open({
    name: 'Eve', locale: 'es-ES',
    before: (page) => page.addInitScript(() => localStorage.setItem('wschat.language', '"fr"')),
  });
  await eve.page.getByRole('heading', { name: 'Salons' }).waitFor();
}, { settings: { language: 'de' } }));

/** The colours of a picture in its middle and where the dot would be, as 0 to 255. */
const pixels = (page, address) => page.evaluate(async (wanted) => {
  const image = new Image();
  image.src = wanted;
  await image.decode();
  const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 320 });
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.drawImage(image, 0, 0, 320, 320);
  return [[160, 100], [250, 250]].map(([x, y]) => [...context.getImageData(x, y, 1, 1).data.slice(0, 3)]);
}, address);

test('a picture of either kind gets a dot when something is unread', () => visit([{ name: 'Anna' }], async (anna, { server }) => {
  const addresses = () => anna.page.evaluate(async () => (await fetch('page.json')).json());
  const red = [0xe1, 0x1d, 0x2e];
  const png = readFileSync(path.resolve(import.meta.dirname, '../../src/web/icon-512.png'));
  for (const [name, body, ground] of [['icon.svg', SVG, [0x7c, 0x3a, 0xed]], ['icon.png', png, null]]) {
    writeFileSync(server.file(name), body);
    await server.reload({ icon: name });
    const { icon, unreadIcon } = await addresses();
    const [middle, corner] = await pixels(anna.page, icon);
    if (ground) assert.deepEqual(middle, ground, name);
    assert.notDeepEqual(corner, red, name);
    assert.deepEqual(await pixels(anna.page, unreadIcon), [middle, red], name);
  }
}, GOVERNED));

test('previews of links and search engines read what the owner says', () => visit([], async ({ server }) => {
  const text = await (await fetch(server.url)).text();
  const meta = Object.fromEntries([...text.matchAll(/<meta (?:name|property)="([^"]+)" content="([^"]*)">/g)].map(([, name, content]) => [name, content]));
  assert.equal(meta.description, 'A calm place.');
  assert.equal(meta['og:title'], 'The Pond');
  assert.equal(meta['og:description'], 'A calm place.');
  assert.equal(meta['og:url'], 'https://chat.example.org/');
  assert.match(meta['og:image'], /^https:\/\/chat\.example\.org\/icon-512\.png\?/);
  assert.match(text, /<title>The Pond<\/title>/);
}, { settings: { ...POND, domain: 'chat.example.org', allowedOrigins: ['*'] } }));

test('nothing that the owner says can run', () => visit([], async ({ server, open }) => {
  const attack = '</script><script>globalThis.ran = true</script><img src=x onerror="globalThis.ran = true">';
  writeFileSync(server.file('icon.svg'), `<svg xmlns="http://www.w3.org/2000/svg" onload="globalThis.ran = true"
    viewBox="0 0 8 8" width="8" height="8"><script>globalThis.ran = true; fetch('/page.json')</script></svg>`);
  const title = `</title><script>ran=1</script>"'-->\\`;
  await server.reload({ title, welcome: `${attack}\u2028--> ]]>\n\n${attack}`, icon: 'icon.svg' });
  const anna = await open({ name: 'Anna' });
  await anna.page.waitForFunction((wanted) => document.title === wanted, title);
  const read = await anna.page.evaluate(async () => [
    JSON.parse(document.getElementById('owner').textContent), await (await fetch('page.json')).json(),
  ]);
  assert.deepEqual(read[0], read[1]);
  assert.ok(read[0].welcome.startsWith(attack));
  assert.equal(await anna.page.evaluate(() => globalThis.ran), undefined);

  // Not even where somebody opens the icon by itself.
  const { icon, unreadIcon } = read[0];
  for (const address of [icon, unreadIcon]) {
    const page = await anna.page.context().newPage();
    const asked = [];
    page.on('request', (request) => asked.push(request.url()));
    await page.goto(new URL(address, server.url).href);
    assert.equal(await page.evaluate(() => document.documentElement.localName), 'svg');
    assert.equal(await page.evaluate(() => globalThis.ran), undefined, address);
    assert.equal(await page.evaluate(() => globalThis.origin), 'null', 'it has an origin of its own');
    assert.equal(asked.filter((url) => url.includes('page.json')).length, 0);
    await page.close();
  }
}, GOVERNED));
