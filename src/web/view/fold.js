// Folds long messages. Only the eye sees less of them: screen readers, the search of the browser and the keyboard reach
// everything, and unfold what they come to.

import { button } from './dom.js';
import { t } from './words.js';

/** More than this is folded. */
const MOST_CHARACTERS = 1_200;
const MOST_LINES = 16;

/** The messages that the user has unfolded since the page was opened, so that a redrawn row stays as it was. */
const unfolded = new Set();

export const isLong = (text) => text.length > MOST_CHARACTERS || text.split('\n', MOST_LINES + 1).length > MOST_LINES;

/**
 * Folds the content of a message. `key` tells the message from all others. Returns the button that unfolds it.
 *
 * An event `fold` bubbles up from the content before its height changes.
 */
export function fold(content, key) {
  const more = button('plain more', '', () => {
    set(!unfolded.has(key));
    // What remains of a message that has been read to the end is out of sight above.
    if (!unfolded.has(key)) content.closest('.said')?.scrollIntoView({ block: 'nearest' });
  });
  const draw = () => {
    const isOpen = unfolded.has(key);
    content.classList.toggle('folded', !isOpen);
    more.textContent = t(isOpen ? 'fold' : 'unfold');
    more.setAttribute('aria-expanded', String(isOpen));
  };
  const set = (isOpen) => {
    content.dispatchEvent(new Event('fold', { bubbles: true }));
    if (isOpen) unfolded.add(key);
    else unfolded.delete(key);
    draw();
  };
  // The search of the browser and the focus scroll to what is folded away, if it is theirs.
  content.addEventListener('scroll', () => {
    if (!unfolded.has(key) && content.scrollTop > 0) set(true);
  });
  content.addEventListener('unfold', () => set(true));
  draw();
  return more;
}

/** Unfolds the message of a row, because a link leads there. */
export const unfold = (row) => row.querySelector('.folded')?.dispatchEvent(new Event('unfold'));
