// Completion for the word before the caret: `:wav` finds emoji, `@Ad` finds members of the room.

import { findEmoji, simple } from './emoji.js';
import { characterBefore, isWord } from './mention.js';

const MOST_OPTIONS = 8;
/** At least two letters, because `:D` and `:p` are complete as they are; or none, which offers the recent ones. */
const EMOJI_TYPED = /:((?:[\p{L}\p{M}\p{N}_+-]{2,40})?)$/u;
/**
 * How many code units before the caret are searched. Names have at most 32 characters, unless the server allows more.
 */
const REACH = 80;

/** Knows no words of the page's language yet. */
const NO_WORDS = { names: new Map(), words: new Map() };

/**
 * @param text the content of the box
 * @param caret in code units
 * @param members Map of id to name; `me`, the user with `id`, is not offered; `twins` says which names look alike
 * @param emoji what text/emoji/words.js has loaded; `recent` are the characters used last
 * @returns null, or the options, each with the text to `insert` in place of `start` to `end`. With `isOffered` nothing
 * has been asked for yet, so Enter still sends.
 */
export function completion(text, caret, { members = new Map(), me = null, twins = null, emoji = NO_WORDS, recent = [] } = {}) {
  return emojiCompletion(text, caret, emoji, recent) ?? mentionCompletion(text, caret, { members, me, twins });
}

function emojiCompletion(text, end, { names, words }, recent) {
  const found = EMOJI_TYPED.exec(text.slice(Math.max(0, end - REACH), end));
  if (!found) return null;
  const start = end - found[0].length;
  const before = characterBefore(text, start);
  if (before === ':' || isWord(before)) return null;
  const [, typed] = found;
  const option = (glyph, label) => ({ glyph, label, insert: spaced(glyph, text, end) });
  const options = typed === ''
    ? recent.slice(0, MOST_OPTIONS).map((character) => option(character, names.get(character) ?? ''))
    : findEmoji(typed, MOST_OPTIONS, words).map(({ name, character }) => (
      option(character, name.includes(simple(typed)) ? name : names.get(character) ?? name)));
  return options.length === 0 ? null : { start, end, kind: 'emoji', isOffered: typed === '', options };
}

function mentionCompletion(text, end, { members, me, twins }) {
  const start = text.lastIndexOf('@', end - 1);
  if (end === 0 || start < 0 || end - start > REACH || isWord(characterBefore(text, start))) return null;
  const typed = text.slice(start + 1, end);
  if (/^\s|\n/.test(typed)) return null;
  const names = namesFor(simple(typed), members, me);
  // A name that is complete needs no help, and Enter should send.
  if (names.length === 0 || (names.length === 1 && names[0].toLowerCase() === typed.toLowerCase())) return null;
  const numbers = (name) => [...members].filter(([, other]) => other === name).map(([id]) => `#${id}`).join(' ');
  const options = names.map((name) => ({
    label: name,
    ...(twins?.has(name) && { detail: numbers(name) }),
    insert: spaced(`@${name}`, text, end),
  }));
  return { start, end, kind: 'mention', options };
}

/** Names that start with the typed text, then those with a later word that does; each name once. */
function namesFor(typed, members, me) {
  const first = new Set();
  const second = new Set();
  for (const [id, name] of members) {
    if (id === me?.id || name === '') continue;
    const plain = simple(name);
    if (plain.startsWith(typed)) first.add(name);
    else if (plain.includes(` ${typed}`)) second.add(name);
  }
  const byName = new Intl.Collator(undefined, { numeric: true }).compare;
  return [...[...first].sort(byName), ...[...second].sort(byName)].slice(0, MOST_OPTIONS);
}

const spaced = (insert, text, end) => (text[end] === ' ' ? insert : `${insert} `);
