// Completion for the word before the caret: `:wav` finds emoji, `@Ad` finds members of the room.

import { EMOJI, emojiNames } from './emoji.js';
import { characterBefore, isWord } from './mention.js';

const MOST_OPTIONS = 8;
/** At least two letters, because `:D` and `:p` are complete as they are. */
const EMOJI_TYPED = /:([a-z0-9_+-]{2,40})$/i;
/**
 * How many code units before the caret are searched. Names have at most 32 characters, unless the server allows more.
 */
const REACH = 80;

/**
 * @param text the content of the box
 * @param caret in code units
 * @param members Map of id to name; `me`, the user with `id`, is not offered
 * @returns null, or the options, each with the text to `insert` in place of `start` to `end`
 */
export function completion(text, caret, { members = new Map(), me = null } = {}) {
  return emojiCompletion(text, caret) ?? mentionCompletion(text, caret, members, me);
}

function emojiCompletion(text, end) {
  const found = EMOJI_TYPED.exec(text.slice(Math.max(0, end - REACH), end));
  if (!found) return null;
  const start = end - found[0].length;
  const before = characterBefore(text, start);
  if (before === ':' || isWord(before)) return null;
  const options = emojiNames(found[1].toLowerCase(), MOST_OPTIONS).map((name) => (
    { label: `:${name}:`, detail: EMOJI.get(name), insert: spaced(EMOJI.get(name), text, end) }
  ));
  return options.length === 0 ? null : { start, end, kind: 'emoji', options };
}

function mentionCompletion(text, end, members, me) {
  const start = text.lastIndexOf('@', end - 1);
  if (end === 0 || start < 0 || end - start > REACH || isWord(characterBefore(text, start))) return null;
  const typed = text.slice(start + 1, end);
  if (/^\s|\n/.test(typed)) return null;
  const names = namesFor(plain(typed), members, me);
  // A name that is complete needs no help, and Enter should send.
  if (names.length === 0 || (names.length === 1 && names[0].toLowerCase() === typed.toLowerCase())) return null;
  const options = names.map((name) => ({ label: name, insert: spaced(`@${name}`, text, end) }));
  return { start, end, kind: 'mention', options };
}

/** Names that start with the typed text, then those with a later word that does; each name once. */
function namesFor(typed, members, me) {
  const first = new Set();
  const second = new Set();
  for (const [id, name] of members) {
    if (id === me?.id || name === '') continue;
    const simple = plain(name);
    if (simple.startsWith(typed)) first.add(name);
    else if (simple.includes(` ${typed}`)) second.add(name);
  }
  const byName = new Intl.Collator(undefined, { numeric: true }).compare;
  return [...[...first].sort(byName), ...[...second].sort(byName)].slice(0, MOST_OPTIONS);
}

/** Ignores case and accents: `@jose` finds José. */
const plain = (text) => text.normalize('NFD').replace(/\p{Mn}/gu, '').toLowerCase();

const spaced = (insert, text, end) => (text[end] === ' ' ? insert : `${insert} `);
