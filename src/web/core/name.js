// The user's name: it is kept for all tabs, and given to the server whenever we are somebody new to it.

const KEY = 'name';

export class Name {
  #store;
  #state;
  #requests;
  /** A name to be taken, and the one to go back to if it is refused. */
  #wish = null;

  constructor({ store, state, requests }) {
    this.#store = store;
    this.#state = state;
    this.#requests = requests;
    this.#noteWhetherChosen();
  }

  /** An empty one is the wish to go without. */
  choose(name) {
    const before = this.#wish?.before ?? this.#store.get(KEY);
    this.#store.set(KEY, name);
    this.#noteWhetherChosen();
    this.#wish = name === '' ? null : { name, before };
    if (this.#state.phase === 'online') this.#askForWish();
  }

  /** Another tab may have chosen another name: whoever is resumed keeps the one of this tab. */
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

  /** A name that the server refuses must not come back with every connection. */
  #refused(name, before, { code, message }) {
    this.#state.notice = { code, message };
    if (this.#wish?.name !== name) return; // another has been chosen since
    this.#wish = null;
    if (before) this.#store.set(KEY, before);
    else this.#store.remove(KEY);
    this.#noteWhetherChosen();
  }

  #noteWhetherChosen() {
    this.#state.hasName = this.#store.get(KEY) !== null;
  }
}
