// The words of the page in the user's language, for all views: loaded once, before any of them is made.

import { loadTexts } from '../texts/texts.js';

let texts;

/** As in texts/texts.js. */
export const t = (key, vars) => texts.t(key, vars);
export const parts = (key, vars) => texts.parts(key, vars);
export const has = (key) => texts.has(key);
export const locale = () => texts.locale;

export async function loadWords() {
  texts = await loadTexts();
}
