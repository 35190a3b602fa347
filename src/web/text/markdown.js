// Parses a message: a small part of Markdown, links, mentions and emoji. The result is a tree that the views turn into
// elements.
//
// Any text parses in linear time, and the tree has at most twelve levels. Nothing is lost: the texts of the tree
// together are the message without its marks, and a mark without a partner, or with nothing to mark, is plain text.
// Blocks are separated by line breaks; white space inside them is significant.
//
//    { kind: 'paragraph', children: [INLINE…] }   `\n` in its texts begins a new line
//    { kind: 'quote', blocks: [BLOCK…] }
//    { kind: 'list', isNumbered, items: [{ kind: 'item', mark, number, children: [INLINE…], list: LIST or null }] }
//    { kind: 'code', text, language }              language: the word behind the opening fence, or ''
//
// An INLINE is a string or one of these:
//
//    { kind: 'spoiler' | 'strike' | 'bold' | 'italic', children: [INLINE…] }   each may be in those before it
//    { kind: 'code', text }
//    { kind: 'link', text, href, host }            href as browsers normalise it; host: where the link leads, to be
//                                                  shown behind a text that does not say it, or ''
//    { kind: 'mention', text, name, me }           text: `@ada`, name: `Ada`; me: whether it is the reader
//    { kind: 'emoji', text, name, character }      text: `:wave:`

import { linkAt, namedLinkAt } from './address.js';
import { assemble, pairMarks, runAt } from './emphasis.js';
import { isNumber, listAt, numbers } from './lists.js';
import { Names, characterAt, characterBefore, isWord } from './mention.js';
import { emojiAt } from './named.js';

const DEEPEST_QUOTE = 4;

/**
 * @param names the names that can be mentioned: a `Names`, or any iterable of names
 * @param me the reader's own name, even if it is not among them
 */
export function parse(text, { names = [], me = null } = {}) {
  const people = new People(names, me);
  const blocks = blocksOf(text.split('\n'), 0, people);
  return blocks.length > 0 ? blocks : [{ kind: 'paragraph', children: [text] }];
}

/** Built only for texts with an `@`. */
class People {
  #names;
  #me;

  constructor(names, me) {
    this.#names = names;
    this.#me = me === null ? null : new Names([me]);
  }

  at(text, index) {
    if (!(this.#names instanceof Names)) this.#names = new Names(this.#names);
    const found = this.#names.at(text, index);
    const own = this.#me?.at(text, index);
    const nearest = own && own.end > (found?.end ?? 0) ? own : found;
    return nearest && { ...nearest, me: own?.end === nearest.end };
  }
}

// ---- blocks

function blocksOf(lines, depth, people) {
  const blocks = [];
  let plain = [];
  const endParagraph = () => {
    const kept = withoutBlankEnds(plain);
    if (kept.length > 0) blocks.push({ kind: 'paragraph', children: inlineOf(kept.join('\n'), people) });
    plain = [];
  };
  for (let i = 0; i < lines.length;) {
    const found = fenced(lines, i) ?? (depth < DEEPEST_QUOTE ? quoted(lines, i, depth, people) : null)
      ?? listed(lines, i, people);
    if (!found) {
      plain.push(lines[i]);
      i += 1;
    } else if (!found.block) {
      for (; i < found.end; i += 1) plain.push(lines[i]);
    } else {
      endParagraph();
      blocks.push(found.block);
      i = found.end;
    }
  }
  endParagraph();
  return blocks;
}

function withoutBlankEnds(lines) {
  let start = 0;
  let end = lines.length;
  while (start < end && lines[start].trim() === '') start += 1;
  while (end > start && lines[end - 1].trim() === '') end -= 1;
  return lines.slice(start, end);
}

/** Only these count as the language after a fence: any other word there is part of the message. */
const LANGUAGES = new Set((
  'asm bash c c# c++ clojure cmd console cpp cs csharp css csv dart diff dockerfile elixir elm erlang go ' +
  'graphql groovy haskell html http ini java javascript js json jsx julia kotlin latex lisp log lua make ' +
  'makefile markdown matlab md nginx nim nix objc ocaml pascal perl php powershell prolog ps1 py python r rb ' +
  'rs ruby rust scala scss sh shell sql svelte svg swift tex text toml ts tsx txt typescript vb vim vue xml ' +
  'yaml yml zig zsh'
).split(' '));

/**
 * A code block from an opening fence to the closing one, which may be at the end of a line, or to the end of the
 * message.
 */
function fenced(lines, start) {
  const [opening, ticks] = /^ {0,3}(`{3,})/.exec(lines[start]) ?? [];
  if (!ticks) return null;
  const info = lines[start].slice(opening.length);
  if (info.includes('`')) return null;
  const language = LANGUAGES.has(info.trim().toLowerCase()) ? info.trim() : '';
  const code = language || info.trim() === '' ? [] : [info];
  let end = start + 1;
  for (let closed = false; end < lines.length && !closed; end += 1) {
    const line = lines[end].trimEnd();
    const closing = ticksAtEnd(line);
    closed = closing === ticks.length || (closing > ticks.length && line.trim().length === closing);
    const rest = closed ? line.slice(0, line.length - closing) : lines[end];
    if (!closed || rest.trim() !== '') code.push(rest);
  }
  const text = code.join('\n');
  return { end, block: text.trim() === '' ? null : { kind: 'code', text, language } };
}

function ticksAtEnd(line) {
  let at = line.length;
  while (at > 0 && line[at - 1] === '`') at -= 1;
  return line.length - at;
}

/** Needs white space after `>`: `>.<` is a face. */
const QUOTED = /^>+(?:\s|$)/;

function quoted(lines, start, depth, people) {
  let end = start;
  while (end < lines.length && QUOTED.test(lines[end])) end += 1;
  if (end === start) return null;
  const inner = lines.slice(start, end).map((line) => line.slice(line[1] === ' ' ? 2 : 1));
  if (inner.every((line) => line.trim() === '')) return { end, block: null };
  return { end, block: { kind: 'quote', blocks: blocksOf(inner, depth + 1, people) } };
}

function listed(lines, start, people) {
  const found = listAt(lines, start);
  return found && { end: found.end, block: listOf(found.items, people) };
}

function listOf(items, people) {
  const shown = numbers(items.map(({ mark }) => mark));
  return {
    kind: 'list',
    isNumbered: isNumber(items[0].mark),
    items: items.map(({ mark, lines, items: inner }, i) => ({
      kind: 'item',
      mark,
      number: shown[i],
      children: inlineOf(lines.join('\n'), people),
      list: inner.length > 0 ? listOf(inner, people) : null,
    })),
  };
}

// ---- inline: the text is cut into pieces and marks, the marks are paired, and the tree is built

function inlineOf(text, people) {
  const pieces = cut(text, people);
  pairMarks(pieces);
  return assemble(pieces);
}

/** Where something other than plain text may begin, or emphasis must end. */
const STOP = /[*_~|`@:[]|https?:\/\/|\n[ \t\r]*\n/gi;

/** Strings, inline nodes, runs of marks, and `null` for a blank line, which closes all open marks. */
function cut(text, people) {
  const pieces = [];
  const codes = new CodeSpans(text);
  let plainFrom = 0;
  const put = (piece, start, end) => {
    if (start > plainFrom) pieces.push(text.slice(plainFrom, start));
    pieces.push(piece);
    plainFrom = end;
    STOP.lastIndex = end;
  };
  STOP.lastIndex = 0;
  for (let stop = STOP.exec(text); stop; stop = STOP.exec(text)) {
    const [mark] = stop;
    const at = stop.index;
    if (mark[0] === '\n') {
      put(null, at, at);
      STOP.lastIndex = at + mark.length - 1;
    } else if (mark === '`') {
      const { code, end } = codes.at(at);
      if (code) put(code, at, end);
      else STOP.lastIndex = end;
    } else if ('*_~|'.includes(mark)) {
      const run = runAt(text, at);
      if (run.size > 0) put(run, at, run.end);
      else STOP.lastIndex = run.end;
    } else {
      const { node, end } = nodeAt(text, at, mark, people) ?? {};
      if (node) put(node, at, end);
      else STOP.lastIndex = end ?? at + 1;
    }
  }
  if (plainFrom < text.length) pieces.push(text.slice(plainFrom));
  return pieces;
}

function nodeAt(text, at, mark, people) {
  if (mark === ':') {
    if (isWord(characterBefore(text, at))) return null;
    const found = emojiAt(text, at);
    if (!found || isWord(characterAt(text, found.end))) return null;
    const { name, character, end } = found;
    return { node: { kind: 'emoji', text: text.slice(at, end), name, character }, end };
  }
  if (mark === '@') {
    const found = people.at(text, at);
    if (!found) return null;
    const { name, me, end } = found;
    return { node: { kind: 'mention', text: text.slice(at, end), name, me }, end };
  }
  return mark === '[' ? namedLinkAt(text, at) : linkAt(text, at);
}

// ---- inline code

/** Indexes all runs of backticks by length. Each is visited once, from left to right, so the time stays linear. */
class CodeSpans {
  #text;
  #starts = new Map();

  constructor(text) {
    this.#text = text;
    for (const { index, 0: { length } } of text.matchAll(/`+/g)) {
      if (!this.#starts.has(length)) this.#starts.set(length, { places: [], next: 0 });
      this.#starts.get(length).places.push(index);
    }
  }

  /** The code span that opens at `at`, and its end; or no `code`, and the end of the run. */
  at(at) {
    let open = at;
    while (this.#text[open] === '`') open += 1;
    const length = open - at;
    const runs = this.#starts.get(length);
    while (runs?.places[runs.next] < open) runs.next += 1;
    const close = runs?.places[runs.next];
    const inner = close === undefined ? '' : this.#text.slice(open, close);
    if (inner.trim() === '') return { code: null, end: open };
    // The spaces in `` `a` `` only separate the marks.
    const padded = inner.startsWith(' ') && inner.endsWith(' ');
    return { code: { kind: 'code', text: padded ? inner.slice(1, -1) : inner }, end: close + length };
  }
}
