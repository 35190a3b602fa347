// Starts the real server on a free port, and stops it after the test.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';

const ROOT = path.resolve(import.meta.dirname, '../..');
const START_MS = 10_000;

/** `WSCHAT_BIN`, or what cargo has built: debug first, then release. */
function binary() {
  const target = path.resolve(ROOT, process.env.CARGO_TARGET_DIR ?? 'target');
  const found = [process.env.WSCHAT_BIN, path.join(target, 'debug/wschat'), path.join(target, 'release/wschat')]
    .find((file) => file && existsSync(file));
  if (!found) throw new Error('there is no wschat to test: run `cargo build` or set WSCHAT_BIN');
  return found;
}

export class Server {
  #directory = mkdtempSync(path.join(tmpdir(), 'wschat-'));
  #command;
  #fixed;
  #process;

  /** The address that the server printed, with a slash at the end. */
  url;

  /**
   * `fillable`: the test will fill the disk. It does so with a limit on the size of files, which looks like a full disk
   * to a write, once the signal that comes with it is ignored. `governed`: the test will send commands of the operator.
   */
  static async start(settings = {}, { fillable = false, governed = false } = {}) {
    const server = new Server();
    server.#command = fillable ? ['bash', '-c', 'trap "" XFSZ; exec "$@"', 'bash', binary()] : [binary()];
    const admin = governed && { admin: { listen: server.file('admin.sock') } };
    server.#fixed = { host: '127.0.0.1', ...admin };
    writeFileSync(server.file('settings.json'), JSON.stringify({ ...server.#fixed, ...settings }));
    try {
      await server.#run(0);
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  /** The WebSocket address: for clients other than browsers any path will do. */
  get socketUrl() {
    return this.url.replace(/^http/, 'ws');
  }

  /** The path of a file next to the settings. */
  file(name) {
    return path.join(this.#directory, name);
  }

  /** Kills the process, as a power cut would. */
  async kill() {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.kill('SIGKILL');
    await once(this.#process, 'exit');
  }

  /** Starts again on the same port, after `kill`. */
  async restart() {
    await this.#run(new URL(this.url).port);
  }

  /** Sends a command of the operator. Returns its answer. */
  async command(method, path, body) {
    const headers = { 'Content-Type': 'application/json' };
    const sent = request({ socketPath: this.file('admin.sock'), method, path, headers });
    sent.end(body && JSON.stringify(body));
    const [response] = await once(sent, 'response');
    let text = '';
    for await (const part of response) text += part;
    if (response.statusCode !== 200) throw new Error(`${method} ${path}: ${response.statusCode} ${text}`);
    return JSON.parse(text);
  }

  /** Gives the running server other settings, as an operator does with a text editor and `wschat reload`. */
  async reload(settings) {
    writeFileSync(this.file('settings.json'), JSON.stringify({ ...this.#fixed, ...settings }));
    await this.command('POST', '/v1/reload', {});
  }

  /** Destroys the stored history under the running server. */
  loseHistory(file) {
    for (const part of [file, `${file}-wal`]) truncateSync(this.file(part));
  }

  /** From now on every write to a file fails. */
  fillDisk() {
    this.#limitFiles(1);
  }

  freeDisk() {
    this.#limitFiles('unlimited');
  }

  async stop() {
    await this.kill();
    rmSync(this.#directory, { recursive: true });
  }

  #limitFiles(bytes) {
    execFileSync('prlimit', ['--pid', String(this.#process.pid), `--fsize=${bytes}:unlimited`]);
  }

  async #run(port) {
    const settings = this.file('settings.json');
    const [program, ...words] = this.#command;
    this.#process = spawn(program, [...words, '--port', String(port), '--settings', settings], {
      cwd: this.#directory,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let complaints = '';
    this.#process.stderr.on('data', (data) => { complaints += data; });
    const address = new Promise((resolve, reject) => {
      createInterface(this.#process.stdout).on('line', (line) => {
        const url = line.match(/https?:\/\/[^\s"']+/)?.[0];
        if (url) resolve(new URL('/', url).href);
      });
      this.#process.once('error', reject);
      this.#process.once('exit', (code, signal) => reject(new Error(`ended with ${code ?? signal}: ${complaints}`)));
      setTimeout(() => reject(new Error(`printed no address: ${complaints}`)), START_MS).unref();
    });
    this.url = await address;
  }
}
