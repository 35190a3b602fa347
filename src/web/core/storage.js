// JSON values in the browser's storage. Where the storage is missing, forbidden or full, values live as long as the
// page.

const PREFIX = 'wschat.';

/** One of the browser's two stores. `area()` returns it, or throws where the browser forbids it. */
class Store {
  #area;
  /** Values that could not be stored. */
  #unstored = new Map();

  constructor(area) {
    this.#area = area;
  }

  /** Whether values outlive the page. */
  get isKept() {
    this.set('kept', true);
    const isKept = !this.#unstored.has('kept');
    this.remove('kept');
    return isKept;
  }

  /** Returns the JSON value, or null. */
  get(key) {
    if (this.#unstored.has(key)) return structuredClone(this.#unstored.get(key));
    try {
      return JSON.parse(this.#area().getItem(PREFIX + key));
    } catch {
      return null; // no storage, or not our data
    }
  }

  set(key, value) {
    this.#unstored.delete(key);
    try {
      this.#area().setItem(PREFIX + key, JSON.stringify(value));
    } catch {
      this.remove(key); // an outdated value would be worse than none
      this.#unstored.set(key, structuredClone(value));
    }
  }

  remove(key) {
    this.#unstored.delete(key);
    try {
      this.#area().removeItem(PREFIX + key);
    } catch {
      // No storage, so nothing to remove.
    }
  }
}

/** `local` outlives the page and is shared by all tabs; `session` belongs to one tab and survives a reload. */
export function browserStorage(scope = globalThis) {
  return { local: new Store(() => scope.localStorage), session: new Store(() => scope.sessionStorage) };
}
