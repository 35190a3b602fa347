// The words of the page in the user's language, for all views: loaded once, before any of them is made.

import { loadTexts } from '../texts/texts.js';

/** As in texts/texts.js. */
export let t;
export let parts;
export let locale;

export async function loadWords() {
  ({ t, parts, locale } = await loadTexts());
}
