// Stand-ins for the browser: a clock that moves on request, and storage.

import { seeded } from './seeded.mjs';

export class FakeClock {
  #now = 1_795_531_200_000;
  #timers = new Map();
  #last = 0;
  ahead = 0; // the time of day is, of the clock that measures durations

  constructor(random = seeded(1)) {
    this.random = random;
    this.now = () => this.#now;
    this.time = () => this.#now + this.ahead;
    this.setTimeout = (action, ms) => {
      this.#last += 1;
      this.#timers.set(this.#last, { action, at: this.#now + ms });
      return this.#last;
    };
    this.clearTimeout = (timer) => { this.#timers.delete(timer); };
  }

  /** Moves the clock and runs all timers that are due, each at its time. */
  advance(ms) {
    const end = this.#now + ms;
    for (;;) {
      const due = [...this.#timers].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
      if (!due) break;
      const [timer, { action, at }] = due;
      this.#timers.delete(timer);
      this.#now = Math.max(this.#now, at);
      action();
    }
    this.#now = end;
  }
}

/** Stores JSON, as a browser does, so that nothing is shared by accident. */
export class FakeStore {
  #values = new Map();

  constructor(other) {
    if (other) this.#values = new Map(other.#values);
  }

  get(key) {
    return this.#values.has(key) ? JSON.parse(this.#values.get(key)) : null;
  }

  set(key, value) {
    this.#values.set(key, JSON.stringify(value));
  }

  remove(key) {
    this.#values.delete(key);
  }

  copy() {
    return new FakeStore(this);
  }
}

export const stores = () => ({ local: new FakeStore(), session: new FakeStore() });
