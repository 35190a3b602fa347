// A short confirmation that disappears by itself.

import { byId } from './dom.js';

const SHOWN_MS = 2_500;

let timer;

export function toast(words) {
  clearTimeout(timer);
  byId('toast').textContent = words;
  timer = setTimeout(() => byId('toast').replaceChildren(), SHOWN_MS);
}
