// Finds lists: lines that begin with `-`, `*` or a number. A list may have lists one level deeper.

/** The white space before the mark, the mark, and the text. Four digits are a year, not a number in a list. */
const ITEM = /^([ \t]*)([-*]|\d{1,3}[.)])[ \t]+(?=\S)/;

/** This much white space makes a line part of the item above. */
const INDENT = 2;

/**
 * The list that begins at a line, as `{ end, items: [{ mark, lines, items }] }`, or null. `lines` are the lines of text
 * of an item; `items` those of the list inside, which have none of their own.
 */
export function listAt(lines, start) {
  const first = itemAt(lines[start]);
  if (!first || first.indent > INDENT + 1) return null;
  const items = [];
  let end = start;
  for (; end < lines.length; end += 1) {
    const item = itemAt(lines[end]);
    const top = items.at(-1);
    if (item && (!top || item.indent < first.indent + INDENT)) {
      if (top && isNumber(item.mark) !== isNumber(top.mark)) break;
      items.push({ mark: item.mark, lines: [item.text], items: [] });
    } else if (item) {
      top.items.push({ mark: item.mark, lines: [item.text], items: [] });
    } else if (top && isContinued(lines[end])) {
      (top.items.at(-1) ?? top).lines.push(lines[end].trim());
    } else {
      break;
    }
  }
  return { end, items };
}

function itemAt(line) {
  const [whole, space, mark] = ITEM.exec(line) ?? [];
  if (whole === undefined) return null;
  return { indent: space.replaceAll('\t', '    ').length, mark, text: line.slice(whole.length) };
}

const isContinued = (line) => /^(?: {2}|\t)/.test(line) && line.trim() !== '' && !/^\s*(?:```|>)/.test(line);

export const isNumber = (mark) => /\d/.test(mark);

/**
 * The numbers of a list's items as they are shown: as they were typed, but a number that is typed again and again, as
 * in `1. 1. 1.`, counts up.
 */
export function numbers(marks) {
  const typed = marks.map((mark) => parseInt(mark, 10));
  const isLazy = typed.length > 1 && typed.every((number) => number === typed[0]);
  return isLazy ? typed.map((number, i) => number + i) : typed;
}
