// A client that is not the page: Node's `ws`, and what happened to it, in order.

import assert from 'node:assert/strict';
import WebSocket from 'ws';

/** How long to wait for anything. */
const TIMEOUT_MS = 10_000;

export class Client {
  #arrived = [];
  #waiting = [];

  /** The reason in the Close frame, once there was one. */
  closeReason;

  /** `protocols` are the subprotocols to offer; all other options are for `ws`. */
  constructor(url, { protocols = [], ...options } = {}) {
    this.socket = new WebSocket(url, protocols, options);
    this.socket.on('message', (data, binary) => this.#push({ frame: binary ? data : data.toString() }));
    this.socket.on('pong', (data) => this.#push({ pong: data.toString() }));
    this.socket.on('close', (code, reason) => {
      this.closeReason = reason.toString();
      this.#push({ closed: code });
    });
    this.socket.on('error', (error) => this.#push({ error: String(error) }));
  }

  static async connect(url, options) {
    const client = new this(url, options);
    client.welcome = await client.nextFrame();
    client.id = client.welcome.user.id;
    return client;
  }

  /** Resolves with the next thing that happens: `{ frame }`, `{ pong }`, `{ closed }` or `{ error }`. */
  next() {
    if (this.#arrived.length > 0) return Promise.resolve(this.#arrived.shift());
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('nothing came')), TIMEOUT_MS);
      this.#waiting.push((event) => {
        clearTimeout(timer);
        resolve(event);
      });
    });
  }

  /** Like `next`, for a frame, which it parses. */
  async nextFrame() {
    const event = await this.next();
    assert.ok('frame' in event, JSON.stringify(event));
    return JSON.parse(event.frame);
  }

  send(text) {
    this.socket.send(text);
  }

  /** Asserts that the next frames are exactly these. */
  async expect(...frames) {
    for (const frame of frames) assert.deepEqual(await this.next(), { frame });
  }

  async expectError(code) {
    const { frame } = await this.next();
    const error = JSON.parse(frame);
    assert.deepEqual(Object.keys(error), ['type', 'code', 'message'], frame);
    assert.equal(error.type, 'error');
    assert.equal(error.code, code, frame);
    assert.ok(typeof error.message === 'string' && error.message !== '');
  }

  #push(event) {
    const waiting = this.#waiting.shift();
    if (waiting) waiting(event);
    else this.#arrived.push(event);
  }
}
