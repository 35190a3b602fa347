// A message in plain words, for what is read aloud or shown in one line: announcements, notifications, previews.

import { parse } from './markdown.js';

/** What takes the place of a spoiler. */
const HIDDEN = '▒▒▒';

/** The words of parsed Markdown (see markdown.js) without its marks, in one line of at most `most` characters. */
export function plainText(blocks, most = Infinity) {
  const line = wordsOf(blocks).replace(/\s+/g, ' ').trim();
  if (line.length <= most) return line;
  // A character that people see may be many of a string's.
  const head = line.slice(0, 16 * most);
  const seen = Array.from(new Intl.Segmenter().segment(head), ({ segment }) => segment);
  if (seen.length <= most && head === line) return line;
  return `${seen.slice(0, most - 1).join('').trimEnd()}…`;
}

/** The words of a text that was cut off. What it hides stays hidden, even if the mark that ends it is cut off. */
export function plainStart(text) {
  const closed = plainText(parse(`${text}||`));
  return closed.endsWith('||') ? plainText(parse(text)) : closed;
}

const wordsOf = (blocks) => blocks.map((block) => ofNode(block)).join(' ');

function ofNode(node) {
  if (typeof node === 'string') return node;
  const { kind, blocks, character, children, items, list, text } = node;
  if (kind === 'spoiler') return HIDDEN;
  if (kind === 'emoji') return character;
  if (blocks ?? items) return wordsOf(blocks ?? items);
  const words = children ? children.map((child) => ofNode(child)).join('') : text ?? '';
  return list ? `${words} ${ofNode(list)}` : words;
}
