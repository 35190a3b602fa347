// A client of Centrifuge without anything that it does not need here: version 1 of its protocol, with recovery. It says
// again what was refused, and what was not acknowledged when the connection was lost.

import { WebSocket } from 'ws';

const AGAIN_MS = 100;
const REFUSED_AGAIN_MS = 250;
const [SUBSCRIBE, PUBLISH] = [1, 3];

export class CentrifugeClient {
  constructor(ports, member, watch) {
    Object.assign(this, { ports, member, watch, unanswered: new Map(), answers: new Map(), id: 0, isOffline: false });
    this.node = member.node;
    this.channel = `room ${member.room}`;
    this.connect();
  }

  connect() {
    if (this.isOffline) return;
    const socket = new WebSocket(`ws://127.0.0.1:${this.ports[this.node]}/connection`, { perMessageDeflate: false });
    this.socket = socket;
    this.answers.clear();
    socket.on('open', () => this.ask(0, {}, () => this.subscribe()));
    socket.on('message', (data) => {
      for (const line of data.toString().split('\n')) if (line) this.take(JSON.parse(line));
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      if (socket !== this.socket) return;
      this.isReady = false;
      this.node = (this.node + 1) % this.ports.length;
      setTimeout(() => this.connect(), AGAIN_MS);
    });
  }

  ask(method, params, done) {
    const id = ++this.id;
    this.answers.set(id, done);
    this.socket.send(JSON.stringify({ id, method, params }));
  }

  subscribe() {
    const params = { channel: this.channel, ...(this.position && { recover: true, ...this.position }) };
    this.ask(SUBSCRIBE, params, ({ error, result }) => {
      if (error) return this.socket.close();
      if (this.position && !result.recovered) {
        this.watch.told(this.member);
        this.position = undefined;
      }
      this.position ??= { offset: result.offset ?? 0, epoch: result.epoch };
      // The newest comes first.
      const missed = [...(result.publications ?? [])].sort((a, b) => a.offset - b.offset);
      for (const publication of missed) this.see(publication);
      this.isReady = true;
      for (const [id, text] of this.unanswered) this.say(id, text);
      this.watch.entered(this.member);
    });
  }

  take({ id, error, result }) {
    if (id) {
      this.answers.get(id)?.({ error, result });
      this.answers.delete(id);
    } else if (result.type === undefined) {
      this.see(result.data);
    }
  }

  see({ data, offset }) {
    this.position.offset = Math.max(this.position.offset, offset);
    this.watch.saw(this.member, data);
  }

  say(id, text) {
    this.unanswered.set(id, text);
    if (!this.isReady) return;
    this.ask(PUBLISH, { channel: this.channel, data: text }, ({ error }) => {
      if (error) setTimeout(() => this.isReady && this.unanswered.has(id) && this.say(id, text), REFUSED_AGAIN_MS);
      else if (this.unanswered.delete(id)) this.watch.acknowledged(id);
    });
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
