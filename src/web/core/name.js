// The user's name: stored for all tabs, and sent to the server whenever a new session begins.

const KEY = 'name';

export class Name {
  #store;
  #state;
  #client;
  /** The requested name, and the one to restore if the server refuses it. */
  #pending = null;
  /** Waits for the server's answer. */
  #settled = null;

  constructor({ store, state, client }) {
    this.#store = store;
    this.#state = state;
    this.#client = client;
    this.#updateHasName();
  }

  /** An empty name means that the user does not want one. */
  choose(name) {
    const before = this.#pending?.before ?? this.#store.get(KEY);
    this.#store.set(KEY, name);
    this.#updateHasName();
    this.#pending = name === '' ? null : { name, before };
    if (this.#state.phase === 'online') this.#sendPending();
  }

  /** A resumed session keeps its name, even if another tab has chosen a different one since. */
  welcomed(resumed) {
    const name = this.#store.get(KEY);
    if (!resumed && name) this.#pending ??= { name, before: null };
    this.#sendPending();
  }

  /** Calls `act()` when the server has accepted or refused the chosen name; at once if none is on its way. */
  whenSettled(act) {
    this.#settled = act;
    this.#settle();
  }

  #settle() {
    const act = this.#settled;
    if (this.#pending !== null || act === null) return;
    this.#settled = null;
    act();
  }

  #sendPending() {
    if (this.#pending === null) return;
    const { name, before } = this.#pending;
    if (name === this.#state.me.name && !this.#client.isOpen('change_name')) {
      this.#pending = null;
      this.#settle();
      return;
    }
    this.#client.ask({ type: 'change_name', name }, {
      retriesWhenLimited: true,
      answered: () => {
        if (this.#pending?.name === name) this.#pending = null;
        this.#settle();
      },
      refused: (error) => this.#refused(name, before, error),
    });
  }

  /** Forgets a refused name, or it would be sent again on every connect. */
  #refused(name, before, { code, message }) {
    this.#state.notice = { code, message };
    if (this.#pending?.name !== name) return; // another name has been chosen since
    this.#pending = null;
    if (before) this.#store.set(KEY, before);
    else this.#store.remove(KEY);
    this.#updateHasName();
    this.#settle();
  }

  #updateHasName() {
    this.#state.hasName = this.#store.get(KEY) !== null;
  }
}
