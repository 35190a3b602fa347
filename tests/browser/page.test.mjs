// The page in a real browser against the real server. Every test ends by asserting that no page logged an
// error, broke the content security policy or asked another origin for anything.

import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { after, before, test } from 'node:test';
import WebSocket from 'ws';
import { launch, Tab } from './browser.mjs';
import { Server } from './server.mjs';

let browser;
before(async () => { browser = await launch(); });
after(() => browser.close());

/** A fresh server, and one visitor for each of the options. */
async function visit(options, story) {
  const server = await Server.start();
  try {
    const tabs = await Promise.all(options.map((option) => Tab.open(browser, server.url, option)));
    await story(...tabs, server);
    await Promise.all(tabs.map((tab) => tab.close()));
  } finally {
    await Promise.all(browser.contexts().map((context) => context.close()));
    await server.stop();
  }
}

const ONE = [{}];
const TWO = [{}, {}];

test('two visitors see what both say, with author, time and whose it is', () => visit(TWO, async (anna, ben) => {
  await anna.rename('Anna');
  await ben.rename('Ben');
  await anna.enter('Room 1');
  await ben.enter('Room 1');
  await anna.line('Ben entered the room').waitFor();
  await anna.say('Hello!');
  await ben.message('Hello!').waitFor();
  await ben.say('Hi there');
  for (const tab of [anna, ben]) {
    await tab.message('Hello!').getByText('Anna', { exact: true }).waitFor();
    await tab.message('Hi there').getByText('Ben', { exact: true }).waitFor();
    await tab.members.getByText('Anna', { exact: true }).waitFor();
    await tab.members.getByText('Ben', { exact: true }).waitFor();
    await tab.room('Room 1').getByText('2 members').waitFor();
  }
  assert.equal(await anna.message('Hello!').getByText('(you)').count(), 1);
  assert.equal(await ben.message('Hello!').getByText('(you)').count(), 0);
  const time = await ben.message('Hello!').locator('time').getAttribute('datetime');
  assert.ok(Math.abs(Date.now() - Date.parse(time)) < 60_000, time);
  assert.equal(await anna.page.getByLabel('Message', { exact: true }).inputValue(), '');
}));

test('a new name is told to the room and kept for the next visit', () => visit(TWO, async (anna, ben) => {
  await anna.enter('Room 2');
  await ben.enter('Room 2');
  await anna.room('Room 2').getByText('2 members').waitFor();
  await ben.rename('Benedikta');
  await anna.line(/is now called Benedikta/).waitFor();
  await anna.members.getByText('Benedikta').waitFor();
  await ben.page.reload();
  await ben.enter('Room 2');
  await anna.line('Benedikta entered the room').waitFor();
}));

test('a GIF is seen by both, and an unknown one as words', () => visit(TWO, async (anna, ben, server) => {
  await anna.enter('Room 1');
  await ben.enter('Room 1');
  await anna.gif('A beating heart');
  for (const tab of [anna, ben]) {
    const image = tab.log.getByRole('img', { name: 'A beating heart' });
    await image.waitFor();
    await image.evaluate((node) => node.decode());
    assert.ok(await image.evaluate((node) => node.naturalWidth > 0));
  }
  const other = new WebSocket(server.socketUrl);
  other.on('open', () => {
    other.send('{"type":"enter_room","roomId":1}');
    other.send('{"type":"gif","gifId":17}');
  });
  await anna.message('GIF 17').waitFor();
  other.close();
}));

test('for those who want no motion a GIF stands still', () => visit([{ reducedMotion: 'reduce' }], async (tab) => {
  await tab.enter('Room 1');
  await tab.gif('Thumbs up');
  await tab.log.locator('canvas[role=img][aria-label="Thumbs up"]').waitFor();
  assert.equal(await tab.log.locator('img').count(), 0);
}));

test('a room made by one is entered by both', () => visit(TWO, async (anna, ben) => {
  await anna.create('Tea & cake');
  await ben.room('Tea & cake').waitFor();
  await anna.room('Tea & cake').waitFor();
  await anna.page.waitForFunction(() => document.getElementById('title').value === '');
  await ben.enter('Tea & cake');
  await anna.enter('Tea & cake');
  await anna.say('Cake?');
  await ben.message('Cake?').waitFor();
}));

test('who leaves is gone for the others, and may come back', () => visit(TWO, async (anna, ben) => {
  await anna.rename('Anna');
  await anna.enter('Room 3');
  await ben.enter('Room 3');
  await anna.room('Room 3').getByText('2 members').waitFor();
  await anna.page.getByRole('button', { name: 'Leave' }).click();
  await anna.page.getByText('Choose a room to begin.').waitFor();
  await ben.line('Anna left the room').waitFor();
  await ben.members.getByText('Anna').waitFor({ state: 'detached' });
  await anna.room('Room 3').getByText('1 member', { exact: true }).waitFor();
  await anna.enter('Room 3');
  await ben.line('Anna entered the room').waitFor();
  await anna.enter('Room 1');
  await ben.line('Anna left the room').nth(1).waitFor();
}));

test('markup in texts, names and titles stays text', () => visit(TWO, async (anna, ben) => {
  const text = '<img src=x onerror=alert(1)><script>alert(2)</script>';
  const name = '<b onclick=alert(3)>x</b>';
  const title = '<svg onload=alert(4)></svg>';
  await anna.create(title);
  await anna.enter(title);
  await anna.rename(name);
  await ben.enter(title);
  await anna.say(text);
  for (const tab of [anna, ben]) {
    await tab.message(text).getByText(name, { exact: true }).waitFor();
    await tab.members.getByText(name, { exact: true }).waitFor();
    assert.equal(await tab.page.locator('#panes :is(svg, b, script, img[src="x"])').count(), 0);
  }
}));

test('a refusal is told, and what was typed is still there', () => visit(ONE, async (tab) => {
  await tab.enter('Room 1');
  // Past what the box itself lets through, as another browser's limits might.
  await tab.page.getByLabel('Message', { exact: true }).evaluate((box) => { box.maxLength = 5000; });
  const long = 'x'.repeat(4001);
  await tab.say(long);
  await tab.notice.waitFor();
  await tab.page.waitForFunction((text) => document.getElementById('text').value === text, long);
  await tab.notice.getByRole('button', { name: 'Dismiss' }).click();
  await tab.notice.waitFor({ state: 'hidden' });
  await tab.say('short');
  await tab.message('short').waitFor();
}));

/** The browser's own words about a server that is away. */
const AWAY = { allowed: /WebSocket connection to .* failed/ };

test('after a restart of the server the page comes back by itself', () => visit([AWAY, AWAY], async (anna, ben, server) => {
  await anna.rename('Anna');
  await anna.enter('Room 2');
  await ben.enter('Room 2');
  await anna.say('before');
  await ben.message('before').waitFor();
  await server.kill();
  await anna.page.getByRole('status').getByText(/Connection lost|Connecting/).waitFor();
  await anna.say('typed while away');
  await anna.notice.getByText('Nothing you typed is lost').waitFor();
  assert.equal(await anna.page.getByLabel('Message', { exact: true }).inputValue(), 'typed while away');
  await server.restart();
  for (const tab of [anna, ben]) {
    await tab.page.getByRole('status').getByText('Connected', { exact: true }).waitFor();
    await tab.room('Room 2').getByText('2 members').waitFor();
  }
  await anna.page.getByRole('button', { name: 'Send' }).click();
  await ben.message('typed while away').getByText('Anna', { exact: true }).waitFor();
  await ben.message('before').waitFor();
}));

test('a room that is gone after a restart is said to be gone', () => visit([AWAY], async (tab, server) => {
  await tab.create('For today');
  await tab.enter('For today');
  await server.kill();
  await server.restart();
  await tab.notice.getByText('The room “For today” is gone.').waitFor();
  await tab.page.getByText('Choose a room to begin.').waitFor();
  await tab.enter('Room 1');
}));

const SMALL = { viewport: { width: 320, height: 568 } };

test('320 pixels are wide enough, with no scrolling to the side', () => visit([SMALL], async (tab) => {
  const fits = async () => {
    const tooWide = await tab.page.evaluate(() => [document.documentElement, document.getElementById('log')]
      .map((node) => node.scrollWidth - node.clientWidth));
    assert.deepEqual(tooWide, [0, 0]);
    const outside = await tab.page.evaluate(() => [...document.querySelectorAll('button, input, textarea, .bubble')]
      .map((node) => node.getBoundingClientRect())
      .filter((box) => box.width > 0 && (box.left < 0 || box.right > innerWidth)).length);
    assert.equal(outside, 0);
  };
  await fits();
  await tab.rename('W'.repeat(32));
  await tab.create('M'.repeat(64));
  await tab.room('M'.repeat(64)).waitFor();
  await fits();
  await tab.enter('M'.repeat(64));
  await tab.say('unbroken'.repeat(40));
  await tab.message('unbroken'.repeat(40)).waitFor();
  await tab.gif('A waving hand');
  await tab.log.getByRole('img', { name: 'A waving hand' }).waitFor();
  await tab.page.getByRole('button', { name: 'GIF', exact: true }).click();
  await fits();
  await tab.page.getByRole('button', { name: '1 member', exact: true }).click();
  await tab.members.getByText('W'.repeat(32)).waitFor();
  await fits();
  await tab.page.getByRole('button', { name: 'Rooms', exact: true }).click();
  await tab.room('Room 1').waitFor();
  await fits();
  await tab.page.getByRole('button', { name: 'Back to the room' }).click();
  await tab.page.getByLabel('Message', { exact: true }).waitFor();
}));

test('the keyboard alone is enough', () => visit(ONE, async (tab) => {
  const { keyboard } = tab.page;
  const focused = () => tab.page.evaluate(() => document.activeElement.id);
  await tab.room('Room 2').focus();
  await keyboard.press('Enter');
  await tab.page.waitForFunction(() => document.activeElement.id === 'text');
  await keyboard.type('one');
  await keyboard.press('Shift+Enter');
  await keyboard.type('two');
  await keyboard.press('Enter');
  await tab.log.getByText('one\ntwo').waitFor();
  await keyboard.press('Shift+Tab');
  assert.equal(await focused(), 'gifs-toggle');
  await keyboard.press('Enter');
  await keyboard.press('Shift+Tab');
  await keyboard.press('Enter');
  await tab.log.getByRole('img', { name: 'A steaming cup of coffee' }).waitFor();
  assert.equal(await focused(), 'gifs-toggle');
}));

test('the log keeps the last 500 lines', () => visit(ONE, async (tab) => {
  await tab.enter('Room 1');
  // The server bounds how fast one may talk, so the page's own modules are asked.
  const [first, last, count] = await tab.page.evaluate(async () => {
    const { State } = await import('./state.js');
    const state = new State();
    state.apply({ type: 'welcome', user: { id: 1, name: 'User 1' } });
    for (let i = 1; i <= 501; i += 1) state.apply({ type: 'text', text: `${i}`, from: { id: 2, name: 'B' } });
    return [state.entries[0].text, state.entries.at(-1).text, state.entries.length];
  });
  assert.deepEqual([first, last, count], ['2', '501', 500]);
}));

test('all that the page names is served, with its type', async (t) => {
  const server = await Server.start();
  t.after(() => server.stop());
  const types = { './': 'text/html', css: 'text/css', js: 'text/javascript', svg: 'image/svg+xml' };
  const seen = new Set(['./']);
  for (const name of seen) {
    const response = await fetch(new URL(name, server.url));
    assert.equal(response.status, 200, name);
    const type = types[name === './' ? name : name.split('.').pop()];
    assert.equal(response.headers.get('content-type').split(';')[0], type, name);
    assert.equal(response.headers.get('x-content-type-options'), 'nosniff', name);
    if (type.startsWith('image/')) continue;
    for (const match of (await response.text()).matchAll(/(?:href|src)="([^"]+)"|from '\.\/([^']+)'/g)) {
      seen.add(match[1] ?? match[2]);
    }
  }
  for (let id = 1; id <= 5; id += 1) {
    const response = await fetch(new URL(`gifs/${id}.gif`, server.url));
    assert.deepEqual([response.status, response.headers.get('content-type')], [200, 'image/gif']);
  }
  const modules = ['app.js', 'chat.js', 'connection.js', 'gifs.js', 'state.js', 'view.js'];
  assert.deepEqual([...seen].sort(), ['./', 'favicon.svg', 'style.css', ...modules].sort());
});

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

test('it works below a path of a reverse proxy', async (t) => {
  const server = await Server.start();
  t.after(() => server.stop());
  const proxy = await proxyBelowChat(server.url);
  t.after(() => {
    proxy.close();
    proxy.closeAllConnections();
  });
  const tab = await Tab.open(browser, `http://127.0.0.1:${proxy.address().port}/chat/`);
  await tab.enter('Room 1');
  await tab.gif('A waving hand');
  await tab.log.getByRole('img', { name: 'A waving hand' }).evaluate((node) => node.decode());
  await tab.close();
});
