// Joins, departures and renames between two messages, folded into one line.

const MAX_NAMES = 8;

export class Presence {
  /** id → { name, came: whether the first event was a join, isHere } */
  #people = new Map();
  #renamed = [];
  #moreRenamed = 0;

  entered({ id, name }) {
    this.#note(id, name, true);
  }

  left({ id, name }) {
    this.#note(id, name, false);
  }

  /** Successive renames count as one; going back to the old name cancels out. */
  renamed(id, from, to) {
    const person = this.#people.get(id);
    if (person) person.name = to;
    const earlier = this.#renamed.find((change) => change.id === id);
    if (earlier) earlier.to = to;
    else if (this.#renamed.length < MAX_NAMES) this.#renamed.push({ id, from, to });
    else this.#moreRenamed += 1;
    this.#renamed = this.#renamed.filter((change) => change.from !== change.to);
  }

  /** Short lists of names, and how many more there are; null if nothing is left to show. */
  summary() {
    const lists = { entered: [], left: [], passed: [] };
    const more = { entered: 0, left: 0, passed: 0, renamed: this.#moreRenamed };
    for (const { name, came, isHere } of this.#people.values()) {
      if (!came && isHere) continue; // left and returned
      const list = came ? (isHere ? 'entered' : 'passed') : 'left';
      if (lists[list].length < MAX_NAMES) lists[list].push(name);
      else more[list] += 1;
    }
    const renamed = this.#renamed.map(({ from, to }) => ({ from, to }));
    const isEmpty = renamed.length === 0 && Object.values(lists).every((names) => names.length === 0);
    return isEmpty ? null : { ...lists, renamed, more };
  }

  #note(id, name, isHere) {
    const person = this.#people.get(id);
    if (person) Object.assign(person, { name, isHere });
    else this.#people.set(id, { name, came: isHere, isHere });
  }
}
