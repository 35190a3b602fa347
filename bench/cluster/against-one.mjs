// One machine and three nodes under the same load from wschat-bench, in turns.

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { Processes, freePort, listening } from './processes.mjs';
import { startAlone } from './redis.mjs';
import { KINDS, NODES, ROOMS, wschatSettings, wschatProgram } from './servers.mjs';

const run = promisify(execFile);
const CLIENTS = NODES * ROOMS;
const MOST = 64 << 20;

async function startOne(processes, folder, more) {
  const port = await freePort();
  const file = join(folder, 'one.json');
  writeFileSync(file, JSON.stringify({ ...wschatSettings(port), ...more }));
  await listening(port, processes.start('wschat', wschatProgram(), ['--settings', file]));
  return { ports: [port] };
}

const startThree = async (processes, folder, appendfsync) =>
  KINDS.wschat.start(processes, join(folder, 'nodes'), await startAlone(processes, folder, appendfsync));

const SERVERS = {
  'one machine, history in memory': (processes, folder) => startOne(processes, folder, {}),
  'one machine, history in a file': (processes, folder) =>
    startOne(processes, folder, { history: { file: join(folder, 'wschat.db') } }),
  'three nodes, `appendfsync everysec`': (processes, folder) => startThree(processes, folder, 'everysec'),
  'three nodes, `appendfsync always`': (processes, folder) => startThree(processes, folder, 'always'),
};

const perRoom = (texts) => ['--senders', 'all', '--rate', String(texts / ROOMS)];
const LOADS = {
  '2,000 texts a second': perRoom(2_000),
  '10,000 texts a second': perRoom(10_000),
  '50,000 texts a second': perRoom(50_000),
  'as fast as they come back, 4 on their way for each': ['--senders', 'all', '--window', '4'],
  'as fast as they come back, 64 on their way for each': ['--senders', 'all', '--window', '64'],
};

/** A report of wschat-bench. */
async function measure(ports, options, seconds) {
  const program =
    process.env.WSCHAT_BENCH_BIN ?? fileURLToPath(new URL('../../target/release/wschat-bench', import.meta.url));
  const urls = ports.map((port) => `ws://127.0.0.1:${port}/`);
  const fixed = ['fanout', '--json', '--clients', CLIENTS, '--rooms', ROOMS, '--seconds', seconds, '--warmup', 2];
  const started = run(program, [...fixed.map(String), ...options, ...urls], { maxBuffer: MOST });
  // A run that is not clean has a report as well.
  const { stdout } = await started.catch((error) => error);
  return JSON.parse(stdout);
}

async function trial(start, options, seconds) {
  const folder = mkdtempSync(join(tmpdir(), 'wschat-cluster-'));
  const processes = new Processes();
  try {
    const { ports } = await start(processes, folder);
    const { clean, failures, traffic } = await measure(ports, options, seconds);
    const { p50, p99 } = traffic.latencyMicros;
    return { clean, failures, p50: p50 / 1000, p99: p99 / 1000, rate: traffic.perSecond / NODES };
  } finally {
    await processes.end();
    rmSync(folder, { recursive: true, force: true });
  }
}

const sorted = (numbers) => [...numbers].sort((a, b) => a - b);
const median = (numbers) => sorted(numbers)[Math.floor((numbers.length - 1) / 2)];
const spread = (numbers, digits) => `${sorted(numbers)[0].toFixed(digits)} – ${sorted(numbers).at(-1).toFixed(digits)}`;

/** The lines of the table. */
export async function againstOne(rounds, seconds) {
  const lines = [`| ${CLIENTS} clients in ${ROOMS} rooms | p50 | spread | p99 | spread | texts a second | not clean |`];
  lines.push('|---|---:|---:|---:|---:|---:|---:|');
  for (const [load, options] of Object.entries(LOADS)) {
    const names = Object.keys(SERVERS);
    const results = Object.fromEntries(names.map((name) => [name, []]));
    for (let round = 0; round < rounds; round++) {
      for (let i = 0; i < names.length; i++) {
        const name = names[(i + round) % names.length];
        const result = await trial(SERVERS[name], options, seconds);
        results[name].push(result);
        process.stderr.write(`${load}, ${name}: ${JSON.stringify(result)}\n`);
      }
    }
    lines.push(`| **${load}** | | | | | | |`);
    for (const name of names) {
      const of = (what) => results[name].map((result) => result[what]);
      const times = ['p50', 'p99'].map((what) => `${median(of(what)).toFixed(2)} ms | ${spread(of(what), 2)}`);
      const unclean = of('clean').filter((clean) => !clean).length;
      lines.push(`| ${name} | ${times.join(' | ')} | ${median(of('rate')).toFixed(0)} | ${unclean} |`);
    }
  }
  return lines;
}
