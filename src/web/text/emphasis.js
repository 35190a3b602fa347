// Bold, italic, struck text and spoilers: finds the marks among `*`, `_`, `~` and `|`, pairs them, and builds the nodes.

import { characterAt, characterBefore, isWord } from './mention.js';

/** The longest run of each character that is a mark. `~` and `|` are marks in pairs only. */
const LONGEST = { '*': 3, _: 1, '~': 2, '|': 2 };

/** What may be around a text, from the outside in: a spoiler is one piece, whatever begins or ends inside it. */
const KINDS = ['spoiler', 'strike', 'bold', 'italic'];

/**
 * The run of marks at `at`: `*` and `_` are italic, `**` is bold, `***` is both, `~~` strikes through, `||` hides.
 * Other runs are plain text (`size` 0), and so are marks inside a word, as in snake_case and 2*3*4, and after a
 * backslash, as in ¯\_(ツ)_/¯. `__` is plain text because of __init__.
 *
 * `||` may have spaces inside where it begins or ends a line: a spoiler that is not hidden does more harm than one too
 * many.
 */
export function runAt(text, at) {
  const character = text[at];
  let end = at;
  while (text[end] === character) end += 1;
  const size = end - at;
  const before = characterBefore(text, at);
  const after = characterAt(text, end);
  const isPair = character === '~' || character === '|';
  if (size > LONGEST[character] || (isPair && size !== 2) || before === '\\') return { size: 0, end };
  const begins = before === '' || before === '\n';
  const ends = after === '' || after === '\n';
  const hides = character === '|';
  const opens = (after.trim() !== '' || (hides && begins && !ends)) && !isWord(before);
  const closes = (before.trim() !== '' || (hides && ends && !begins)) && !isWord(after);
  if (!opens && !closes) return { size: 0, end };
  return { character, size, end, opens, closes, left: size, ended: [], begun: [] };
}

const isRun = (piece) => piece?.character !== undefined && piece.kind === undefined;

/**
 * Pairs each closing mark with an opening one. Open marks are kept on one stack per character and indexed by the size
 * that is left, so the time stays linear. Marks between two partners are discarded.
 */
export function pairMarks(pieces) {
  const open = Object.fromEntries(Object.keys(LONGEST).map((character) => [character, new OpenMarks(character)]));
  const all = Object.values(open);
  pieces.forEach((piece, place) => {
    if (piece === null) for (const marks of all) marks.clear();
    if (!isRun(piece)) return;
    const own = open[piece.character];
    if (piece.closes) {
      for (let partner = true; partner && piece.left > 0;) {
        partner = own.match(piece);
        if (partner) for (const marks of all) if (marks !== own) marks.dropAfter(partner.place);
      }
    }
    if (piece.opens && piece.left > 0) own.push(piece, place);
  });
}

class OpenMarks {
  #character;
  #stack = [];
  /** How many marks on the stack have one, two or three characters left. */
  #counts = [0, 0, 0, 0];

  constructor(character) {
    this.#character = character;
  }

  push(run, place) {
    this.#stack.push({ run, place });
    this.#counts[run.left] += 1;
  }

  #pop() {
    const top = this.#stack.pop();
    this.#counts[top.run.left] -= 1;
    return top;
  }

  clear() {
    while (this.#stack.length > 0) this.#pop();
  }

  dropAfter(place) {
    while (this.#stack.at(-1)?.place > place) this.#pop();
  }

  /** Two characters are bold and one is italic; three may be either, or both one after the other. */
  #fits(closing, opening) {
    return closing === opening || closing === 3 || opening === 3;
  }

  match(closing) {
    if (![1, 2, 3].some((left) => this.#counts[left] > 0 && this.#fits(closing.left, left))) return null;
    let partner = this.#pop();
    while (!this.#fits(closing.left, partner.run.left)) partner = this.#pop();
    const used = Math.min(closing.left, partner.run.left);
    const kinds = this.#kindsOf(used);
    closing.left -= used;
    closing.ended.push(...kinds);
    partner.run.left -= used;
    partner.run.begun.push(...kinds);
    if (partner.run.left > 0) this.push(partner.run, partner.place);
    return partner;
  }

  #kindsOf(size) {
    if (this.#character === '~') return ['strike'];
    if (this.#character === '|') return ['spoiler'];
    return { 1: ['italic'], 2: ['bold'], 3: ['bold', 'italic'] }[size];
  }
}

/** Bold inside bold looks the same, so one counter for each kind suffices for any depth. */
export function assemble(pieces) {
  const out = new Tree();
  const depth = Object.fromEntries(KINDS.map((kind) => [kind, 0]));
  for (const piece of pieces) {
    if (piece === null) continue;
    if (!isRun(piece)) {
      out.put(piece, depth);
      continue;
    }
    for (const kind of piece.ended) depth[kind] -= 1;
    if (piece.left > 0) out.put(piece.character.repeat(piece.left), depth);
    for (const kind of piece.begun) depth[kind] += 1;
  }
  return out.nodes;
}

class Tree {
  nodes = [];
  /** The nodes that the next piece may go into, from the outside in. */
  #open = [];
  /** The list that the last piece went to, to join adjacent strings. */
  #last = null;

  put(piece, depth) {
    const wanted = KINDS.filter((kind) => depth[kind] > 0);
    const differs = wanted.findIndex((kind, i) => this.#open[i]?.kind !== kind);
    this.#open.length = differs >= 0 ? differs : wanted.length;
    for (const kind of wanted.slice(this.#open.length)) {
      const node = { kind, children: [] };
      this.#list.push(node);
      this.#open.push(node);
    }
    const list = this.#list;
    if (typeof piece === 'string' && list === this.#last && typeof list.at(-1) === 'string') {
      list[list.length - 1] += piece;
    } else {
      list.push(piece);
    }
    this.#last = list;
  }

  get #list() {
    return this.#open.at(-1)?.children ?? this.nodes;
  }
}
