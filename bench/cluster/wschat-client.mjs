// A client of wschat.v2 without anything that it does not need here. It resumes after a loss, and says again under the same
// reference what was not answered.

import { Client, webSocket } from './client.mjs';

export class WschatClient extends Client {
  constructor(ports, member, watch) {
    super(ports, member, watch);
    this.connect();
  }

  open(address) {
    const protocols = ['wschat.v2', ...(this.session ? [`session.${this.session}`] : [])];
    const socket = webSocket(`${address}/`, protocols);
    socket.on('message', (data) => this.take(JSON.parse(data)));
    return socket;
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
        else if (frame.ref) this.refused(Number(frame.ref));
        break;
    }
  }

  enter(frame) {
    if (this.since && !frame.complete) this.watch.told(this.member);
    this.since = { epoch: frame.epoch, seq: frame.seq };
    for (const event of frame.events) if (event.type === 'text') this.see(event);
    this.ready();
  }

  see(event) {
    this.since.seq = Math.max(this.since.seq, event.seq);
    const id = this.watch.saw(this.member, event.text);
    if (event.from.id === this.user && event.ref) this.answered(id);
  }

  say(id, text) {
    this.unanswered.set(id, text);
    if (this.isReady) this.send({ type: 'text', text, ref: String(id) });
  }
}
