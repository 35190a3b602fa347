// A client of wschat.v2 without anything that it does not need here. It resumes after a loss, and says again under the same
// reference what was not answered.

import { WebSocket } from 'ws';

const AGAIN_MS = 100;
const REFUSED_AGAIN_MS = 250;

export class WschatClient {
  constructor(ports, member, watch) {
    Object.assign(this, { ports, member, watch, unanswered: new Map(), isOffline: false });
    this.node = member.node;
    this.connect();
  }

  connect() {
    if (this.isOffline) return;
    const protocols = ['wschat.v2', ...(this.session ? [`session.${this.session}`] : [])];
    const socket = new WebSocket(`ws://127.0.0.1:${this.ports[this.node]}/`, protocols, { perMessageDeflate: false });
    this.socket = socket;
    socket.on('message', (data) => this.take(JSON.parse(data)));
    socket.on('error', () => {});
    socket.on('close', () => {
      if (socket !== this.socket) return;
      this.isReady = false;
      this.node = (this.node + 1) % this.ports.length;
      setTimeout(() => this.connect(), AGAIN_MS);
    });
  }

  send(request) {
    this.socket.send(JSON.stringify(request));
  }

  take(frame) {
    switch (frame.type) {
      case 'welcome':
        this.session = frame.session;
        this.user = frame.user.id;
        this.send({ type: 'enter_room', roomId: this.member.room + 1, ...(this.since && { since: this.since }) });
        break;
      case 'room':
        this.enter(frame);
        break;
      case 'text':
        this.see(frame);
        break;
      case 'error':
        if (frame.code === 'already_said') this.answered(Number(frame.ref));
        else if (frame.ref) setTimeout(() => this.sayAgain(Number(frame.ref)), REFUSED_AGAIN_MS);
        break;
    }
  }

  enter(frame) {
    if (this.since && !frame.complete) this.watch.told(this.member);
    this.since = { epoch: frame.epoch, seq: frame.seq };
    for (const event of frame.events) if (event.type === 'text') this.see(event);
    this.isReady = true;
    for (const id of this.unanswered.keys()) this.sayAgain(id);
    this.watch.entered(this.member);
  }

  see(event) {
    this.since.seq = Math.max(this.since.seq, event.seq);
    const id = this.watch.saw(this.member, event.text);
    if (event.from.id === this.user && event.ref) this.answered(id);
  }

  answered(id) {
    if (this.unanswered.delete(id)) this.watch.acknowledged(id);
  }

  say(id, text) {
    this.unanswered.set(id, text);
    if (this.isReady) this.send({ type: 'text', text, ref: String(id) });
  }

  sayAgain(id) {
    if (this.isReady && this.unanswered.has(id)) this.say(id, this.unanswered.get(id));
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
