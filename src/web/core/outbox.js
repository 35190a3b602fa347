// What is to be said and has not been acknowledged: one queue for all rooms, in the order in which it was said.
// It survives a reload, and so does what is known about whether the first of it has been said already.

const KEY = 'outbox';
/** Nobody types so much while away; a program may. */
const MAX_ENTRIES = 500;

/**
 * An entry is `{ ref, kind: 'text' | 'gif', text | gifId, time, room: { id, title }, failed, sent }`, where
 * `failed` is null or `{ problem, reason }`, and `sent` is null or what is known of the time when it was sent:
 * `{ session, user, seq }`, the session it was sent in (null: base protocol, which cannot be asked again), as
 * whom, and the `seq` of the room after which it would stand.
 */
export class Outbox {
  #store;
  #clock;
  #entries;
  #prefix;
  #count = 0;

  constructor({ store, clock }) {
    this.#store = store;
    this.#clock = clock;
    const kept = store.get(KEY);
    this.#entries = Array.isArray(kept) ? kept : [];
    // Another one for each page, so that a copy of a tab makes none of the same refs.
    this.#prefix = [0, 0].map(() => Math.floor(clock.random() * 2 ** 32).toString(36)).join('');
  }

  /** The first that is to be sent, or null. */
  get head() {
    return this.#entries.find(({ failed }) => failed === null) ?? null;
  }

  get isFull() {
    return this.#entries.length >= MAX_ENTRIES;
  }

  /** All rooms that something is for. */
  get rooms() {
    return this.#entries.map(({ room }) => room);
  }

  find(ref) {
    return this.#entries.find((entry) => entry.ref === ref) ?? null;
  }

  /** What is for a room; one that failed is also shown in a later room of the same title. */
  of({ id, title }) {
    const isHere = ({ room, failed }) => room.title === title && (room.id === id || failed !== null);
    return this.#entries.filter(isHere);
  }

  /** `content` is `{ kind: 'text', text }` or `{ kind: 'gif', gifId }`. */
  add(content, room) {
    this.#count += 1;
    const ref = `${this.#prefix}-${this.#count}`;
    const { id, title } = room;
    this.#entries.push({ ref, ...content, time: this.#clock.now(), room: { id, title }, failed: null, sent: null });
    this.#save();
  }

  /** To be called before it is sent: afterwards it might be too late to write it down. */
  setSent(ref, sent) {
    const entry = this.find(ref);
    if (entry) this.#replace(entry, { sent });
  }

  /** Of what was said: whether it was one of these, which is one less then. */
  acknowledge({ ref, from }, myId) {
    const entry = ref === undefined ? null : this.find(ref);
    // Everybody sees the ref, and may use it: only what is from us counts.
    if (!entry?.sent || !(from.id === myId || from.id === entry.sent.user)) return false;
    this.discard(ref);
    return true;
  }

  /** `problem` in the server's words and `reason` by its code; or '' and 'unknown' (whether it was said) or 'room_gone'. */
  fail(ref, problem, reason = null) {
    const entry = this.find(ref);
    if (entry) this.#replace(entry, { failed: { problem, reason } });
  }

  failRoom(room, reason) {
    for (const { ref, failed } of this.of(room)) if (!failed) this.fail(ref, '', reason);
  }

  /** Over the base protocol nobody can tell whether it was said when the connection was lost: the user decides. */
  failWhatNobodyKnows() {
    for (const { ref, failed, sent } of this.#entries) {
      if (sent?.session === null && !failed) this.fail(ref, '', 'unknown');
    }
  }

  /** It comes last: the others have been said since. A new ref, since the old one may stand for what was refused. */
  retry(ref, room) {
    const entry = this.find(ref);
    if (!entry?.failed) return;
    const { kind, text, gifId } = entry;
    this.discard(ref);
    this.add(kind === 'text' ? { kind, text } : { kind, gifId }, room ?? entry.room);
  }

  discard(ref) {
    this.#entries = this.#entries.filter((entry) => entry.ref !== ref);
    this.#save();
  }

  /** After a restart: `find(room)` gives the room of today, or null. What was sent to another id is not there. */
  relocate(find) {
    for (const entry of this.#entries) {
      const room = find(entry.room);
      if (room && (room.id !== entry.room.id || room.title !== entry.room.title)) {
        const isOther = room.id !== entry.room.id;
        this.#replace(entry, { room: { id: room.id, title: room.title }, ...(isOther && { sent: null }) });
      }
    }
  }

  #replace(entry, change) {
    this.#entries = this.#entries.map((other) => (other.ref === entry.ref ? { ...other, ...change } : other));
    this.#save();
  }

  #save() {
    if (this.#entries.length > 0) this.#store.set(KEY, this.#entries);
    else this.#store.remove(KEY);
  }
}
