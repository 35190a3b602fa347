// What the clients of all servers have in common: a connection that comes back on the next node, and the texts that were
// not acknowledged yet. A kind of client has `open`, which returns its socket, and `say`.

import { WebSocket } from 'ws';

const AGAIN_MS = 100;
const REFUSED_AGAIN_MS = 250;

export class Client {
  constructor(ports, member, watch) {
    Object.assign(this, { ports, member, watch, unanswered: new Map(), isOffline: false });
    this.node = member.node;
  }

  connect() {
    if (this.isOffline) return;
    const socket = this.open(`ws://127.0.0.1:${this.ports[this.node]}`);
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('close', () => {
      if (socket !== this.socket) return;
      this.isReady = false;
      this.node = (this.node + 1) % this.ports.length;
      setTimeout(() => this.connect(), AGAIN_MS);
    });
  }

  // The client is in its room again.
  ready() {
    this.isReady = true;
    for (const [id, text] of this.unanswered) this.say(id, text);
    this.watch.entered(this.member);
  }

  answered(id) {
    if (this.unanswered.delete(id)) this.watch.acknowledged(id);
  }

  refused(id) {
    setTimeout(() => {
      if (this.isReady && this.unanswered.has(id)) this.say(id, this.unanswered.get(id));
    }, REFUSED_AGAIN_MS);
  }

  goOffline() {
    this.isOffline = true;
    this.isReady = false;
    this.socket.terminate();
  }

  comeBack() {
    this.isOffline = false;
    this.connect();
  }

  close() {
    this.isOffline = true;
    this.socket.terminate();
  }
}

export function webSocket(url, protocols = []) {
  return new WebSocket(url, protocols, { perMessageDeflate: false });
}
