// Formatting by shortcut. `[` and `]` are the selection, `|` is a caret.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatted } from '../../../src/web/text/format.js';

function read(marked) {
  const text = marked.replace(/[[\]|]/g, '');
  const start = marked.search(/[[|]/);
  return { text, start, end: marked.includes('|') ? start : marked.indexOf(']') - 1 };
}

function check(mark, before, after) {
  test(`${mark}: ${JSON.stringify(before)} becomes ${JSON.stringify(after)}`, () => {
    const { text, start, end } = read(before);
    const { start: from, end: to, insert, select } = formatted(text, start, end, mark);
    const done = text.slice(0, from) + insert + text.slice(to);
    const [a, b] = select;
    assert.equal(a === b ? `${done.slice(0, a)}|${done.slice(a)}` : `${done.slice(0, a)}[${done.slice(a, b)}]${done.slice(b)}`, after);
  });
}

/** In both directions: what a shortcut does, the same shortcut undoes. */
function both(mark, before, after) {
  check(mark, before, after);
  check(mark, after, before);
}

both('**', 'a [bc] d', 'a **[bc]** d');
both('*', '[a b]', '*[a b]*');
both('~~', '[a\nb]', '~~[a\nb]~~');
both('`', 'x [y]', 'x `[y]`');
both('**', 'wo|rd', '**wo|rd**');
both('**', '*[a]*', '***[a]***');
check('*', '**[a]**', '***[a]***');
check('*', '***[a]***', '**[a]**');
check('**', '[**a**]', '[a]');
check('*', '[*a*]', '[a]');
check('*', '[**a**]', '*[**a**]*');
check('~~', '[~~a~~]', '[a]');
check('**', 'a[ b ]c', 'a **[b]** c');
both('**', 'a | b', 'a **|** b');
check('**', '|', '**|**');
check('**', 'naïve|', '**naïve|**');
check('`', '[a\nb]', '```\n[a\nb]\n```');
check('`', 'x [a\nb] y', 'x \n```\n[a\nb]\n```\n y');
check('`', '[```\na\n```]', '[a]');
check('**', '[  ]', '**[  ]**');
