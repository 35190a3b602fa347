// How far each room has been read, by its id and title. Kept in local storage, shared by all tabs.

const KEY = 'read';
const MAX_ROOMS = 200;
/** In a busy room every message is read at once, so writes are throttled. */
const WRITE_MS = 1_000;

const name = ({ id, title }) => `${id} ${title}`;

export class ReadMarks {
  #store;
  #clock;
  /** Marks that are not written yet. */
  #fresh = new Map();
  #timer = null;
  /** A cached copy of the store, and its age: drawing a list of a thousand rooms looks up each of them. */
  #kept = {};
  #keptAt = -Infinity;

  constructor({ store, clock }) {
    this.#store = store;
    this.#clock = clock;
  }

  /** `{ seq, epoch }`, or null for a room that was never read. */
  get(room) {
    return this.#fresh.get(name(room)) ?? this.#load()[name(room)] ?? null;
  }

  /** Only moves forward, except to a new epoch, where the numbers mean other messages. */
  mark(room, seq, epoch) {
    const before = this.get(room);
    if (before?.epoch === epoch && before.seq >= seq) return;
    this.#fresh.set(name(room), { seq, epoch });
    this.#timer ??= this.#clock.setTimeout(() => this.flush(), WRITE_MS);
  }

  /** A mark cannot be above the end of the room. */
  lower(room, seq, epoch) {
    const before = this.get(room);
    if (before?.epoch !== epoch || before.seq <= seq) return;
    this.#fresh.delete(name(room));
    this.#store.set(KEY, { ...this.#fetch(), [name(room)]: { seq, epoch } });
    this.#keptAt = -Infinity;
  }

  flush() {
    this.#clock.clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#fresh.size === 0) return;
    const marks = new Map(Object.entries(this.#fetch()));
    for (const [room, mark] of this.#fresh) {
      const other = marks.get(room);
      marks.delete(room); // the most recent comes last
      marks.set(room, other?.epoch === mark.epoch && other.seq > mark.seq ? other : mark);
    }
    this.#fresh.clear();
    this.#store.set(KEY, Object.fromEntries([...marks].slice(-MAX_ROOMS)));
    this.#keptAt = -Infinity;
  }

  /** A cached copy, at most a moment old: other tabs write to the store too. */
  #load() {
    const now = this.#clock.now();
    if (now - this.#keptAt >= WRITE_MS) {
      this.#kept = this.#fetch();
      this.#keptAt = now;
    }
    return this.#kept;
  }

  #fetch() {
    const marks = this.#store.get(KEY);
    return marks !== null && typeof marks === 'object' ? marks : {};
  }
}
