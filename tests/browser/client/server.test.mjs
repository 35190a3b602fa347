// The client package against the real server: in Node with the package ws, in Node with its own WebSocket, and in a
// browser.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import WebSocket from 'ws';
import { Client } from '../../../clients/js/src/client.js';
import { launch } from '../browser.mjs';
import { Proxy } from '../proxy.mjs';
import { Server } from '../server.mjs';
import { PATIENT, Talker } from '../talker.mjs';

const PACKAGE = path.resolve(import.meta.dirname, '../../../clients/js');

/** Runs a story against a fresh server; what it returns or opens is closed by `clean`. */
function story(name, tell, settings = PATIENT) {
  test(name, async () => {
    const server = await Server.start(settings);
    const cleaning = [];
    try {
      await tell(server, (clean) => cleaning.push(clean));
    } finally {
      for (const clean of cleaning.reverse()) await clean();
      await server.stop();
    }
  });
}

/** A client that is in room 1, and the texts it has heard. */
async function heard(url, clean, options = {}) {
  const client = new Client({ url, WebSocket, room: 'Room 1', ...options });
  const texts = [];
  client.on('message', ({ text }) => texts.push(text));
  clean(() => client.stop());
  client.start();
  await next(client, 'room');
  return { client, texts };
}

/** The next event of this type. */
const next = (client, type, isIt = () => true) => new Promise((resolve) => {
  const off = client.on(type, (detail) => {
    if (!isIt(detail)) return;
    off();
    resolve(detail);
  });
});

story('two clients talk, and know their own messages', async (server, clean) => {
  const ada = await heard(server.socketUrl, clean, { name: 'Ada' });
  const ben = await heard(server.socketUrl, clean, { name: 'Ben' });
  const arrives = next(ada.client, 'message', ({ text }) => text === 'hello');
  const said = await ben.client.say('hello');
  assert.deepEqual([said.seq, said.from.name], [1, 'Ben']);
  assert.equal((await arrives).own, false);
  const room = await ben.client.createRoom('Attic');
  ben.client.enter('Attic');
  await next(ben.client, 'room', (frame) => frame.room.id === room.id);
  assert.equal((await ben.client.say('up here')).roomId, room.id);
  const { events } = await ada.client.history(1, { limit: 5 });
  assert.deepEqual(events.map(({ text }) => text), ['hello']);
});

story('what the server refuses is rejected with its code', async (server, clean) => {
  const { client } = await heard(server.socketUrl, clean);
  await assert.rejects(client.say('x'.repeat(4_001)), { name: 'ChatError', code: 'bad_text' });
  await assert.rejects(client.history(9), { code: 'unknown_room' });
  await assert.rejects(client.rename(''), { code: 'bad_name' });
});

story('connections break in the middle of everything: each message is said once, in order, and heard once', async (server, clean) => {
  const proxy = await Proxy.start(server);
  clean(() => proxy.stop());
  const speaker = await heard(proxy.url.replace('http', 'ws'), clean, { name: 'Ada' });
  const listener = await heard(proxy.url.replace('http', 'ws'), clean, { name: 'Ben' });
  const texts = Array.from({ length: 60 }, (_, i) => `text ${i + 1}`);
  let count = 0;
  // Every ninth frame of a text is lost with all connections, on its way up or down.
  proxy.gate = ({ type }) => {
    if (type !== 'text') return 'pass';
    count += 1;
    if (count % 9 !== 0) return 'pass';
    setImmediate(() => {
      proxy.cut();
      for (const { client } of [speaker, listener]) setTimeout(() => client.wake(), 20);
    });
    return 'hold';
  };
  const last = next(listener.client, 'message', ({ text }) => text === texts.at(-1));
  await Promise.all(texts.map((text) => speaker.client.say(text)));
  await last;
  assert.deepEqual(listener.texts, texts);
  assert.deepEqual(speaker.texts, texts);
  assert.ok(count > 120, `${count}`);
});

story('killed and started again with its history: the session is resumed, and nothing is missing', async (server, clean) => {
  const ada = await heard(server.socketUrl, clean, { name: 'Ada' });
  const ben = await heard(server.socketUrl, clean, { name: 'Ben' });
  const arrives = next(ben.client, 'message', ({ text }) => text === 'after');
  await ada.client.say('before');
  await server.kill();
  const said = ada.client.say('after');
  await server.restart();
  for (const { client } of [ada, ben]) client.wake();
  assert.equal((await said).from.name, 'Ada');
  await arrives;
  assert.deepEqual(ben.texts, ['before', 'after']);
}, { ...PATIENT, history: { file: 'wschat.db' } });

story('another connection takes the session over: the first stays away', async (server, clean) => {
  const store = new Map();
  const first = await heard(server.socketUrl, clean, { store });
  const gone = next(first.client, 'disconnected');
  const second = await heard(server.socketUrl, clean, { store });
  assert.deepEqual(await gone, { code: 4001, reason: 'replaced', retryAt: null });
  assert.equal(second.client.state.me.id, first.client.state.me.id);
  assert.equal(first.client.state.phase, 'replaced');
});

story('the example: an echo bot with Node’s own WebSocket', async (server, clean) => {
  const own = globalThis.WebSocket ? [] : ['--experimental-websocket', '--no-warnings'];
  const file = path.join(PACKAGE, 'examples/echo-bot.mjs');
  const bot = spawn(process.execPath, [...own, file, server.socketUrl, 'Room 1'], { stdio: ['ignore', 'pipe', 'inherit'] });
  clean(() => bot.kill('SIGKILL'));
  const [line] = await once(createInterface(bot.stdout), 'line');
  assert.equal(line, 'in Room 1');
  const talker = await Talker.enter(server, { name: 'Ada' });
  clean(() => talker.close());
  await talker.say('hello', '!echo hello');
  for (;;) {
    const { type, text, from } = await talker.nextFrame();
    if (type !== 'text' || from.id === talker.id) continue;
    assert.deepEqual([text, from.name], ['hello', 'Echo']);
    break;
  }
  bot.kill('SIGINT');
  const [status] = await once(bot, 'exit');
  assert.equal(status, 0, 'nothing keeps it running');
});

story('in a browser', async (server, clean) => {
  const browser = await launch();
  clean(() => browser.close());
  const page = await browser.newPage();
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.route('**/package/*.js', async (route) => {
    const name = path.basename(new URL(route.request().url()).pathname);
    await route.fulfill({ contentType: 'text/javascript', body: await readFile(path.join(PACKAGE, 'src', name)) });
  });
  await page.goto(new URL('icon-192.png', server.url).href);
  const talker = await Talker.enter(server, { name: 'Ada' });
  clean(() => talker.close());
  const begins = page.evaluate(async (url) => {
    const { Client } = await import('/package/client.js');
    const client = new Client({ url, name: 'Tab', room: 1 });
    const heard = new Promise((resolve) => { client.on('message', (one) => { if (!one.own) resolve(one); }); });
    client.start();
    const said = await client.say('from a tab');
    return { said, heard: await heard, members: [...client.state.members.values()].toSorted() };
  }, server.socketUrl);
  for (;;) {
    const { type, text } = await talker.nextFrame();
    if (type === 'text') {
      assert.equal(text, 'from a tab');
      break;
    }
  }
  await talker.say('to a tab');
  const { said, heard: one, members } = await begins;
  assert.deepEqual([said.seq, one.text, members, complaints], [1, 'to a tab', ['Ada', 'Tab'], []]);
});
