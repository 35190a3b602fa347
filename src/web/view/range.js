// The range of the timeline that is drawn: a timeline may have 20,000 entries, but a page scrolls well with few rows.
// It is anchored to entries by their keys, since others come and go around them.

export class RenderedRange {
  /** The entries from `start` up to `end` are drawn. */
  start = 0;
  end = 0;
  /** The maximum size, and by how many entries the range moves: few, so that drawing them is quick. */
  max = 150;
  step = 12;
  /** The initial size: what is visible is drawn at once, and the rest follows step by step (`grow`). */
  begin = 30;
  #length = 0;
  #firstKey = null;
  #lastKey = null;

  get isAtStart() {
    return this.start === 0;
  }

  get isAtEnd() {
    return this.end === this.#length;
  }

  /** Whether the range is smaller than it should be. */
  get isShort() {
    const size = this.end - this.start;
    return size < this.max - this.step && size < this.#length;
  }

  /** Finds the range's place again after the timeline has changed. At the end it grows with the timeline. */
  update(entries) {
    const wasAtEnd = this.isAtEnd;
    const first = find(entries, this.#firstKey, this.start);
    const last = find(entries, this.#lastKey, this.end - 1);
    this.#length = entries.length;
    if (last < 0 && first < 0) this.end = entries.length;
    else if (last < 0) this.end = Math.min(entries.length, first + this.max);
    else this.end = wasAtEnd ? entries.length : last + 1;
    if (first >= 0) this.start = first;
    else this.start = Math.max(0, this.end - (last < 0 ? this.begin : this.max));
    this.#hold(entries);
  }

  /** Cuts the range to its maximum, furthest from the entry at `index`. */
  cut(entries, index) {
    if (this.end - this.start > this.max) this.around(entries, index);
  }

  /** Moves the range to the entry at `index`, with as much before it as after it. */
  around(entries, index, size = this.max - this.step) {
    this.start = Math.max(0, Math.min(index - Math.floor(size / 2), entries.length - size));
    this.end = Math.min(entries.length, this.start + size);
    this.#length = entries.length;
    this.#hold(entries);
  }

  /** Moves to an entry that is far away. */
  jump(entries, index) {
    this.around(entries, index, this.begin);
  }

  /** Adds a few entries where there are too few. */
  grow(entries) {
    if (this.start > 0) this.start = Math.max(0, this.start - this.step);
    else this.end = Math.min(entries.length, this.end + this.step);
    this.#hold(entries);
  }

  up(entries) {
    this.start = Math.max(0, this.start - this.step);
    this.end = Math.min(this.end, this.start + this.max);
    this.#hold(entries);
  }

  down(entries) {
    this.end = Math.min(entries.length, this.end + this.step);
    this.start = Math.max(this.start, this.end - this.max);
    this.#hold(entries);
  }

  #hold(entries) {
    this.#firstKey = entries[this.start]?.key ?? null;
    this.#lastKey = entries[this.end - 1]?.key ?? null;
  }
}

/** The index of the entry with this key, or -1. Usually it has not moved. */
function find(entries, key, index) {
  if (key === null) return -1;
  return entries[index]?.key === key ? index : entries.findIndex((entry) => entry.key === key);
}
