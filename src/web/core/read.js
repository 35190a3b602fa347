// How far each room has been read, kept for all tabs in local storage, by the room's id and title.

const KEY = 'read';
const MAX_ROOMS = 200;
/** In a lively room each message is read at once: it is written down less often. */
const WRITE_MS = 1_000;

const name = ({ id, title }) => `${id} ${title}`;

export class ReadMarks {
  #store;
  #clock;
  /** Not yet written. */
  #fresh = new Map();
  #timer = null;
  /** What the store held, and when: a list of a thousand rooms asks for each of them. */
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

  /** Another tab may have read further, but not in another epoch, where the numbers mean other messages. */
  mark(room, seq, epoch) {
    const before = this.get(room);
    if (before?.epoch === epoch && before.seq >= seq) return;
    this.#fresh.set(name(room), { seq, epoch });
    this.#timer ??= this.#clock.setTimeout(() => this.flush(), WRITE_MS);
  }

  flush() {
    this.#clock.clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#fresh.size === 0) return;
    const marks = new Map(Object.entries(this.#fetch()));
    for (const [room, mark] of this.#fresh) {
      const other = marks.get(room);
      marks.delete(room); // and so comes last, as the latest
      marks.set(room, other?.epoch === mark.epoch && other.seq > mark.seq ? other : mark);
    }
    this.#fresh.clear();
    this.#store.set(KEY, Object.fromEntries([...marks].slice(-MAX_ROOMS)));
    this.#keptAt = -Infinity;
  }

  /** As other tabs may have left it a moment ago. */
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
