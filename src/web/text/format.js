// Formatting by shortcut: puts marks around what is selected, or takes them away.

const WORD_BEFORE = /[\p{L}\p{N}\p{M}]+$/u;
const WORD_AFTER = /^[\p{L}\p{N}\p{M}]+/u;

/**
 * What the shortcut for `mark` does to a text with this selection: `{ start, end, insert, select: [start, end] }`, to
 * insert in place of `start` to `end`, and to select afterwards. Without a selection it takes the word at the caret;
 * without a word it prepares the marks for what is to be written. White space at the ends stays outside, because marks
 * beside it are none.
 */
export function formatted(text, start, end, mark) {
  let [from, to] = start === end ? wordAt(text, start) : trimmed(text, start, end);
  const inner = text.slice(from, to);
  if (mark === '`' && inner.includes('\n')) return fence(text, from, to);
  const length = mark.length;
  if (isMarked(inner, mark)) {
    const plain = inner.slice(length, -length);
    return { start: from, end: to, insert: plain, select: [from, from + plain.length] };
  }
  const [before, after] = [text.slice(0, from), text.slice(to)];
  if (runAtEnd(before, mark) && runAtStart(after, mark)) {
    [from, to] = [from - length, to + length];
    const [caretFrom, caretTo] = start === end ? [start - length, start - length] : [from, from + inner.length];
    return { start: from, end: to, insert: inner, select: [caretFrom, caretTo] };
  }
  const select = start === end ? [start + length, start + length] : [from + length, from + length + inner.length];
  return { start: from, end: to, insert: mark + inner + mark, select };
}

function wordAt(text, caret) {
  const before = WORD_BEFORE.exec(text.slice(0, caret))?.[0].length ?? 0;
  const after = WORD_AFTER.exec(text.slice(caret))?.[0].length ?? 0;
  return [caret - before, caret + after];
}

function trimmed(text, start, end) {
  const selected = text.slice(start, end);
  if (selected.trim() === '') return [start, end];
  const from = start + selected.length - selected.trimStart().length;
  return [from, from + selected.trim().length];
}

/** How many of the mark's characters stand there: one is italic, two are bold, three are both. */
const fits = (count, mark) => (mark === '**' ? count >= 2 : mark === '*' ? count === 1 || count === 3 : count >= mark.length);

function runAtEnd(text, mark) {
  let count = 0;
  while (count < text.length && text[text.length - 1 - count] === mark[0]) count += 1;
  return fits(count, mark);
}

function runAtStart(text, mark) {
  let count = 0;
  while (text[count] === mark[0]) count += 1;
  return fits(count, mark);
}

const isMarked = (text, mark) => text.length >= 2 * mark.length && runAtStart(text, mark)
  && runAtEnd(text.slice(mark.length), mark) && text.slice(mark.length, -mark.length).trim() !== '';

/** Several lines of code need a fence on lines of its own. */
function fence(text, from, to) {
  const inner = text.slice(from, to);
  if (/^```\n[^]*\n```$/.test(inner)) {
    const plain = inner.slice(4, -4);
    return { start: from, end: to, insert: plain, select: [from, from + plain.length] };
  }
  const open = from === 0 || text[from - 1] === '\n' ? '```\n' : '\n```\n';
  const close = to === text.length || text[to] === '\n' ? '\n```' : '\n```\n';
  return { start: from, end: to, insert: open + inner + close, select: [from + open.length, from + open.length + inner.length] };
}
