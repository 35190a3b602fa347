// Compares three nodes of wschat with three of other servers on the same Redis: bench/cluster/run --help.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { parseArgs } from 'node:util';

import { againstOne } from './against-one.mjs';
import { Crowd } from './crowd.mjs';
import { Processes, pause } from './processes.mjs';
import { startAlone, startWithReplicas } from './redis.mjs';
import { KINDS, NODES, ROOMS, wschatProgram } from './servers.mjs';

const RATE = 2_000;
const WARM_UP_MS = 2_000;
const WINDOW = 4;
const BEHIND_MS = 700;
const REDIS_IS_AWAY_MS = 1_000;
const OFFLINE_BEFORE_MS = 1_500;
const OFFLINE_AFTER_MS = 4_000;
const AFTER_FAULT_MS = 8_000;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '6' },
    only: { type: 'string', default: 'one,latency,throughput,faults' },
    servers: { type: 'string', default: Object.keys(KINDS).join(',') },
    write: { type: 'string' },
  },
});
const rounds = Number(values.rounds);
const measureMs = Number(values.seconds) * 1000;
const kinds = values.servers.split(',');
const parts = values.only.split(',');

/** One trial: a Redis, three nodes, a crowd. Everything ends with it. */
async function trial(kind, startRedis, run) {
  const folder = mkdtempSync(join(tmpdir(), 'wschat-cluster-'));
  const processes = new Processes();
  let crowd;
  try {
    const redis = await startRedis(processes, folder);
    const { ports } = await KINDS[kind].start(processes, join(folder, 'nodes'), redis);
    crowd = new Crowd(KINDS[kind].Client, ports);
    await crowd.ready();
    const result = await run(crowd, redis);
    const crashed = processes.ended().filter(({ name }) => name.startsWith(kind)).length;
    return { ...result, crashed };
  } finally {
    crowd?.close();
    await processes.end();
    rmSync(folder, { recursive: true, force: true });
  }
}

const latency = (kind, appendfsync) =>
  trial(kind, (processes, folder) => startAlone(processes, folder, appendfsync), async (crowd) => {
    await crowd.sayByTheClock(RATE, WARM_UP_MS);
    crowd.isMeasuring = true;
    await crowd.sayByTheClock(RATE, measureMs);
    await crowd.drain();
    return { p50: crowd.percentile(0.5), p99: crowd.percentile(0.99), ...crowd.account() };
  });

const throughput = (kind, appendfsync) =>
  trial(kind, (processes, folder) => startAlone(processes, folder, appendfsync), async (crowd) => ({
    rate: await crowd.sayInLoops(WINDOW, measureMs),
  }));

/** Says texts over a fault. One member of each room is away at that moment and comes back on another node. */
async function overAFault(crowd, fault) {
  crowd.isStallMeasured = true;
  crowd.lastSeenAt = performance.now();
  const talk = crowd.sayByTheClock(RATE, WARM_UP_MS + OFFLINE_BEFORE_MS + AFTER_FAULT_MS);
  await pause(WARM_UP_MS);
  const away = crowd.clients.slice(0, ROOMS);
  for (const client of away) client.goOffline();
  await pause(OFFLINE_BEFORE_MS);
  await fault();
  await pause(OFFLINE_AFTER_MS);
  for (const client of away) {
    client.node = (client.node + 1) % NODES;
    client.comeBack();
  }
  await talk;
  await crowd.drain();
  return crowd.account();
}

const FAULTS = {
  'Redis is killed (always)': (kind) =>
    trial(kind, (processes, folder) => startAlone(processes, folder, 'always'), killAndStartAgain),
  'Redis is killed (everysec)': (kind) =>
    trial(kind, (processes, folder) => startAlone(processes, folder, 'everysec'), killAndStartAgain),
  'a failover loses the tail': (kind) =>
    trial(
      kind,
      (processes, folder) => startWithReplicas(processes, folder, 'always', BEHIND_MS),
      (crowd, redis) =>
        overAFault(crowd, async () => {
          // What the replicas do not have yet dies with the master.
          redis.delay.signal('SIGKILL');
          redis.master.kill();
        }),
    ),
};

function killAndStartAgain(crowd, redis) {
  return overAFault(crowd, async () => {
    redis.master.kill();
    await pause(REDIS_IS_AWAY_MS);
    await redis.master.start();
  });
}

/** Runs `one` for each kind in turn, in every round; the results of each kind. */
async function inTurns(name, one) {
  const results = Object.fromEntries(kinds.map((kind) => [kind, []]));
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < kinds.length; i++) {
      const kind = kinds[(i + round) % kinds.length];
      const result = await one(kind);
      results[kind].push(result);
      process.stderr.write(`${name}, ${kind}: ${JSON.stringify(result)}\n`);
    }
  }
  return results;
}

const sorted = (numbers) => [...numbers].sort((a, b) => a - b);
const median = (numbers) => sorted(numbers)[Math.floor((numbers.length - 1) / 2)];
const spread = (numbers) => `${sorted(numbers)[0].toFixed(1)} – ${sorted(numbers).at(-1).toFixed(1)}`;

const lines = [];
const version = (command, ...args) => execFileSync(command, args, { encoding: 'utf8' }).trim();
const debianVersion = (name) => version('dpkg-query', '-W', '-f', '${Version}', name).replace(/\+.*/, '');
const packages = JSON.parse(readFileSync(new URL('package.json', import.meta.url))).dependencies;
lines.push(
  `Measured on ${new Date().toISOString().slice(0, 10)} (UTC): ${version(wschatProgram(), '--version').split('\n')[0]}, ${version('redis-server', '--version').replace(/ sha.*/, '')}, ` +
    `Node ${process.versions.node}, Socket.IO ${packages['socket.io']} with its adapter ` +
    `${packages['@socket.io/redis-streams-adapter']} and ioredis ${packages.ioredis}, Centrifuge ` +
    `${debianVersion('golang-github-centrifugal-centrifuge-dev')} of Debian; ${cpus().length} cores, ` +
    `which clients, nodes and Redis share. ${rounds} rounds, in turns.`,
);

if (parts.includes('one')) lines.push('', ...(await againstOne(rounds, Number(values.seconds))));

if (parts.includes('latency')) {
  lines.push('', `| ${RATE.toLocaleString('en')} texts a second: latency to members on other nodes | p50 | spread | p99 | spread |`);
  lines.push('|---|---:|---:|---:|---:|');
  for (const appendfsync of ['always', 'everysec']) {
    const results = await inTurns(`latency, ${appendfsync}`, (kind) => latency(kind, appendfsync));
    for (const kind of kinds) {
      const cells = ['p50', 'p99'].map((name) => {
        const all = results[kind].map((result) => result[name]);
        return `${median(all).toFixed(1)} ms | ${spread(all)}`;
      });
      lines.push(`| ${kind}, \`appendfsync ${appendfsync}\` | ${cells.join(' | ')} |`);
    }
  }
}

if (parts.includes('throughput')) {
  lines.push('', `| ${WINDOW} texts on their way for each of ${NODES * ROOMS} clients | texts a second | spread |`, '|---|---:|---:|');
  for (const appendfsync of ['always', 'everysec']) {
    const results = await inTurns(`throughput, ${appendfsync}`, (kind) => throughput(kind, appendfsync));
    for (const kind of kinds) {
      const all = results[kind].map(({ rate }) => rate);
      lines.push(`| ${kind}, \`appendfsync ${appendfsync}\` | ${median(all).toFixed(0)} | ${spread(all)} |`);
    }
  }
}

if (parts.includes('faults')) {
  lines.push('', '| fault | | acknowledged | lost | seen by some only | doubled | disordered | stall | nodes that crashed |');
  lines.push('|---|---|---:|---:|---:|---:|---:|---:|---:|');
  for (const [name, fault] of Object.entries(FAULTS)) {
    const results = await inTurns(name, fault);
    for (const kind of kinds) {
      const of = (what) => results[kind].map((result) => result[what]);
      const cells = ['lost', 'split', 'doubled', 'disordered'].map((what) => of(what).join(', '));
      const stall = `${(median(of('stallMs')) / 1000).toFixed(1)} s`;
      const row = [name, kind, of('acknowledged').join(', '), ...cells, stall, of('crashed').join(', ')];
      lines.push(`| ${row.join(' | ')} |`);
    }
  }
}

const table = `${lines.join('\n')}\n`;
process.stdout.write(table);
if (values.write) {
  const page = readFileSync(values.write, 'utf8');
  const [begin, end] = ['<!-- cluster:begin -->\n', '<!-- cluster:end -->'];
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${values.write} lacks ${begin.trim()} or ${end}`);
  writeFileSync(values.write, page.slice(0, from + begin.length) + table + page.slice(to));
}
