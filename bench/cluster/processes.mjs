// Processes and ports of a trial. Whatever is started here ends with the trial.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, connect } from 'node:net';

const PATIENCE_MS = 20_000;

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A port of 127.0.0.1 that nothing uses. */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** Waits until something takes connections at a port, or `process` ends. */
export async function listening(port, process) {
  const deadline = performance.now() + PATIENCE_MS;
  while (performance.now() < deadline) {
    if (process.isOver) throw new Error(`${process.name} has ended: ${process.said()}`);
    const socket = connect(port, '127.0.0.1');
    const isThere = await new Promise((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (isThere) return;
    await pause(20);
  }
  throw new Error(`${process.name} does not listen: ${process.said()}`);
}

/** The processes of one trial. */
export class Processes {
  #all = [];

  start(name, command, args, options = {}) {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    const lines = [];
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (text) => lines.push(text) > 400 && lines.shift());
    }
    const process = {
      name,
      pid: child.pid,
      isOver: false,
      said: () => lines.join('').slice(-2000),
      signal: (which) => child.kill(which),
      over: new Promise((resolve) => child.once('close', resolve)),
    };
    child.once('close', () => (process.isOver = true));
    child.once('error', (error) => {
      process.isOver = true;
      lines.push(String(error));
    });
    this.#all.push(process);
    return process;
  }

  /** Those that have ended by themselves or were killed. */
  ended() {
    return this.#all.filter((process) => process.isOver);
  }

  async end() {
    for (const process of this.#all) {
      if (!process.isOver) process.signal('SIGCONT') && process.signal('SIGKILL');
    }
    await Promise.all(this.#all.map((process) => process.isOver || process.over));
  }
}
