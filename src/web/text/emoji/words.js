// The words by which emoji are found, in the language of the page. Loaded when somebody looks for one.

import { EMOJI, simple } from '../emoji.js';

const LANGUAGES = {
  en: () => import('./en.js'),
  de: () => import('./de.js'),
  es: () => import('./es.js'),
  fr: () => import('./fr.js'),
};

/**
 * Returns `{ names, words }`: character → its name in this language, and character → the words to find it by, all of
 * them `simple`.
 */
export async function loadEmojiWords(locale) {
  const language = locale.split('-')[0];
  const { default: table } = await (LANGUAGES[language] ?? LANGUAGES.en)();
  return readEmojiWords(table, { namesAreEnglish: !(language in LANGUAGES) || language === 'en' });
}

/** A table holds each character with its words behind it, of which the first, with `_` for spaces, is its name. */
export function readEmojiWords(table, { namesAreEnglish = false } = {}) {
  const characters = new Set(EMOJI.values());
  const names = new Map();
  const words = new Map();
  let current;
  for (const word of table.trim().split(/\s+/)) {
    if (characters.has(word)) {
      current = [];
      words.set(word, current);
    } else {
      current.push(...simple(word).split('_'));
      const [character] = [...words.keys()].slice(-1);
      if (!names.has(character)) names.set(character, word.replaceAll('_', ' '));
    }
  }
  if (namesAreEnglish) for (const [name, character] of [...EMOJI].reverse()) names.set(character, name.replaceAll('_', ' '));
  return { names, words };
}
