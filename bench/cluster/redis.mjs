// Redis for a trial: alone, or with two replicas that are behind on purpose and three Sentinels.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { freePort, listening, pause } from './processes.mjs';

const REPLICA_PATIENCE_MS = 20_000;
const REPLICAS = 2;

const ask = (port, ...command) =>
  execFileSync('redis-cli', ['-h', '127.0.0.1', '-p', String(port), ...command], { encoding: 'utf8' });

/** A server with its data in a folder of its own, which can be killed and started again. */
class Server {
  constructor(processes, folder, name, port, options) {
    Object.assign(this, { processes, name, port });
    this.folder = join(folder, name);
    mkdirSync(this.folder, { recursive: true });
    this.arguments = [
      ...['--port', port, '--bind', '127.0.0.1', '--dir', this.folder, '--save', '', '--appendonly', 'yes'],
      ...['--maxmemory-policy', 'noeviction', ...options],
    ].map(String);
  }

  async start() {
    this.process = this.processes.start(this.name, 'redis-server', this.arguments);
    await listening(this.port, this.process);
  }

  kill() {
    this.process.signal('SIGKILL');
  }
}

/** One server. */
export async function startAlone(processes, folder, appendfsync) {
  const server = new Server(processes, folder, 'redis', await freePort(), ['--appendfsync', appendfsync]);
  await server.start();
  return { appendfsync, master: server, url: `redis://127.0.0.1:${server.port}/` };
}

/** A master, two replicas that get everything `delayMs` later, and three Sentinels that fail over after a second. */
export async function startWithReplicas(processes, folder, appendfsync, delayMs) {
  const [masterPort, delayPort] = [await freePort(), await freePort()];
  const master = new Server(processes, folder, 'master', masterPort, ['--appendfsync', appendfsync]);
  await master.start();
  const script = fileURLToPath(new URL('delay.mjs', import.meta.url));
  const delay = processes.start('delay', process.execPath, [script, delayPort, masterPort, delayMs].map(String));
  await listening(delayPort, delay);
  const behind = ['--appendfsync', appendfsync, '--replicaof', `127.0.0.1 ${delayPort}`];
  const deadline = performance.now() + REPLICA_PATIENCE_MS;
  for (let i = 0; i < REPLICAS; i++) {
    const replica = new Server(processes, folder, `replica-${i}`, await freePort(), behind);
    await replica.start();
    while (!ask(replica.port, 'INFO', 'replication').includes('master_link_status:up')) {
      if (performance.now() > deadline) throw new Error('the replica does not follow');
      await pause(100);
    }
  }
  const sentinels = [];
  for (let i = 0; i < 3; i++) {
    const port = await freePort();
    const file = join(folder, `sentinel-${i}.conf`);
    writeFileSync(
      file,
      `port ${port}\nbind 127.0.0.1\ndir ${folder}\nsentinel monitor wschat 127.0.0.1 ${masterPort} 2\n` +
        'sentinel down-after-milliseconds wschat 1000\nsentinel failover-timeout wschat 10000\n',
    );
    const sentinel = processes.start(`sentinel ${i}`, 'redis-server', [file, '--sentinel']);
    await listening(port, sentinel);
    sentinels.push({ host: '127.0.0.1', port });
  }
  // Until each knows the replicas and the others.
  const knows = ({ port }) => {
    const known = (whom) => (ask(port, 'SENTINEL', whom, 'wschat').match(/runid/g) ?? []).length;
    return known('replicas') === REPLICAS && known('sentinels') === 2;
  };
  while (!sentinels.every(knows)) {
    if (performance.now() > deadline + REPLICA_PATIENCE_MS) throw new Error('the Sentinels do not find each other');
    await pause(200);
  }
  return { appendfsync, master, delay, sentinels };
}
