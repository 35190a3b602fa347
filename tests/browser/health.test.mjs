// GET /health while the disk is full, and afterwards.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { Client } from './client.mjs';
import { Server } from './server.mjs';

test('health is 503 while messages cannot be saved, and 200 again afterwards', { timeout: 30_000 }, async () => {
  const server = await Server.start({ history: { file: 'wschat.db' } }, { fillable: true });
  const health = async () => {
    const response = await fetch(new URL('health', server.url));
    return [response.status, (await response.text()).trim()];
  };
  let client;
  try {
    client = await Client.connect(server.socketUrl, { protocols: ['wschat.v2'] });
    client.send('{"type":"enter_room","roomId":1}');
    await client.nextFrame();
    assert.deepEqual(await health(), [200, 'ok']);

    server.fillDisk();
    client.send('{"type":"text","text":"lost"}');
    assert.equal((await client.nextFrame()).code, 'not_saved');
    // Longer than the server's own retry interval: with nothing being said, the disk is still full.
    for (let tenths = 0; tenths < 25; tenths += 1) {
      const [status, why] = await health();
      assert.equal(status, 503, `well again after ${tenths / 10} s, with the disk still full`);
      assert.match(why, /cannot be saved/);
      await setTimeout(100);
    }

    // The server notices without a new message.
    server.freeDisk();
    while ((await health())[0] !== 200) await setTimeout(100);
    client.send('{"type":"text","text":"kept"}');
    assert.equal((await client.nextFrame()).seq, 1);
  } finally {
    client?.socket.terminate();
    await server.stop();
  }
});
