// Asks who is in rooms and what was said there last. The answers come into the state.

/** At most one request in this time; what is asked for in between waits, and the last comes first. */
const PAUSE_MS = 3_000;
/** The server takes no more at once. */
const MAX_ROOMS = 20;

export class Previews {
  #state;
  #client;
  #clock;
  /** The ids to ask for. */
  #wanted = [];
  #askedAt = -Infinity;
  #timer = null;

  constructor({ state, client, clock }) {
    this.#state = state;
    this.#client = client;
    this.#clock = clock;
  }

  ask(ids) {
    this.#wanted = [...new Set([...ids, ...this.#wanted])];
    this.proceed();
  }

  /** Call this after a welcome too: what is wanted waits for a connection. */
  proceed() {
    const { phase, features } = this.#state;
    if (this.#wanted.length === 0 || this.#timer !== null || phase !== 'online' || !features.includes('previews')) return;
    const waitMs = this.#askedAt + PAUSE_MS - this.#clock.now();
    if (waitMs > 0) {
      this.#timer = this.#clock.setTimeout(() => {
        this.#timer = null;
        this.proceed();
      }, waitMs);
      return;
    }
    const roomIds = this.#wanted.splice(0, MAX_ROOMS);
    this.#askedAt = this.#clock.now();
    const again = (ids) => this.ask([...this.#wanted, ...ids]);
    this.#client.ask({ type: 'previews', roomIds }, {
      answered: ({ previews, more }) => { if (more) again(roomIds.slice(previews.length)); },
      refused() {},
      lost: () => again(roomIds),
    });
    this.proceed();
  }
}
