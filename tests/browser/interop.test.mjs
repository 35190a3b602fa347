// The base protocol, byte for byte, with an independent WebSocket client, over ws:// and wss://.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Client } from './client.mjs';
import { Server } from './server.mjs';

const MAX_MESSAGE_BYTES = 65_536;

const EMPTY_ROOM_1 = '"1":{"id":1,"title":"Room 1","users":{}}';
const EMPTY_ROOM_2 = '"2":{"id":2,"title":"Room 2","users":{}}';
const EMPTY_ROOM_3 = '"3":{"id":3,"title":"Room 3","users":{}}';
const EMPTY_ROOMS = `${EMPTY_ROOM_1},${EMPTY_ROOM_2},${EMPTY_ROOM_3}`;
const rooms = (inside) => `{"type":"list_rooms","rooms":{${inside}}}`;

let certificates;
before(() => {
  certificates = mkdtempSync(path.join(tmpdir(), 'wschat-tls-'));
  execFileSync('openssl', [
    'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost',
    '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1',
    '-keyout', path.join(certificates, 'key.pem'), '-out', path.join(certificates, 'cert.pem'),
  ], { stdio: 'pipe' });
  assert.match(readFileSync(path.join(certificates, 'key.pem'), 'utf8'), /^-----BEGIN PRIVATE KEY-----/); // PKCS#8
});
after(() => rmSync(certificates, { recursive: true }));

const schemes = {
  ws: () => ({ settings: {}, options: {} }),
  wss: () => {
    const certificate = path.join(certificates, 'cert.pem');
    return {
      settings: { certificate, privateKey: path.join(certificates, 'key.pem') },
      options: { ca: readFileSync(certificate) },
    };
  },
};

/** Runs the story over both schemes, each with a fresh server, so ids start at 1. */
function check(name, story) {
  for (const [scheme, prepare] of Object.entries(schemes)) {
    test(`${scheme}://: ${name}`, async () => {
      const { settings, options } = prepare();
      const server = await Server.start(settings);
      const clients = [];
      try {
        assert.ok(server.socketUrl.startsWith(`${scheme}://`), server.url);
        await story(async (more) => {
          const client = await Client.connect(server.socketUrl, { ...options, ...more });
          clients.push(client);
          return client;
        }, server, options);
      } finally {
        for (const client of clients) client.socket.terminate();
        await server.stop();
      }
    });
  }
}

check('welcome: ids count from 1 and are never reused', async (connect, server, options) => {
  for (const id of [1, 2, 3]) {
    const client = new Client(server.socketUrl, options);
    await client.expect(`{"type":"welcome","user":{"id":${id},"name":"User ${id}"}}`);
    client.socket.close();
    assert.ok('closed' in await client.next());
  }
});

check('list_rooms', async (connect) => {
  const client = await connect();
  client.send('{"type":"list_rooms"}');
  await client.expect(rooms(EMPTY_ROOMS));
  client.send('{"type":"enter_room","roomId":2}');
  await client.expect('{"type":"enter_room","user":{"id":1,"name":"User 1"}}');
  client.send('{"type":"list_rooms"}');
  const busy = '"2":{"id":2,"title":"Room 2","users":{"1":{"id":1,"name":"User 1"}}}';
  await client.expect(rooms(`${EMPTY_ROOM_1},${busy},${EMPTY_ROOM_3}`));
});

check('enter_room: sent to everyone in the room, with the id as a string or as a number', async (connect) => {
  const first = await connect();
  const second = await connect();
  first.send('{"type":"enter_room","roomId":"1"}');
  await first.expect('{"type":"enter_room","user":{"id":1,"name":"User 1"}}');
  second.send('{"type":"enter_room","roomId":1}');
  await second.expect('{"type":"enter_room","user":{"id":2,"name":"User 2"}}');
  await first.expect('{"type":"enter_room","user":{"id":2,"name":"User 2"}}');
  // Enter again: only the asker is told, so the other one's next frame is the text.
  second.send('{"type":"enter_room","roomId":1}');
  second.send('{"type":"text","text":"still here"}');
  const text = '{"type":"text","text":"still here","from":{"id":2,"name":"User 2"}}';
  await second.expect('{"type":"enter_room","user":{"id":2,"name":"User 2"}}', text);
  await first.expect(text);
  // Enter another room: this one is left first.
  second.send('{"type":"enter_room","roomId":3}');
  const left = '{"type":"leave_room","user":{"id":2,"name":"User 2"}}';
  await second.expect(left, '{"type":"enter_room","user":{"id":2,"name":"User 2"}}');
  await first.expect(left);
});

check('text and gif: sent to everyone in the room, the author included, and to nobody else', async (connect) => {
  const [author, reader, elsewhere] = [await connect(), await connect(), await connect()];
  author.send('{"type":"enter_room","roomId":1}');
  await author.next();
  reader.send('{"type":"enter_room","roomId":1}');
  await reader.next();
  await author.next();
  elsewhere.send('{"type":"enter_room","roomId":2}');
  await elsewhere.next();
  author.send('{"type":"text","text":"\\"Grüße\\", 你好 <b>&amp;</b>\\n👋","more":"is ignored"}');
  author.send('{"type":"gif","gifId":3}');
  author.send('{"type":"gif","gifId":"4"}');
  for (const client of [author, reader]) {
    await client.expect(
      '{"type":"text","text":"\\"Grüße\\", 你好 <b>&amp;</b>\\n👋","from":{"id":1,"name":"User 1"}}',
      '{"type":"gif","gifId":3,"from":{"id":1,"name":"User 1"}}',
      '{"type":"gif","gifId":4,"from":{"id":1,"name":"User 1"}}',
    );
  }
  elsewhere.send('{"type":"leave_room"}');
  await elsewhere.expect('{"type":"leave_room","user":{"id":3,"name":"User 3"}}');
});

check('leave_room, and a connection that is lost', async (connect) => {
  const [first, second, third] = [await connect(), await connect(), await connect()];
  for (const client of [first, second, third]) {
    client.send('{"type":"enter_room","roomId":1}');
    await client.expect(`{"type":"enter_room","user":{"id":${client.id},"name":"User ${client.id}"}}`);
  }
  const entered = (id) => `{"type":"enter_room","user":{"id":${id},"name":"User ${id}"}}`;
  const left = (id) => `{"type":"leave_room","user":{"id":${id},"name":"User ${id}"}}`;
  await first.expect(entered(2), entered(3));
  second.send('{"type":"leave_room"}');
  await second.expect(entered(3), left(2));
  third.socket.terminate();
  await first.expect(left(2), left(3));
});

check('create_room: sent to everyone, and does not enter the room', async (connect) => {
  const creator = await connect();
  const other = await connect();
  creator.send('{"type":"create_room","title":"some new room"}');
  const list = rooms(`${EMPTY_ROOMS},"4":{"id":4,"title":"some new room","users":{}}`);
  await creator.expect(list);
  await other.expect(list);
  creator.send('{"type":"leave_room"}');
  await creator.expectError('not_in_room');
});

check('change_name: sent to the room; outside a room to nobody', async (connect) => {
  const first = await connect();
  const second = await connect();
  first.send('{"type":"change_name","name":"Anna"}');
  first.send('{"type":"enter_room","roomId":1}');
  await first.expect('{"type":"enter_room","user":{"id":1,"name":"Anna"}}');
  second.send('{"type":"enter_room","roomId":1}');
  await second.next();
  await first.next();
  first.send('{"type":"change_name","name":"my new name"}');
  for (const client of [first, second]) {
    await client.expect('{"type":"change_name","oldName":"Anna","newName":"my new name"}');
  }
});

check('bad input is answered and does not close the connection', async (connect) => {
  const client = await connect();
  const refusals = [
    ['{"type":', 'bad_json'],
    ['', 'bad_json'],
    ['{}', 'bad_request'],
    ['{"type":"enter_room"}', 'bad_request'],
    ['{"type":"enter_room","roomId":"one"}', 'bad_request'],
    ['{"type":"text","text":5}', 'bad_request'],
    ['{"type":"create_room"}', 'bad_request'],
    ['{"type":"dance"}', 'unknown_type'],
    ['{"type":"text","text":"hello?"}', 'not_in_room'],
    ['{"type":"gif","gifId":1}', 'not_in_room'],
    ['{"type":"leave_room"}', 'not_in_room'],
    [JSON.stringify({ type: 'change_name', name: 'n'.repeat(33) }), 'bad_name'],
    [JSON.stringify({ type: 'create_room', title: 't'.repeat(65) }), 'bad_title'],
  ];
  for (const [request, code] of refusals) {
    client.send(request);
    await client.expectError(code);
  }
  client.send('{"type":"enter_room","roomId":9}');
  await client.expect('{"type":"error","code":"unknown_room","message":"There is no room 9."}');
  client.send('{"type":"enter_room","roomId":1}');
  await client.expect('{"type":"enter_room","user":{"id":1,"name":"User 1"}}');
  client.send(JSON.stringify({ type: 'text', text: 'x'.repeat(4001) }));
  await client.expectError('bad_text');
  client.send('{"type":"text","text":"fine"}');
  await client.expect('{"type":"text","text":"fine","from":{"id":1,"name":"User 1"}}');
});

check('a ping is answered with its own payload', async (connect) => {
  const client = await connect();
  client.socket.ping('still there?');
  assert.deepEqual(await client.next(), { pong: 'still there?' });
});

check('a close code is echoed', async (connect) => {
  for (const code of [1000, 4321]) {
    const client = await connect();
    client.socket.close(code, 'bye');
    assert.deepEqual(await client.next(), { closed: code });
  }
});

check('a message may come in fragments, with a ping between them', async (connect) => {
  const client = await connect();
  client.socket.send('{"type":"li', { fin: false });
  client.socket.send('st_ro', { fin: false });
  client.socket.ping('between');
  assert.deepEqual(await client.next(), { pong: 'between' });
  client.socket.send('oms"}', { fin: true });
  await client.expect(rooms(EMPTY_ROOMS));
});

check('a binary message is closed with 1003', async (connect) => {
  const client = await connect();
  client.socket.send(Buffer.from('{"type":"list_rooms"}'));
  assert.deepEqual(await client.next(), { closed: 1003 });
});

check('a message may be as long as the limit, and a longer one is closed with 1009', async (connect) => {
  const client = await connect();
  client.send('{"type":"list_rooms"}'.padEnd(MAX_MESSAGE_BYTES));
  await client.expect(rooms(EMPTY_ROOMS));
  client.send('{"type":"list_rooms"}'.padEnd(MAX_MESSAGE_BYTES + 1));
  assert.deepEqual(await client.next(), { closed: 1009 });
});

check('compression may be offered, and is not used', async (connect) => {
  const client = await connect({ perMessageDeflate: true });
  assert.equal(client.socket.extensions, '');
  client.send('{"type":"list_rooms"}');
  await client.expect(rooms(EMPTY_ROOMS));
});
