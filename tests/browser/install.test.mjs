// What the server serves: every file of the page with its type, small, with a strict policy, and enough for a browser
// to install it as an app.

import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { test } from 'node:test';
import { stage, Tab } from './browser.mjs';

const visit = stage();
const TYPES = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
  png: 'image/png',
  gif: 'image/gif',
  json: 'application/json',
  webmanifest: 'application/manifest+json',
};
const MAX_COMPRESSED = 60 * 1024;

/** A response as it is on the wire, compressed or not. */
const get = (url, headers = {}) => new Promise((resolve, reject) => {
  http.get(url, { headers }, (response) => {
    const parts = [];
    response.on('data', (part) => parts.push(part));
    response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(parts) }));
  }).on('error', reject);
});

const typeOf = (name) => TYPES[name === './' ? 'html' : name.split('.').pop()];

/** The page and every file it refers to, directly or not. */
async function named(server) {
  const found = new Map();
  const toRead = ['./'];
  for (const name of toRead) {
    if (found.has(name)) continue;
    const answer = await get(new URL(name, server.url));
    found.set(name, answer);
    if (!/^(text|application\/manifest)/.test(typeOf(name))) continue;
    const text = answer.body.toString();
    for (const [, file] of text.matchAll(/["']((?:\.\.?\/)*(?:[\w-]+\/)*[\w-]+\.(?:css|js|svg|png|json|webmanifest))(?:\?\w+)?["']/g)) {
      // A module names others from where it is itself; everything else is named from where the page is.
      const base = new URL(/^\.\.?\//.test(file) ? name : './', 'x://x/');
      toRead.push(new URL(file, base).pathname.slice(1));
    }
  }
  return found;
}

test('every file that the page refers to is served, with its type', () => visit([], async ({ server }) => {
  const found = await named(server);
  for (const name of ['app.js', 'theme.js', 'style.css', 'owner.css', 'texts/de.js', 'icon-192.png', 'gifs.json', 'manifest.webmanifest']) {
    assert.ok(found.has(name), name);
  }
  for (const [name, { status, headers }] of found) {
    assert.equal(status, 200, name);
    assert.equal(headers['content-type'], typeOf(name), name);
    assert.equal(headers['x-content-type-options'], 'nosniff', name);
  }
  const gifs = JSON.parse(found.get('gifs.json').body);
  assert.ok(gifs.length >= 12);
  for (const { id, alt } of gifs) {
    const { status, headers, body } = await get(new URL(`gifs/${id}.gif`, server.url));
    assert.deepEqual([status, headers['content-type']], [200, 'image/gif'], alt);
    assert.ok(body.length < 60_000, `${alt}: ${body.length}`);
  }
}));

for (const locale of ['en-GB', 'de-DE', 'es-ES', 'fr-FR']) {
  test(`page, script and style are small, and come in few files (${locale})`, () => visit([], async ({ server, open }) => {
    const pieces = [];
    await open({
      locale,
      before: async (page) => page.on('response', (response) => {
        if (['document', 'script', 'stylesheet'].includes(response.request().resourceType())) pieces.push(response.url());
      }),
    });
    assert.ok(pieces.length <= 6, pieces.join());
    let sum = 0;
    for (const url of pieces) {
      const { headers, body } = await get(url, { 'accept-encoding': 'gzip, deflate, br' });
      sum += body.length;
      if (body.length < 100) continue; // the owner's colours, if there are any
      // The beginning of the page itself is only known when the server starts.
      assert.equal(headers['content-encoding'], /\.(js|css)$/.test(url) ? 'br' : 'gzip', url);
      assert.match(headers.vary, /accept-encoding/i, url);
    }
    assert.ok(sum <= MAX_COMPRESSED, `${sum} bytes`);
    assert.ok(sum > 10_000, `${sum} bytes`);
  }));
}

test('unchanged files are not sent again', () => visit([], async ({ server }) => {
  for (const name of ['./', 'app.js', 'style.css', 'icon.svg', 'gifs/1.gif']) {
    const url = new URL(name, server.url);
    const { headers } = await get(url);
    const { status, body } = await get(url, { 'if-none-match': headers.etag });
    assert.deepEqual([status, body.length], [304, 0], name);
  }
}));

test('the page’s policy allows nothing but itself', () => visit([{ allowed: /Content Security Policy/ }], async (tab, { server }) => {
  const { headers } = await get(server.url);
  const policy = Object.fromEntries(headers['content-security-policy'].split(';')
    .map((directive) => directive.trim().split(/\s+/)).map(([name, ...sources]) => [name, sources.join(' ')]));
  assert.equal(policy['default-src'], "'none'");
  for (const name of ['script-src', 'style-src', 'img-src', 'manifest-src']) assert.equal(policy[name], "'self'", name);
  for (const name of ['base-uri', 'form-action', 'frame-ancestors']) assert.equal(policy[name], "'none'", name);
  for (const [name, sources] of Object.entries(policy)) {
    assert.doesNotMatch(sources, /unsafe|\*|https?:|data:|blob:/, name);
  }
  assert.equal(headers['referrer-policy'], 'no-referrer');
  // The browser enforces the policy: nothing of this runs.
  const blocked = await tab.page.evaluate(() => new Promise((resolve) => {
    const seen = new Set();
    document.addEventListener('securitypolicyviolation', (event) => {
      event.stopImmediatePropagation();
      seen.add(event.effectiveDirective);
      if (seen.size === 3) resolve([...seen].sort());
    }, { capture: true });
    const add = (tag, attributes) => document.body.append(Object.assign(document.createElement(tag), attributes));
    add('script', { textContent: 'globalThis.ran = true' });
    add('style', { textContent: 'body { display: none }' });
    add('img', { src: 'data:image/gif;base64,R0lGODlhAQABAAAAACw=' });
  }));
  assert.deepEqual(blocked, ['img-src', 'script-src-elem', 'style-src-elem']);
  assert.equal(await tab.page.evaluate(() => globalThis.ran), undefined);
}));

test('the appearance is chosen before any style sheet loads', () => visit([], async ({ server }) => {
  const { body } = await get(server.url);
  const page = body.toString();
  const theme = page.search(/<script src="theme\.js"><\/script>/);
  assert.ok(theme > 0 && theme < page.search(/<link rel="stylesheet"/));
  assert.doesNotMatch(page, /<style|\sstyle="|\son\w+="/);
}));

test('a browser can install it', () => visit([{}], async (tab, { server }) => {
  const manifestUrl = new URL(await tab.page.locator('link[rel=manifest]').getAttribute('href'), server.url);
  const manifest = JSON.parse((await get(manifestUrl)).body);
  assert.ok(manifest.name && manifest.short_name && manifest.start_url);
  assert.equal(manifest.display, 'standalone');
  const sizes = [];
  for (const { src, type, sizes: said } of manifest.icons) {
    const { status, headers, body } = await get(new URL(src, manifestUrl));
    assert.deepEqual([status, headers['content-type']], [200, type], src);
    if (type !== 'image/png') continue;
    // A PNG has its width and height in its first chunk.
    assert.equal(`${body.readUInt32BE(16)}x${body.readUInt32BE(20)}`, said, src);
    sizes.push(said);
  }
  assert.deepEqual(sizes.sort(), ['192x192', '512x512']);
  assert.ok(manifest.icons.some(({ purpose }) => purpose.includes('maskable')));
  // What the browser itself thinks.
  const devtools = await tab.page.context().newCDPSession(tab.page);
  const { errors } = await devtools.send('Page.getAppManifest');
  assert.deepEqual(errors, []);
  const { installabilityErrors } = await devtools.send('Page.getInstallabilityErrors');
  assert.deepEqual(installabilityErrors.filter(({ errorId }) => errorId !== 'in-incognito'), []);
}));

/** A reverse proxy that serves `target` below /chat/ and nothing else. */
async function proxyBelowChat(target) {
  const { hostname, port } = new URL(target);
  const inner = (url) => (url.startsWith('/chat/') ? url.slice('/chat'.length) : null);
  const proxy = http.createServer((request, response) => {
    const path = inner(request.url);
    if (path === null) {
      response.writeHead(404).end();
      return;
    }
    const onward = http.request({ hostname, port, path, headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    request.pipe(onward);
  });
  proxy.on('upgrade', (request, socket, head) => {
    const onward = net.connect(port, hostname, () => {
      const lines = request.rawHeaders.flatMap((name, i, all) => (i % 2 ? [] : [`${name}: ${all[i + 1]}`]));
      onward.write([`GET ${inner(request.url)} HTTP/1.1`, ...lines, '', ''].join('\r\n'));
      onward.write(head);
      socket.pipe(onward).pipe(socket);
    });
    for (const end of [socket, onward]) end.on('error', () => { socket.destroy(); onward.destroy(); });
  });
  await new Promise((resolve) => { proxy.listen(0, '127.0.0.1', resolve); });
  return proxy;
}

test('it works below a path of a reverse proxy, also in another language', () => visit([], async ({ server, browser }) => {
  const proxy = await proxyBelowChat(server.url);
  try {
    const url = `http://127.0.0.1:${proxy.address().port}/chat/`;
    const anna = await Tab.open(browser, url, { name: 'Anna', hash: '#room=2' });
    await anna.isIn('Room 2');
    await anna.gif('A waving hand');
    await anna.log.getByRole('img', { name: 'A waving hand' }).evaluate((node) => node.decode());
    const ben = await Tab.open(browser, url, { locale: 'de-DE' });
    await ben.page.getByRole('button', { name: 'Einstellungen' }).waitFor();
    await ben.close();
    await anna.close();
  } finally {
    proxy.close();
    proxy.closeAllConnections();
  }
}));
