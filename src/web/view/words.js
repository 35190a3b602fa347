// The texts of the page in the user's language, loaded once, before any view is created.

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
