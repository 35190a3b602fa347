// Bold and italic: finds the marks among `*` and `_`, pairs them, and builds the nodes.

import { characterAt, characterBefore, isWord } from './mention.js';

/**
 * The run of marks at `at`: `*` and `_` are italic, `**` is bold, `***` is both. Longer runs are plain text (`size` 0),
 * and so are marks inside a word, as in snake_case and 2*3*4, and after a backslash, as in ¯\_(ツ)_/¯. `__` is plain
 * text because of __init__.
 */
export function runAt(text, at) {
  const character = text[at];
  let end = at;
  while (text[end] === character) end += 1;
  const size = end - at;
  const before = characterBefore(text, at);
  const after = characterAt(text, end);
  if (size > (character === '*' ? 3 : 1) || before === '\\') return { size: 0, end };
  const opens = after.trim() !== '' && !isWord(before);
  const closes = before.trim() !== '' && !isWord(after);
  if (!opens && !closes) return { size: 0, end };
  return { character, size, end, opens, closes, left: size, bold: 0, italic: 0, willBold: 0, willItalic: 0 };
}

const isRun = (piece) => piece?.character !== undefined && piece.kind === undefined;

/**
 * Pairs each closing mark with an opening one. Open marks are kept on one stack per character and indexed by the size
 * that is left, so the time stays linear. Marks between two partners are discarded.
 */
export function pairMarks(pieces) {
  const open = { '*': new OpenMarks(), _: new OpenMarks() };
  pieces.forEach((piece, place) => {
    if (piece === null) {
      open['*'].clear();
      open._.clear();
    }
    if (!isRun(piece)) return;
    if (piece.closes) {
      const other = open[piece.character === '*' ? '_' : '*'];
      for (let partner = true; partner && piece.left > 0;) {
        partner = open[piece.character].match(piece);
        if (partner) other.dropAfter(partner.place);
      }
    }
    if (piece.opens && piece.left > 0) open[piece.character].push(piece, place);
  });
}

class OpenMarks {
  #stack = [];
  /** How many marks on the stack have one, two or three characters left. */
  #counts = [0, 0, 0, 0];

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
    for (const [run, bold, italic] of [[closing, 'bold', 'italic'], [partner.run, 'willBold', 'willItalic']]) {
      run.left -= used;
      if (used >= 2) run[bold] += 1;
      if (used !== 2) run[italic] += 1;
    }
    if (partner.run.left > 0) this.push(partner.run, partner.place);
    return partner;
  }
}

/** Bold inside bold looks the same, so two counters suffice for any depth. */
export function assemble(pieces) {
  const out = new Emphasis();
  let bold = 0;
  let italic = 0;
  for (const piece of pieces) {
    if (piece === null) continue;
    if (!isRun(piece)) {
      out.put(piece, bold > 0, italic > 0);
      continue;
    }
    bold -= piece.bold;
    italic -= piece.italic;
    if (piece.left > 0) out.put(piece.character.repeat(piece.left), bold > 0, italic > 0);
    bold += piece.willBold;
    italic += piece.willItalic;
  }
  return out.nodes;
}

class Emphasis {
  nodes = [];
  #bold = null;
  #italic = null;
  /** The list that the last piece went to, to join adjacent strings. */
  #last = null;

  put(piece, isBold, isItalic) {
    if (isBold !== (this.#bold !== null)) {
      this.#italic = null;
      this.#bold = isBold ? this.#open(this.nodes, 'bold') : null;
    }
    if (isItalic !== (this.#italic !== null)) {
      this.#italic = isItalic ? this.#open(this.#bold ?? this.nodes, 'italic') : null;
    }
    const list = this.#italic ?? this.#bold ?? this.nodes;
    if (typeof piece === 'string' && list === this.#last && typeof list.at(-1) === 'string') {
      list[list.length - 1] += piece;
    } else {
      list.push(piece);
    }
    this.#last = list;
  }

  #open(list, kind) {
    const node = { kind, children: [] };
    list.push(node);
    return node.children;
  }
}
