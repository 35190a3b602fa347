// The emoji that the user has used last, newest first, kept in the browser.

const KEY = 'emoji';
const MOST = 24;

export class RecentEmoji {
  #storage;

  constructor(storage) {
    this.#storage = storage;
  }

  get list() {
    const kept = this.#storage.get(KEY);
    return Array.isArray(kept) ? kept.filter((one) => typeof one === 'string').slice(0, MOST) : [];
  }

  use(character) {
    this.#storage.set(KEY, [character, ...this.list.filter((one) => one !== character)].slice(0, MOST));
  }
}
