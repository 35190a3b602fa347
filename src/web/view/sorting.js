// The order of the list of rooms: as the server has them, by name, or by activity. Knows no DOM.

const KEY = 'sort';
const SORTS = ['order', 'name', 'activity'];

export class RoomSorting {
  #storage;
  #collator;
  /** Sorting by name costs more than comparing the titles with those of the last time. */
  #named = { key: null, ids: [] };
  /** Room id → the last message when the server was asked for it. */
  #asked = new Map();

  constructor(storage, locale) {
    this.#storage = storage;
    this.#collator = new Intl.Collator(locale, { sensitivity: 'base', numeric: true });
  }

  /** One of `order`, `name` and `activity`. */
  get by() {
    const kept = this.#storage.get(KEY);
    return SORTS.includes(kept) ? kept : SORTS[0];
  }

  set by(sort) {
    this.#storage.set(KEY, sort);
  }

  sorted(state) {
    const rooms = [...state.rooms.values()];
    if (this.by === 'name') return this.#byName(rooms);
    return this.by === 'activity' ? byActivity(rooms, state) : rooms;
  }

  /**
   * The ids of the rooms to ask the server for, so that the order by activity is right: those of `ids`, where the page
   * does not know when the last message was said. Each is asked for once: what was said last may be erased.
   */
  unknown(ids, state) {
    if (!state.isListed) this.#asked.clear();
    if (this.by !== 'activity' || !state.isListed) return [];
    const rooms = ids.map((id) => state.rooms.get(id)).filter((room) => room && !state.isActivityKnown(room));
    const fresh = rooms.filter(({ id, seq }) => this.#asked.get(id) !== seq);
    for (const { id, seq } of fresh) this.#asked.set(id, seq);
    return fresh.map(({ id }) => id);
  }

  #byName(rooms) {
    const key = JSON.stringify(rooms.map(({ id, title }) => [id, title]));
    if (key !== this.#named.key) {
      const sorted = rooms.toSorted((a, b) => this.#collator.compare(a.title, b.title));
      this.#named = { key, ids: sorted.map(({ id }) => id) };
    }
    const byId = new Map(rooms.map((room) => [room.id, room]));
    return this.#named.ids.map((id) => byId.get(id));
  }
}

/** Where something was said last comes first. Where the page does not know when, it counts how much was said at all. */
export function byActivity(rooms, state) {
  const at = new Map(rooms.map(({ id }) => [id, state.activeAt(id)]));
  return rooms.toSorted((a, b) => at.get(b.id) - at.get(a.id) || (b.seq ?? 0) - (a.seq ?? 0));
}
