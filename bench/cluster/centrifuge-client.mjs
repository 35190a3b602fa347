// A client of Centrifuge without anything that it does not need here: version 1 of its protocol, with recovery. It says
// again what was refused, and what was not acknowledged when the connection was lost.

import { Client, webSocket } from './client.mjs';

const [SUBSCRIBE, PUBLISH] = [1, 3];

export class CentrifugeClient extends Client {
  constructor(ports, member, watch) {
    super(ports, member, watch);
    Object.assign(this, { answers: new Map(), id: 0 });
    this.channel = `room ${member.room}`;
    this.connect();
  }

  open(address) {
    const socket = webSocket(`${address}/connection`);
    this.answers.clear();
    socket.on('open', () => this.ask(0, {}, () => this.subscribe()));
    socket.on('message', (data) => {
      for (const line of data.toString().split('\n')) if (line) this.take(JSON.parse(line));
    });
    return socket;
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
      this.ready();
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
      if (error) this.refused(id);
      else this.answered(id);
    });
  }
}
