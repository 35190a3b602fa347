// A client of Socket.IO without anything that it does not need here: version 5 of its protocol over a WebSocket, with
// connection state recovery. It says again what was not acknowledged when the connection was lost.

import { Client, webSocket } from './client.mjs';

export class SocketIoClient extends Client {
  constructor(ports, member, watch) {
    super(ports, member, watch);
    Object.assign(this, { acks: new Map(), ack: 0 });
    this.connect();
  }

  open(address) {
    const socket = webSocket(`${address}/socket.io/?EIO=4&transport=websocket`);
    this.acks.clear();
    socket.on('message', (data) => this.take(data.toString()));
    return socket;
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
    if (isRecovered) this.ready();
    else this.emit(() => this.ready(), 'enter', `room ${this.member.room}`);
  }

  say(id, text) {
    this.unanswered.set(id, text);
    if (this.isReady) this.emit(() => this.answered(id), 'text', `room ${this.member.room}`, text);
  }
}
