// A proxy between the page and the server that holds, drops or cuts, so that a test can choose the moment.

import http from 'node:http';
import { once } from 'node:events';
import { WebSocket, WebSocketServer } from 'ws';

export class Proxy {
  url;
  /**
   * `(frame, isUp)` → 'pass', 'drop', or 'hold', which holds everything in that direction until `release()`. It may
   * change the frame.
   */
  gate = () => 'pass';
  /** Whether it accepts WebSocket connections. The page itself is always served. */
  isOpen = true;
  /** Acts as a server that knows no subprotocols, or a middlebox that strips them. */
  isBase = false;
  #server;
  #http;
  #sockets = new WebSocketServer({ noServer: true, handleProtocols: () => !this.isBase && 'wschat.v2' });
  #pairs = new Set();
  #connected = [];

  static async start(server) {
    const proxy = new Proxy();
    proxy.#server = server;
    proxy.#http = http.createServer((request, response) => proxy.#pass(request, response));
    proxy.#http.on('upgrade', (...head) => proxy.#upgrade(...head));
    proxy.#http.listen(0, '127.0.0.1');
    await once(proxy.#http, 'listening');
    proxy.url = `http://127.0.0.1:${proxy.#http.address().port}/`;
    return proxy;
  }

  stop() {
    this.cut();
    this.#http.closeAllConnections();
    this.#http.close();
  }

  /** Cuts all connections, or closes them with a code. Held frames are lost. */
  cut(code, reason) {
    const pairs = [...this.#pairs];
    this.#pairs.clear();
    for (const { page, upstream } of pairs) {
      if (code === undefined) page.terminate();
      else page.close(code, reason);
      upstream.terminate();
    }
  }

  /** Accepts no connections until `mend()`. */
  breakOff() {
    this.isOpen = false;
    this.cut();
  }

  mend() {
    this.isOpen = true;
  }

  release() {
    this.gate = () => 'pass';
    for (const { up, down } of this.#pairs) for (const way of [up, down]) for (const send of way.held.splice(0)) send();
  }

  /** Resolves when the next connection is open. */
  connected() {
    return new Promise((resolve) => { this.#connected.push(resolve); });
  }

  #pass(request, response) {
    const { port } = new URL(this.#server.url);
    const { method, url: path, headers } = request;
    const onwards = http.request({ port, host: '127.0.0.1', method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.rawHeaders);
      answer.pipe(response);
    });
    onwards.on('error', () => response.destroy());
    request.pipe(onwards);
  }

  #upgrade(request, socket, head) {
    if (!this.isOpen) return socket.destroy();
    this.#sockets.handleUpgrade(request, socket, head, (page) => this.#join(page, request));
  }

  #join(page, request) {
    const offered = this.isBase ? [] : (request.headers['sec-websocket-protocol'] ?? '').split(/, */).filter(Boolean);
    const upstream = new WebSocket(this.#server.socketUrl, offered, { origin: new URL(this.#server.url).origin });
    const pair = { page, upstream, up: { held: [] }, down: { held: [] } };
    this.#pairs.add(pair);
    const end = () => {
      // A pair that has been cut is already closing: terminating it could destroy its Close frame.
      if (!this.#pairs.delete(pair)) return;
      page.terminate();
      upstream.terminate();
    };
    for (const one of [page, upstream]) one.on('error', end);
    upstream.on('close', (code, reason) => (code >= 4000 ? page.close(code, reason) : end()));
    page.on('close', end);
    const opened = once(upstream, 'open').catch(() => {});
    page.on('message', async (data) => {
      await opened;
      this.#carry(pair.up, upstream, data.toString(), true);
    });
    upstream.on('message', (data) => this.#carry(pair.down, page, data.toString(), false));
    upstream.on('open', () => this.#connected.splice(0).forEach((resolve) => resolve()));
  }

  #carry(way, to, text, isUp) {
    const frame = JSON.parse(text);
    const verdict = way.held.length > 0 ? 'hold' : this.gate(frame, isUp);
    const send = () => to.readyState === WebSocket.OPEN && to.send(JSON.stringify(frame));
    if (verdict === 'pass') send();
    else if (verdict === 'hold') way.held.push(send);
  }
}
