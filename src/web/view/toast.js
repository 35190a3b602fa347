// Short confirmations under the header, which disappear by themselves.

import { byId, element } from './dom.js';

const SHOWN_MS = 2_500;
/** More at once would hide the talk: the oldest goes. */
const MOST = 3;

export function toast(words) {
  const place = byId('toast');
  // The same again is one, shown longer.
  for (const one of [...place.children]) if (one.textContent === words) one.remove();
  while (place.childElementCount >= MOST) place.firstElementChild.remove();
  const shown = element('p', '', words);
  shown.dir = 'auto';
  place.append(shown);
  setTimeout(() => shown.remove(), SHOWN_MS);
}
