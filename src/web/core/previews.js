// Asks who is in rooms and what was said there last. The answers come into the state.

/** At most one request in this time; of those in between, the last counts. */
const PAUSE_MS = 3_000;
/** The server takes no more at once. */
const MAX_ROOMS = 20;

export class Previews {
  #state;
  #client;
  #clock;
  /** The ids to ask for, or null. */
  #wanted = null;
  #askedAt = -Infinity;
  #timer = null;

  constructor({ state, client, clock }) {
    this.#state = state;
    this.#client = client;
    this.#clock = clock;
  }

  ask(ids) {
    this.#wanted = ids.length > 0 ? ids.slice(0, MAX_ROOMS) : null;
    this.proceed();
  }

  /** Call this after a welcome too: what is wanted waits for a connection. */
  proceed() {
    const { phase, features } = this.#state;
    if (this.#wanted === null || this.#timer !== null || phase !== 'online' || !features.includes('previews')) return;
    const waitMs = this.#askedAt + PAUSE_MS - this.#clock.now();
    if (waitMs > 0) {
      this.#timer = this.#clock.setTimeout(() => {
        this.#timer = null;
        this.proceed();
      }, waitMs);
      return;
    }
    const roomIds = this.#wanted;
    this.#wanted = null;
    this.#askedAt = this.#clock.now();
    this.#client.ask({ type: 'previews', roomIds }, { refused() {} });
  }
}
