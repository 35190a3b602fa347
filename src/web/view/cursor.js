// Moves between messages by keyboard, and offers the "Copy link" button at the message under the cursor or the pointer.

import { button } from './dom.js';
import { t } from './words.js';

export class Cursor {
  #log;
  #list;
  #toNewest;
  #current = null;
  /** One button for all rows: one in each would be in the way of moving between them. */
  #copy;

  /** `copyLink(seq)` copies a message's link; `toNewest()` scrolls to the end. */
  constructor({ log, list, copyLink, toNewest }) {
    this.#log = log;
    this.#list = list;
    this.#toNewest = toNewest;
    const copy = (row) => row?.dataset.seq && copyLink(Number(row.dataset.seq));
    this.#copy = button('copy', t('copy_link'), () => copy(this.#copy.closest('.said')), 'link');
    log.addEventListener('keydown', (event) => {
      if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
      const row = rowOf(event.target);
      if (event.target === row && (event.key === 'Enter' || event.key === 'c')) copy(row);
      else if (!this.#move(event.key, row)) return;
      event.preventDefault();
    });
    list.addEventListener('focusin', ({ target }) => this.#focused(rowOf(target)));
    list.addEventListener('pointerover', ({ target, pointerType }) => {
      const row = rowOf(target);
      if (row && pointerType !== 'touch') this.#offer(row);
    });
    log.addEventListener('pointerleave', ({ pointerType }) => {
      if (pointerType !== 'touch') this.#offer(rowOf(document.activeElement));
    });
    // By tap, not by touch: a finger that scrolls passes over many messages.
    list.addEventListener('click', ({ target }) => this.#offer(rowOf(target)));
  }

  #focused(row) {
    if (this.#current) this.#current.tabIndex = -1;
    this.#current = row;
    if (!row) return;
    row.tabIndex = 0;
    this.#offer(row);
  }

  #offer(row) {
    if (this.#copy.parentElement === row || document.activeElement === this.#copy) return;
    if (row?.dataset.seq) row.append(this.#copy);
    else this.#copy.remove();
  }

  /** Moves the focus. Returns whether the key was one of ours. */
  #move(key, row) {
    if (key === 'End') this.#toNewest();
    const rows = [...this.#list.querySelectorAll('.said')];
    const steps = {
      ArrowUp: () => (row ? rows[rows.indexOf(row) - 1] : this.#seen(rows).at(-1)),
      ArrowDown: () => (row ? rows[rows.indexOf(row) + 1] : this.#seen(rows)[0]),
      Home: () => rows[0],
      End: () => rows.at(-1),
    };
    const to = steps[key]?.();
    if (!to) return false;
    to.focus({ preventScroll: true });
    to.scrollIntoView({ block: 'nearest' });
    return true;
  }

  #seen(rows) {
    const { top, bottom } = this.#log.getBoundingClientRect();
    return rows.filter((row) => {
      const box = row.getBoundingClientRect();
      return box.bottom > top && box.top < bottom;
    });
  }
}

const rowOf = (node) => node?.closest?.('.said') ?? null;
