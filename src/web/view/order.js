// People in the order of their names, kept up while they come and go. Knows no DOM.

/** Above this many changes at once, sorting anew is faster. */
const FEW_CHANGES = 60;

export class NameOrder {
  #compare;
  /** id → name, as they are in the list. */
  #known = new Map();
  #list = [];

  constructor(locale) {
    const { compare } = new Intl.Collator(locale, { sensitivity: 'base', numeric: true });
    // Those of the same name have a fixed order too.
    this.#compare = (a, b) => compare(a.name, b.name) || (a.id - b.id);
  }

  /** `people`: id → name. Returns the list of `{ id, name }`, which is the same object unless somebody has changed. */
  update(people) {
    const gone = [...this.#known.keys()].filter((id) => people.get(id) !== this.#known.get(id));
    const come = [];
    for (const [id, name] of people) if (this.#known.get(id) !== name) come.push({ id, name });
    if (gone.length + come.length === 0) return this.#list;
    this.#known = new Map(people);
    if (gone.length + come.length > FEW_CHANGES) {
      this.#list = [...people].map(([id, name]) => ({ id, name })).sort(this.#compare);
      return this.#list;
    }
    const isGone = new Set(gone);
    this.#list = this.#list.filter(({ id }) => !isGone.has(id));
    for (const one of come) this.#list.splice(this.#place(one), 0, one);
    return this.#list;
  }

  #place(one) {
    let low = 0;
    let high = this.#list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#compare(this.#list[middle], one) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
