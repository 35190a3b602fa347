// Resuming sessions, with two independent clients: Node's `ws` and Python's `websockets`.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { check, Seen, Watched } from './frames.mjs';
import { Server } from './server.mjs';

const V2 = ['wschat.v2'];

/** A client that keeps what it needs to resume, and resumes. */
class Member extends Watched {
  /** Enters `roomId`, and resumes its events if it has been there before. */
  async enter(roomId, since) {
    this.ask({ type: 'enter_room', roomId, ...(since && { since }) });
    this.room = await this.until('room');
    return this.room;
  }

  /** Says something, and waits until it is acknowledged. */
  async say(text, ref) {
    this.ask({ type: 'text', text, ref });
    return this.until('text', (said) => said.ref === ref && said.from.id === this.id);
  }

  /** Breaks the connection without a Close frame. */
  async lose() {
    this.socket.terminate();
    await once(this.socket, 'close');
  }

  get secret() {
    return `session.${this.welcome.session}`;
  }
}

/** A server, and a way to connect to it; without a `session.…` as a new user. */
const tell = (name, settings, story) => test(name, async () => {
  const server = await Server.start(settings);
  const clients = [];
  try {
    await story(async (...more) => {
      const client = await Member.connect(server.socketUrl, { protocols: [...V2, ...more], seen: new Seen() });
      assert.equal(client.socket.protocol, 'wschat.v2');
      clients.push(client);
      return client;
    }, server);
  } finally {
    for (const client of clients) client.socket.terminate();
    await server.stop();
  }
});

tell('a resumed client is the same user, gets what it missed, and nobody notices', {}, async (connect) => {
  const [anna, ben] = [await connect(), await connect()];
  anna.ask({ type: 'change_name', name: 'Anna' });
  await anna.until('change_name');
  await ben.enter(1);
  const { epoch } = await anna.enter(1);
  await ben.until('enter_room');
  const first = await anna.say('first', 'a1');
  assert.deepEqual(await ben.until('text'), first);

  await anna.lose();
  const missed = await ben.say('missed', 'b1');
  const again = await connect(anna.secret);
  const { user, session, resumed, roomId } = again.welcome;
  assert.deepEqual(
    { user, session, resumed, roomId },
    { user: { id: anna.id, name: 'Anna' }, session: anna.welcome.session, resumed: true, roomId: 1 },
  );
  const also = await ben.say('missed, too', 'b2');
  const back = await again.enter(1, { epoch, seq: first.seq });
  assert.deepEqual([back.complete, back.events, back.seq], [true, [missed, also], also.seq]);
  assert.deepEqual(back.users.map(({ id }) => id), [anna.id, ben.id].sort((a, b) => a - b));

  // An acknowledged message is not sent again, an unacknowledged one is.
  again.ask({ type: 'text', text: 'first', ref: 'a1' });
  assert.deepEqual(await again.nextFrame(), first);
  const second = await again.say('second', 'a2');
  assert.equal(second.seq, also.seq + 1);
  // Nobody joined, nobody left, nothing was said twice: this is the very next frame that Ben gets.
  assert.deepEqual(await ben.nextFrame(), second);
});

tell('an old connection that is still alive is replaced', {}, async (connect) => {
  const [anna, ben] = [await connect(), await connect()];
  await ben.enter(1);
  await anna.enter(1);
  await ben.until('enter_room');
  const again = await connect(anna.secret);
  assert.deepEqual([again.welcome.resumed, again.welcome.roomId, again.id], [true, 1, anna.id]);
  assert.deepEqual(await anna.next(), { closed: 4001 });
  assert.equal(anna.closeReason, 'replaced');
  await again.enter(1);
  const said = await again.say('here', 'a1');
  assert.deepEqual(await ben.nextFrame(), said);
});

tell('after the grace the others are told, and the secret is void', { limits: { resumeGraceSeconds: 1 } },
  async (connect) => {
    const [anna, ben] = [await connect(), await connect()];
    await ben.enter(1);
    await anna.enter(1);
    await ben.until('enter_room');
    await anna.lose();
    assert.equal((await ben.nextFrame()).type, 'leave_room');
    const other = await connect(anna.secret);
    assert.equal(other.welcome.resumed, false);
    assert.notEqual(other.welcome.session, anna.welcome.session);
    assert.ok(other.id > ben.id);
  });

tell('a wrong secret makes a new user', {}, async (connect) => {
  const anna = await connect();
  await anna.lose();
  for (const wrong of [`session.${'0'.repeat(32)}`, 'session.', `session.${anna.welcome.session.slice(1)}`, 'another']) {
    const other = await connect(wrong);
    assert.equal(other.welcome.resumed, false, wrong);
    assert.equal('roomId' in other.welcome, false);
  }
  assert.equal((await connect(anna.secret)).welcome.resumed, true);
});

tell('a client of the base protocol has no grace', {}, async (connect, server) => {
  const ben = await connect();
  await ben.enter(1);
  const base = await Watched.connect(server.socketUrl, { seen: new Seen() });
  assert.equal(base.socket.protocol, '');
  base.ask({ type: 'enter_room', roomId: 1 });
  await ben.until('enter_room');
  base.socket.terminate();
  assert.equal((await ben.nextFrame()).type, 'leave_room');
});

tell('after kill -9 users, rooms, seqs and refs continue', { history: { file: 'wschat.db' } },
  async (connect, server) => {
    const [anna, ben] = [await connect(), await connect()];
    anna.ask({ type: 'change_name', name: 'Anna' });
    anna.ask({ type: 'create_room', title: 'Attic', ref: 'r' });
    const attic = (await anna.until('room_added')).room.id;
    await ben.enter(attic);
    const { epoch } = await anna.enter(attic);
    const first = await anna.say('first', 'a1');
    await ben.until('text');
    // Sent, and seen by another client: so it was said, even if its author cannot know.
    anna.ask({ type: 'text', text: 'second', ref: 'a2' });
    const second = await ben.until('text', ({ ref }) => ref === 'a2');
    await server.kill();
    await server.restart();

    const again = await connect(anna.secret);
    assert.deepEqual([again.welcome.resumed, again.welcome.roomId], [true, attic]);
    assert.deepEqual(again.welcome.user, { id: anna.id, name: 'Anna' });
    const back = await again.enter(attic, { epoch, seq: first.seq });
    assert.deepEqual([back.epoch, back.complete, back.events], [epoch, true, [second]]);
    again.ask({ type: 'text', text: 'second', ref: 'a2' });
    assert.deepEqual(await again.nextFrame(), second);
    assert.equal((await again.say('third', 'a3')).seq, 3);
    const newcomer = await connect();
    assert.ok(newcomer.id > ben.id);
    assert.equal((await newcomer.enter(attic)).room.title, 'Attic');
  });

/** A Python that has `websockets`, or undefined. */
async function python() {
  for (const candidate of [process.env.PYTHON, 'python3', '/usr/bin/python3'].filter(Boolean)) {
    try {
      await promisify(execFile)(candidate, ['-c', 'import websockets']);
      return candidate;
    } catch {
      // Try the next one.
    }
  }
  return undefined;
}

test('the same with Python', async (t) => {
  const interpreter = await python();
  if (interpreter === undefined) return t.skip('there is no python3 with websockets');
  const server = await Server.start();
  try {
    const script = path.join(import.meta.dirname, 'resume.py');
    const { stdout } = await promisify(execFile)(interpreter, [script, server.socketUrl], { timeout: 30_000 });
    const lines = stdout.trim().split('\n');
    assert.equal(lines.at(-1), 'resumed');
    const frames = lines.filter((line) => /^[CS]: /.test(line));
    for (const line of frames) check(line.startsWith('S') ? 'v2-server' : 'v2-client', line.slice(3));
    assert.ok(frames.length > 10, stdout);
  } finally {
    await server.stop();
  }
});
