// The user's name: stored for all tabs, and sent to the server whenever a new session begins.

const KEY = 'name';

export class Name {
  #store;
  #state;
  #requests;
  /** The requested name, and the one to restore if the server refuses it. */
  #wish = null;

  constructor({ store, state, requests }) {
    this.#store = store;
    this.#state = state;
    this.#requests = requests;
    this.#noteWhetherChosen();
  }

  /** An empty name means that the user does not want one. */
  choose(name) {
    const before = this.#wish?.before ?? this.#store.get(KEY);
    this.#store.set(KEY, name);
    this.#noteWhetherChosen();
    this.#wish = name === '' ? null : { name, before };
    if (this.#state.phase === 'online') this.#askForWish();
  }

  /** A resumed session keeps its name, even if another tab has chosen a different one since. */
  welcomed(resumed) {
    const name = this.#store.get(KEY);
    if (!resumed && name) this.#wish ??= { name, before: null };
    this.#askForWish();
  }

  #askForWish() {
    if (this.#wish === null) return;
    const { name, before } = this.#wish;
    if (name === this.#state.me.name && !this.#requests.isOpen('change_name')) {
      this.#wish = null;
      return;
    }
    this.#requests.ask({ type: 'change_name', name }, {
      isPatient: true,
      answered: () => { if (this.#wish?.name === name) this.#wish = null; },
      refused: (error) => this.#refused(name, before, error),
    });
  }

  /** Forgets a refused name, or it would be sent again on every connect. */
  #refused(name, before, { code, message }) {
    this.#state.notice = { code, message };
    if (this.#wish?.name !== name) return; // another name has been chosen since
    this.#wish = null;
    if (before) this.#store.set(KEY, before);
    else this.#store.remove(KEY);
    this.#noteWhetherChosen();
  }

  #noteWhetherChosen() {
    this.#state.hasName = this.#store.get(KEY) !== null;
  }
}
