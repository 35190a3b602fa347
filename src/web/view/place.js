// Where the user reads: the message at the upper edge of what is seen, and how far from that edge it is. Whatever
// comes and goes above it, and however its lines break, it is put back there. Browsers' own scroll anchoring is not
// in all of them, and would work against this.

export class Place {
  #log;
  #list;
  #row = null;
  #offset = 0;
  #width = 0;
  #height = 0;

  constructor(log, list) {
    this.#log = log;
    this.#list = list;
  }

  get row() {
    return this.#row;
  }

  /** Whether the log has another size than when the place was noted, so that what is seen is not what was read. */
  get isResized() {
    return this.#log.clientWidth !== this.#width || this.#log.clientHeight !== this.#height;
  }

  note() {
    this.#width = this.#log.clientWidth;
    this.#height = this.#log.clientHeight;
    this.#hold(this.#firstSeen());
  }

  /** Holds on to a message that stays when others are taken out. */
  hold(stays) {
    if (this.#row && stays(this.#row)) return;
    const find = (next) => {
      let row = this.#row;
      while (row && !(isSteady(row) && stays(row))) row = row[next];
      return row;
    };
    this.#hold(find('nextElementSibling') ?? find('previousElementSibling'));
  }

  restore() {
    if (!this.#row?.isConnected) return;
    const moved = this.#offsetOf(this.#row) - this.#offset;
    if (moved !== 0) this.#log.scrollTop += moved;
  }

  #hold(row) {
    this.#row = row;
    if (row) this.#offset = this.#offsetOf(row);
  }

  #offsetOf(row) {
    return row.getBoundingClientRect().top - this.#log.getBoundingClientRect().top;
  }

  /** Halving finds it with few measurements. */
  #firstSeen() {
    const rows = this.#list.children;
    const edge = this.#log.getBoundingClientRect().top;
    let low = 0;
    let high = rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (rows[middle].getBoundingClientRect().bottom > edge) high = middle;
      else low = middle + 1;
    }
    let row = rows[low] ?? null;
    while (row && !isSteady(row)) row = row.nextElementSibling;
    return row;
  }
}

/** Messages stay where they are among the others. A day or the divider moves, and what is above comes and goes. */
const isSteady = (row) => row.classList.contains('said');
