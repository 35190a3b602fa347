// The clients of a trial, and the account of what each of them saw.
//
// Each room has a member on each node. A text has a number, by which it is known wherever it is seen.

import { NODES, ROOMS } from './servers.mjs';

const TEXT_CHARS = 64;
const READY_PATIENCE_MS = 30_000;
const QUIET_MS = 3_000;
const DRAIN_AT_MOST_MS = 40_000;

export class Crowd {
  constructor(Client, ports) {
    this.texts = [];
    this.latencies = [];
    this.stallMs = 0;
    this.lastSeenAt = 0;
    this.isMeasuring = false;
    this.readyMembers = new Set();
    this.members = Array.from({ length: NODES * ROOMS }, (_, i) => ({
      room: i % ROOMS,
      node: ((i % ROOMS) + Math.floor(i / ROOMS)) % NODES,
      seen: [],
      counts: new Map(),
      isTold: false,
    }));
    this.clients = this.members.map((member) => new Client(ports, member, this));
  }

  async ready() {
    const deadline = performance.now() + READY_PATIENCE_MS;
    while (this.readyMembers.size < this.members.length) {
      if (performance.now() > deadline) {
        throw new Error(`only ${this.readyMembers.size} of ${this.members.length} clients are ready`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Texts a second, sent by the clock, by all members in turn. Latency counts from when a text was due. */
  async sayByTheClock(rate, ms) {
    const begin = performance.now();
    const total = Math.floor((rate * ms) / 1000);
    for (let said = 0; said < total; ) {
      const now = performance.now();
      for (; said < total && begin + (said * 1000) / rate <= now; said++) {
        this.say(this.texts.length % this.members.length, begin + (said * 1000) / rate);
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  /** Each member has `window` texts on their way, as fast as they come back. Texts a second. */
  async sayInLoops(window, ms) {
    this.isLooping = true;
    for (let i = 0; i < this.members.length * window; i++) this.say(i % this.members.length, performance.now());
    await new Promise((resolve) => setTimeout(resolve, ms / 4));
    const [began, before] = [performance.now(), this.allSeen()];
    await new Promise((resolve) => setTimeout(resolve, ms));
    const rate = ((this.allSeen() - before) * 1000) / (performance.now() - began) / NODES;
    this.isLooping = false;
    return rate;
  }

  allSeen() {
    return this.members.reduce((sum, member) => sum + member.seen.length, 0);
  }

  say(by, due) {
    const id = this.texts.length;
    this.texts.push({ room: this.members[by].room, by, due, isAcknowledged: false });
    this.clients[by].say(id, `${id} `.padEnd(TEXT_CHARS, '.'));
  }

  /** Waits until nothing more comes. */
  async drain() {
    const begin = performance.now();
    const isQuiet = () => performance.now() - Math.max(begin, this.lastSeenAt) > QUIET_MS;
    const isAnswered = () => this.clients.every((client) => client.unanswered.size === 0 && client.isReady);
    while (performance.now() - begin < DRAIN_AT_MOST_MS && !(isQuiet() && isAnswered())) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  // What the clients tell.

  entered(member) {
    this.readyMembers.add(member);
  }

  told(member) {
    member.isTold = true;
  }

  acknowledged(id) {
    this.texts[id].isAcknowledged = true;
  }

  saw(member, words) {
    const id = parseInt(words, 10);
    const now = performance.now();
    const text = this.texts[id];
    const count = (member.counts.get(id) ?? 0) + 1;
    member.counts.set(id, count);
    if (count === 1) member.seen.push(id);
    if (this.isMeasuring && count === 1 && this.members[text.by] !== member) this.latencies.push(now - text.due);
    if (this.isStallMeasured) this.stallMs = Math.max(this.stallMs, now - this.lastSeenAt);
    this.lastSeenAt = now;
    if (this.isLooping && this.members[text.by] === member) this.say(text.by, now);
    return id;
  }

  percentile(share) {
    this.latencies.sort((a, b) => a - b);
    return this.latencies[Math.min(this.latencies.length - 1, Math.floor(this.latencies.length * share))];
  }

  /** What is wrong with what was seen. */
  account() {
    const rooms = Array.from({ length: ROOMS }, () => []);
    for (const member of this.members) rooms[member.room].push(member);
    let [lost, split, doubled, disordered] = [0, 0, 0, 0];
    this.texts.forEach((text, id) => {
      const here = rooms[text.room];
      // Who was told that something may be missing asks for it, and knows.
      const isMissed = here.some((member) => !member.isTold && !member.counts.has(id));
      const isSeen = here.some((member) => member.counts.has(id));
      if (text.isAcknowledged && (isMissed || !isSeen)) lost += 1;
      if (isSeen && isMissed) split += 1;
    });
    for (const member of this.members) {
      for (const count of member.counts.values()) doubled += count - 1;
    }
    for (const [first, ...others] of rooms) {
      const places = new Map(first.seen.map((id, place) => [id, place]));
      for (const other of others) {
        const order = other.seen.filter((id) => places.has(id)).map((id) => places.get(id));
        disordered += order.filter((place, i) => i > 0 && place < order[i - 1]).length;
      }
    }
    const acknowledged = this.texts.filter((text) => text.isAcknowledged).length;
    const told = this.members.filter((member) => member.isTold).length;
    return { said: this.texts.length, acknowledged, lost, split, doubled, disordered, told, stallMs: this.stallMs };
  }

  close() {
    for (const client of this.clients) client.close();
  }
}
