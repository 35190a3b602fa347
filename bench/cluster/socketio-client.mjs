// A client of Socket.IO without anything that it does not need here: version 5 of its protocol over a WebSocket, with
// connection state recovery. It says again what was not acknowledged when the connection was lost.

import { WebSocket } from 'ws';

const AGAIN_MS = 100;

export class SocketIoClient {
  constructor(ports, member, watch) {
    Object.assign(this, { ports, member, watch, unanswered: new Map(), acks: new Map(), ack: 0, isOffline: false });
    this.node = member.node;
    this.connect();
  }

  connect() {
    if (this.isOffline) return;
    const url = `ws://127.0.0.1:${this.ports[this.node]}/socket.io/?EIO=4&transport=websocket`;
    const socket = new WebSocket(url, { perMessageDeflate: false });
    this.socket = socket;
    this.acks.clear();
    socket.on('message', (data) => this.take(data.toString()));
    socket.on('error', () => {});
    socket.on('close', () => {
      if (socket !== this.socket) return;
      this.isReady = false;
      this.node = (this.node + 1) % this.ports.length;
      setTimeout(() => this.connect(), AGAIN_MS);
    });
  }

  emit(done, ...event) {
    const ack = this.ack++;
    this.acks.set(ack, done);
    this.socket.send(`42${ack}${JSON.stringify(event)}`);
  }

  take(packet) {
    if (packet === '2') {
      this.socket.send('3');
    } else if (packet.startsWith('42')) {
      const [, text, offset] = JSON.parse(packet.slice(2));
      this.offset = offset;
      this.watch.saw(this.member, text);
    } else if (packet.startsWith('43')) {
      const ack = parseInt(packet.slice(2), 10);
      this.acks.get(ack)?.();
      this.acks.delete(ack);
    } else if (packet.startsWith('40')) {
      this.welcome(JSON.parse(packet.slice(2)));
    } else if (packet.startsWith('0')) {
      this.socket.send(this.pid ? `40${JSON.stringify({ pid: this.pid, offset: this.offset })}` : '40');
    }
  }

  welcome({ pid }) {
    const isRecovered = pid === this.pid;
    if (this.pid && !isRecovered) this.watch.told(this.member);
    this.pid = pid;
    const ready = () => {
      this.isReady = true;
      for (const [id, text] of this.unanswered) this.say(id, text);
      this.watch.entered(this.member);
    };
    if (isRecovered) ready();
    else this.emit(ready, 'enter', `room ${this.member.room}`);
  }

  say(id, text) {
    this.unanswered.set(id, text);
    const done = () => this.unanswered.delete(id) && this.watch.acknowledged(id);
    if (this.isReady) this.emit(done, 'text', `room ${this.member.room}`, text);
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
