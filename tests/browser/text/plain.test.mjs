// Messages in plain words.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from '../../../src/web/text/markdown.js';
import { loadEmoji } from '../../../src/web/text/named.js';
import { plainStart, plainText } from '../../../src/web/text/plain.js';

await loadEmoji();

const plain = (text, most) => plainText(parse(text, { names: ['Ada'] }), most);

test('the words stay, the marks go', () => {
  assert.equal(plain('**now** or *never*, `x = 1`'), 'now or never, x = 1');
  assert.equal(plain('> quoted\n\nanswer'), 'quoted answer');
  assert.equal(plain('see\n```js\nlet a;\n```\n:wave: @Ada'), 'see let a; 👋 @Ada');
  assert.equal(plain('https://example.org/a_b_c'), 'https://example.org/a_b_c');
});

test('what no parser has yet is told by its words, and a spoiler is not told', () => {
  const item = (text, list = null) => ({ kind: 'item', children: [text], list });
  assert.equal(plainText([{ kind: 'list', items: [item('one', { kind: 'list', items: [item('a')] }), item('two')] }]), 'one a two');
  assert.equal(plainText([{ kind: 'paragraph', children: ['it was ', { kind: 'spoiler', children: ['the cook'] }] }]), 'it was ▒▒▒');
});

test('a long text is cut at a character that people see', () => {
  assert.equal(plain('x'.repeat(50), 10), `${'x'.repeat(9)}…`);
  assert.equal(plain('👩‍👩‍👧‍👦'.repeat(3), 3), '👩‍👩‍👧‍👦'.repeat(3));
  assert.equal(plain('👩‍👩‍👧‍👦'.repeat(3), 2), '👩‍👩‍👧‍👦…');
});

test('a text that was cut off within a spoiler does not tell it', () => {
  assert.equal(plainStart('it was ||the coo'), 'it was ▒▒▒');
  assert.equal(plainStart('it was ||the cook|| with **th'), 'it was ▒▒▒ with **th');
  assert.equal(plainStart('nothing hidden'), 'nothing hidden');
});
