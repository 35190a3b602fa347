// JSON values in the browser's storage. Where the storage is missing, forbidden or full, values live as long as the
// page.

/**
 * A chat below a path of a site has names of its own, since another chat may be below another path. theme.js does the
 * same.
 */
export function prefix(base) {
  const { pathname } = new URL('./', base);
  return pathname === '/' ? 'wschat.' : `wschat${pathname}.`;
}

/** What belongs to the person in front of the browser, and not to one of the tabs. */
const OF_PERSON = new Set(['session', 'own']);

/** One of the browser's two stores. `area()` returns it, or throws where the browser forbids it. */
class Store {
  #area;
  #prefix;
  /** Values that could not be stored. */
  #unstored = new Map();

  constructor(area, ofPage) {
    this.#area = area;
    this.#prefix = ofPage;
  }

  /** The key that a name in the browser's store stands for, or null. */
  keyOf(name) {
    return name?.startsWith(this.#prefix) ? name.slice(this.#prefix.length) : null;
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
      return JSON.parse(this.#area().getItem(this.#prefix + key));
    } catch {
      return null; // no storage, or not our data
    }
  }

  set(key, value) {
    this.#unstored.delete(key);
    try {
      this.#area().setItem(this.#prefix + key, JSON.stringify(value));
    } catch {
      this.remove(key); // an outdated value would be worse than none
      this.#unstored.set(key, structuredClone(value));
    }
  }

  remove(key) {
    this.#unstored.delete(key);
    try {
      this.#area().removeItem(this.#prefix + key);
    } catch {
      // No storage, so nothing to remove.
    }
  }
}

/**
 * `local` outlives the page and is shared by all tabs; `session` belongs to one tab and survives a reload.
 * `onChange(listener)` calls `listener(key)` when another tab has changed a value of `local`.
 */
export function browserStorage(scope = globalThis) {
  const ofPage = prefix(scope.document?.baseURI ?? 'http://localhost/');
  const local = new Store(() => scope.localStorage, ofPage);
  const session = new Store(() => scope.sessionStorage, ofPage);
  const onChange = (listener) => scope.addEventListener('storage', ({ key: name, storageArea }) => {
    const key = local.keyOf(name);
    if (key !== null && storageArea === scope.localStorage) listener(key);
  });
  return { local, session, onChange };
}

/** For the client: one person is one user, whatever the tab. */
export function clientStore({ local, session }) {
  const store = (key) => (OF_PERSON.has(key) ? local : session);
  return {
    get: (key) => store(key).get(key),
    set: (key, value) => store(key).set(key, value),
  };
}
