// Which stretch of the timeline is drawn: a timeline may have 20,000 messages, a page that scrolls well has few.
// It holds on to entries by their keys, since others come and go before, behind and between them.

export class Stretch {
  /** The entries from `start` to before `end` are drawn. */
  start = 0;
  end = 0;
  /** At most so many, moved by `step` at a time: few, so that to draw them holds nobody up. */
  max = 150;
  step = 12;
  /** So many at first: what is seen is drawn at once, and the rest follows step by step (`grow`). */
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

  /** Whether there is too little around what is seen. */
  get isShort() {
    const size = this.end - this.start;
    return size < this.max - this.step && size < this.#length;
  }

  /** Finds its place again in a timeline that has changed. At its end it grows along. */
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

  /** Gives up what is furthest from the entry at `index`, when there is too much. */
  cut(entries, index) {
    if (this.end - this.start > this.max) this.around(entries, index);
  }

  /** To the entry at `index`, with as much before it as behind it. */
  around(entries, index, size = this.max - this.step) {
    this.start = Math.max(0, Math.min(index - Math.floor(size / 2), entries.length - size));
    this.end = Math.min(entries.length, this.start + size);
    this.#length = entries.length;
    this.#hold(entries);
  }

  /** To an entry that is far away. */
  jump(entries, index) {
    this.around(entries, index, this.begin);
  }

  /** Takes in a few more, where it is short. */
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

/** The index of the entry of that key, which mostly is where it was; or -1. */
function find(entries, key, index) {
  if (key === null) return -1;
  return entries[index]?.key === key ? index : entries.findIndex((entry) => entry.key === key);
}
