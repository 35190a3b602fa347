// The texts of the page in the user's language, loaded once, before any view is created.

import { loadTexts } from '../texts/texts.js';

let texts;

/** As in texts/texts.js. */
export const t = (key, vars) => texts.t(key, vars);
export const parts = (key, vars) => texts.parts(key, vars);
export const has = (key) => texts.has(key);
export const locale = () => texts.locale;

/**
 * Loads the first of these languages that the page has: the one that the user has chosen, the one that the owner has chosen,
 * those of the browser. The browser's regional variant of a language counts: `en-AU` has its own dates.
 */
export async function loadWords(...chosen) {
  const own = navigator.languages ?? [];
  const regional = (language) => own.find((tag) => tag.toLowerCase().split('-')[0] === language) ?? language;
  texts = await loadTexts([...chosen.filter(Boolean).map(regional), ...own]);
}
