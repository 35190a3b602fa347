// Three nodes of each kind of server, with the same Redis.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { CentrifugeClient } from './centrifuge-client.mjs';
import { freePort, listening } from './processes.mjs';
import { SocketIoClient } from './socketio-client.mjs';
import { WschatClient } from './wschat-client.mjs';

export const NODES = 3;
export const ROOMS = 33;

const WITHOUT_LIMITS = {
  maxConnectionsPerIp: 0,
  maxHandshakesPerIp: 0,
  connectsPerSecond: 0,
  messagesPerSecond: 0,
  roomBytesPerSecond: 0,
};

export const wschatProgram = () =>
  process.env.WSCHAT_BIN ?? fileURLToPath(new URL('../../target/release/wschat', import.meta.url));

export const wschatSettings = (port) => ({
  port,
  rooms: Array.from({ length: ROOMS }, (_, room) => `Room ${room + 1}`),
  log: { level: 'warn' },
  limits: WITHOUT_LIMITS,
});

async function startNodes(processes, kind, start) {
  const ports = [];
  for (let i = 0; i < NODES; i++) {
    const port = await freePort();
    await listening(port, start(port, i));
    ports.push(port);
  }
  return { kind, ports };
}

async function startWschat(processes, folder, redis) {
  const where = redis.sentinels
    ? { sentinels: redis.sentinels.map(({ host, port }) => `${host}:${port}`), name: 'wschat' }
    : redis.url;
  mkdirSync(folder, { recursive: true });
  return startNodes(processes, 'wschat', (port, i) => {
    const settings = { ...wschatSettings(port), cluster: { redis: where, node: `node-${i + 1}` } };
    const file = join(folder, `node-${i + 1}.json`);
    writeFileSync(file, JSON.stringify(settings));
    return processes.start(`wschat ${i + 1}`, wschatProgram(), ['--settings', file]);
  });
}

async function startSocketIo(processes, folder, redis) {
  const script = fileURLToPath(new URL('socketio.mjs', import.meta.url));
  const where = redis.sentinels
    ? { sentinels: redis.sentinels, name: 'wschat' }
    : { host: '127.0.0.1', port: redis.master.port };
  return startNodes(processes, 'socket.io', (port, i) =>
    processes.start(`socket.io ${i + 1}`, process.execPath, [script, String(port), JSON.stringify(where)]),
  );
}

async function startCentrifuge(processes, folder, redis) {
  const program = fileURLToPath(new URL('bin/centrifuge', import.meta.url));
  const where = redis.sentinels
    ? ['-sentinels', redis.sentinels.map(({ host, port }) => `${host}:${port}`).join(','), '-name', 'wschat']
    : ['-redis', `127.0.0.1:${redis.master.port}`];
  return startNodes(processes, 'centrifuge', (port, i) =>
    processes.start(`centrifuge ${i + 1}`, program, ['-port', String(port), ...where]),
  );
}

export const KINDS = {
  wschat: { start: startWschat, Client: WschatClient },
  centrifuge: { start: startCentrifuge, Client: CentrifugeClient },
  'socket.io': { start: startSocketIo, Client: SocketIoClient },
};
