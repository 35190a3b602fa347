// Somebody who talks without a page, to put into a room what a test needs.

import assert from 'node:assert/strict';
import { Client } from './client.mjs';

/** Settings for a server without tight rate limits. */
export const PATIENT = { limits: { messagesPerSecond: 0, roomsPerSecond: 0 } };

export class Talker extends Client {
  #refs = 0;

  static async enter(server, { name, roomId = 1 } = {}) {
    const talker = await super.connect(server.socketUrl, { protocols: ['wschat.v2'] });
    if (name !== undefined) await talker.rename(name);
    await talker.go(roomId);
    return talker;
  }

  async rename(name) {
    this.name = (await this.#ask({ type: 'change_name', name }, (frame) => frame.userId === this.id)).newName;
  }

  /** Creates a room and returns its id. */
  async create(title) {
    return (await this.#ask({ type: 'create_room', title })).room.id;
  }

  go(roomId) {
    return this.#ask({ type: 'enter_room', roomId });
  }

  /** Says these one after the other, and returns the `seq` of the last. */
  say(...texts) {
    return this.#last(texts.map((text) => ({ type: 'text', text })));
  }

  gif(gifId) {
    return this.#last([{ type: 'gif', gifId }]);
  }

  close() {
    this.socket.close();
  }

  async #last(requests) {
    for (const request of requests.slice(0, -1)) this.#send(request);
    return (await this.#ask(requests.at(-1))).seq;
  }

  #send(request) {
    this.#refs += 1;
    const ref = `t${this.#refs}`;
    this.send(JSON.stringify({ ...request, ref }));
    return ref;
  }

  /** Returns the answer, and skips the frames before it. */
  async #ask(request, isAnswer = () => false) {
    const ref = this.#send(request);
    for (;;) {
      const frame = await this.nextFrame();
      assert.notEqual(frame.type, 'error', JSON.stringify(frame));
      if (frame.ref === ref || isAnswer(frame)) return frame;
    }
  }
}
