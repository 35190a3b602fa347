// What the browser keeps for us, as JSON: it may be missing, forbidden or full, and then what was to be kept
// lives as long as the page.

const PREFIX = 'wschat.';

/** One of the browser's two stores. `area()` gives it, or throws where the browser forbids it. */
class Store {
  #area;
  /** What could not be stored. */
  #unstored = new Map();

  constructor(area) {
    this.#area = area;
  }

  /** Any JSON value, or null. */
  get(key) {
    if (this.#unstored.has(key)) return structuredClone(this.#unstored.get(key));
    try {
      return JSON.parse(this.#area().getItem(PREFIX + key));
    } catch {
      return null; // no store, or the words of another program
    }
  }

  set(key, value) {
    this.#unstored.delete(key);
    try {
      this.#area().setItem(PREFIX + key, JSON.stringify(value));
    } catch {
      this.remove(key); // an old value would be worse than none
      this.#unstored.set(key, structuredClone(value));
    }
  }

  remove(key) {
    this.#unstored.delete(key);
    try {
      this.#area().removeItem(PREFIX + key);
    } catch {
      // Then there was none.
    }
  }
}

/** `local` outlives the page and is shared by all tabs, `session` is the tab's own and survives a reload. */
export function browserStorage(scope = globalThis) {
  return { local: new Store(() => scope.localStorage), session: new Store(() => scope.sessionStorage) };
}
