// Which stretch of the timeline is drawn: a timeline may have 20,000 messages, a page that scrolls well has few.
// It holds on to entries by their keys, since others come and go before, behind and between them.

export class Stretch {
  /** The entries from `start` to before `end` are drawn. */
  start = 0;
  end = 0;
  /** At most so many, moved by `step` at a time: few, so that to draw them holds nobody up. */
  max = 150;
  step = 12;
  #length = 0;
  #firstKey = null;
  #lastKey = null;

  get isAtStart() {
    return this.start === 0;
  }

  get isAtEnd() {
    return this.end === this.#length;
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
    this.start = first < 0 ? Math.max(0, this.end - this.max) : first;
    const least = this.max - this.step;
    if (this.end - this.start < least) this.start = Math.max(0, this.end - least);
    if (this.end - this.start < least) this.end = Math.min(entries.length, this.start + least);
    this.#hold(entries);
  }

  /** Gives up what is furthest from the entry at `index`, when there is too much. */
  cut(entries, index) {
    if (this.end - this.start > this.max) this.around(entries, index);
  }

  /** To the entry at `index`, with as much before it as behind it. */
  around(entries, index) {
    const size = this.max - this.step;
    this.start = Math.max(0, Math.min(index - Math.floor(size / 2), entries.length - size));
    this.end = Math.min(entries.length, this.start + size);
    this.#length = entries.length;
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
