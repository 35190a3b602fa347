// Finds links: addresses as they are, and words with an address behind them, `[words](https://…)`.

import { characterBefore, isWord } from './mention.js';

/**
 * Excludes what cannot be in an address unescaped, invisible characters, which could disguise it, and `||`, where a
 * spoiler ends.
 */
const ADDRESS = /https?:\/\/[\p{L}\p{N}[](?:(?!\|\|)[^\s<>"`\p{Cc}\p{Cf}、。「」『』【】（）《》！？])*/iuy;
const ENDS_SENTENCE = new Set('.,:;!?\'"*_~|…’”»\\');
const CLOSING = { '(': ')', '[': ']', '{': '}' };

/** A link; or no `node`, and where to continue the search; or null if there is no address here. */
export function linkAt(text, at) {
  if (isWord(characterBefore(text, at))) return null;
  ADDRESS.lastIndex = at;
  const found = ADDRESS.exec(text)?.[0];
  if (!found) return null;
  const address = withoutPunctuation(found);
  const end = at + address.length;
  const url = trusted(address);
  return { node: url && { kind: 'link', text: address, href: url.href, host: '' }, end };
}

/** Removes punctuation that belongs to the sentence, and closing brackets that were opened before the address. */
function withoutPunctuation(address) {
  const surplus = { ')': 0, ']': 0, '}': 0 };
  for (const [bracket] of address.matchAll(/[()[\]{}]/g)) {
    if (bracket in surplus) surplus[bracket] += 1;
    else surplus[CLOSING[bracket]] -= 1;
  }
  let end = address.length;
  for (; end > 0; end -= 1) {
    const last = address[end - 1];
    if (surplus[last] > 0) surplus[last] -= 1;
    else if (!ENDS_SENTENCE.has(last)) break;
  }
  return address.slice(0, end);
}

/** A user name before the host is usually there to be mistaken for the host. */
function trusted(address) {
  const url = URL.canParse(address) ? new URL(address) : null;
  return url && url.username === '' && url.password === '' ? url : null;
}

// ---- words with an address

/** No bracket is in the words, so that searches from many brackets never cross, and the time stays linear. */
const WORDS = /\[([^[\]\n]+)\]\(/y;
/** Parentheses may be in the address one level deep, which is enough for an encyclopaedia, and keeps the time linear. */
const TARGET = /(?:https?:\/\/|mailto:)[^\s()<>"`\p{Cc}\p{Cf}]*(?:\([^\s()<>"`\p{Cc}\p{Cf}]*\)[^\s()<>"`\p{Cc}\p{Cf}]*)*\)/iuy;

/** The link whose `[` is at `at`, or null. `host` is where it leads, unless its words say so already. */
export function namedLinkAt(text, at) {
  // `![…](…)` is a picture, which is not shown.
  if (text[at - 1] === '!' || text[at - 1] === '\\') return null;
  WORDS.lastIndex = at;
  const [opening, words] = WORDS.exec(text) ?? [];
  if (!words || words.trim() === '') return null;
  TARGET.lastIndex = at + opening.length;
  const target = TARGET.exec(text)?.[0];
  if (!target) return null;
  const url = trusted(target.slice(0, -1));
  if (!url) return null;
  const whole = opening + target;
  return { node: { kind: 'link', text: words, href: url.href, host: hostToShow(words, url), source: whole }, end: at + whole.length };
}

/** Words that are an address of the same host need no second one. All others might be a disguise. */
function hostToShow(words, url) {
  if (url.protocol === 'mailto:') return words.trim() === url.pathname ? '' : url.pathname;
  const said = words.trim();
  const address = /^https?:\/\//i.test(said) ? said : `${url.protocol}//${said}`;
  return URL.canParse(address) && new URL(address).host === url.host ? '' : url.host;
}
