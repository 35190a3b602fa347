// Messages that the server has not acknowledged: one queue for all rooms, in the order they were written. It survives a
// reload, along with what is known about whether the first of them has already been said.

const KEY = 'outbox';
/** A person never reaches this while offline; a script may. */
const MAX_ENTRIES = 500;

/**
 * An entry is `{ ref, kind: 'text' | 'gif', text | gifId, time, room: { id, title }, failed, sent }`. `failed` is null
 * or `{ problem, reason }`. `sent` is null or describes the last attempt: `{ session, user, seq }`, with the session it
 * was sent in (null for the base protocol, which cannot tell what it received), our user id, and the room's `seq` at
 * that moment.
 */
export class Outbox {
  /** All of them, in the order they were written. Only to be read. */
  entries;
  #store;
  #clock;
  #settled;
  #prefix;
  #count = 0;

  /** `settled(entry, event)` is called when an entry is acknowledged, and without an event when it has failed. */
  constructor({ store, clock, settled = () => {} }) {
    this.#store = store;
    this.#clock = clock;
    this.#settled = settled;
    const kept = store.get(KEY);
    this.entries = Array.isArray(kept) ? kept : [];
    // Different on every page load, so that a duplicated tab does not reuse refs.
    this.#prefix = [0, 0].map(() => Math.floor(clock.random() * 2 ** 32).toString(36)).join('');
  }

  /** The next entry to send, or null. */
  get head() {
    return this.entries.find(({ failed }) => failed === null) ?? null;
  }

  get isFull() {
    return this.entries.length >= MAX_ENTRIES;
  }

  find(ref) {
    return this.entries.find((entry) => entry.ref === ref) ?? null;
  }

  /** `content` is `{ kind: 'text', text }` or `{ kind: 'gif', gifId }`. Returns the ref. */
  add(content, room) {
    this.#count += 1;
    const ref = `${this.#prefix}-${this.#count}`;
    const { id, title } = room;
    this.entries.push({ ref, ...content, time: this.#clock.time(), room: { id, title }, failed: null, sent: null });
    this.#save();
    return ref;
  }

  /** Call this before sending: afterwards the page may be gone before it is stored. */
  setSent(ref, sent) {
    const entry = this.find(ref);
    if (entry) this.#replace(entry, { sent });
  }

  /** Removes the entry that this event acknowledges. */
  acknowledge(event, myId) {
    const { ref, from } = event;
    const entry = ref === undefined ? null : this.find(ref);
    // Everybody in the room sees the ref and could use it: only events from us count.
    if (entry?.sent && from && (from.id === myId || from.id === entry.sent.user)) this.said(entry, event);
  }

  /** An entry was said: `event` is what the server has sent of it. */
  said(entry, event) {
    this.discard(entry.ref);
    this.#settled(entry, event);
  }

  /**
   * `problem` and `reason` are the server's message and code; or '' with 'unknown' (it may have been said) or
   * 'room_gone'.
   */
  fail(ref, problem, reason = null) {
    const entry = this.find(ref);
    if (entry) this.#settled(this.#replace(entry, { failed: { problem, reason } }));
  }

  failRoom(room, reason) {
    for (const { ref, room: { id, title }, failed } of this.entries) {
      if (id === room.id && title === room.title && !failed) this.fail(ref, '', reason);
    }
  }

  discard(ref) {
    this.entries = this.entries.filter((entry) => entry.ref !== ref);
    this.#save();
  }

  /**
   * Ids may begin anew when the server restarts: `find(room)` returns the current room, or null. An attempt under another
   * id does not count.
   */
  relocate(find) {
    for (const entry of this.entries) {
      const room = find(entry.room);
      if (room && (room.id !== entry.room.id || room.title !== entry.room.title)) {
        const isOther = room.id !== entry.room.id;
        this.#replace(entry, { room: { id: room.id, title: room.title }, ...(isOther && { sent: null }) });
      }
    }
  }

  #replace(entry, change) {
    const changed = { ...entry, ...change };
    this.entries = this.entries.map((other) => (other.ref === entry.ref ? changed : other));
    this.#save();
    return changed;
  }

  #save() {
    this.#store.set(KEY, this.entries);
  }
}
