// The reading position: the first visible message and its distance from the upper edge; below a gap in the upper half of
// the screen, the first one after it, since the gap will fill. It is restored whenever rows above it change or text wraps
// differently. The browsers' own scroll anchoring is not available everywhere, and would
// interfere.

export class ScrollAnchor {
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

  /**
   * Whether the log has been resized since the position was noted, so that the visible rows are not those the user was
   * reading.
   */
  get isResized() {
    return this.#log.clientWidth !== this.#width || this.#log.clientHeight !== this.#height;
  }

  note() {
    this.#width = this.#log.clientWidth;
    this.#height = this.#log.clientHeight;
    this.#hold(this.#firstSeen());
  }

  /** Switches to a row that will stay when others are removed. */
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

  /** Binary search, to measure few rows. */
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
    return steadyFrom(this.#belowGap(rows[low] ?? null, edge) ?? rows[low]);
  }

  /** The last gap that is seen in the upper half, or null: what is being read is below it. */
  #belowGap(first, edge) {
    let gap = null;
    const middle = edge + this.#log.clientHeight / 2;
    for (let row = first; row && row.getBoundingClientRect().top <= middle; row = row.nextElementSibling) {
      if (isGap(row) && steadyFrom(row)) gap = row;
    }
    return gap;
  }
}

/** Messages keep their order. Days and the divider move, and rows above them come and go. */
const isSteady = (row) => row.classList.contains('said');

const isGap = (row) => row.classList.contains('missing');

function steadyFrom(first) {
  let row = first ?? null;
  while (row && !isSteady(row)) row = row.nextElementSibling;
  return row;
}
