// Completion, mentions, and the emoji themselves.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { completion } from '../../../src/web/text/complete.js';
import { EMOJI, emojiAt, emojiNames } from '../../../src/web/text/emoji.js';
import { Names, isMentioned } from '../../../src/web/text/mention.js';

const NAMES = ['Me', 'Ada', 'José Luis', 'User 10', 'User 9', 'Adam', 'User 9'];
const members = new Map(NAMES.map((name, i) => [i + 1, name]));

/** `|` is the caret; the result is the labels of the options. */
function offered(typed) {
  const caret = typed.indexOf('|');
  const text = typed.replace('|', '');
  const found = completion(text, caret, { members, me: { id: 1 } });
  return found && { ...found, text, labels: found.options.map(({ label }) => label) };
}

function check(typed, labels) {
  test(`${JSON.stringify(typed)} offers ${labels ?? 'nothing'}`, () => {
    assert.deepEqual(offered(typed)?.labels, labels);
  });
}

check('hi @ad|', ['Ada', 'Adam']);
check('@AD|', ['Ada', 'Adam']);
check('@ada|', ['Ada', 'Adam']);
check('@adam|', undefined);
check('@|', ['Ada', 'Adam', 'José Luis', 'User 9', 'User 10']);
check('@user |', ['User 9', 'User 10']);
check('@jose|', ['José Luis']);
check('@lu|', ['José Luis']);
check('@me|', undefined);
check('x@ad|', undefined);
check('@ ad|', undefined);
check('@Ada how are|', undefined);
check('@a\nd|', undefined);
check('|@ad', undefined);
check('@ad| and more', ['Ada', 'Adam']);
check(':wav|', [':wave:']);
check('so :WAV|', [':wave:']);
for (const none of [':D|', ':p|', '12:30|', 'a:wave|', '::wave|', ':nothinglikethis|', ':|', '|']) {
  check(none, undefined);
}

test('the chosen option replaces what was typed', () => {
  const put = (typed) => {
    const { text, start, end, options } = offered(typed);
    return text.slice(0, start) + options[0].insert + text.slice(end);
  };
  assert.equal(put('hi @jo|'), 'hi @José Luis ');
  assert.equal(put('hi @jo| there'), 'hi @José Luis there');
  assert.equal(put('hi :wav|'), 'hi 👋 ');
  assert.deepEqual(offered(':wav|').options[0], { label: ':wave:', detail: '👋', insert: '👋 ' });
});

test('at most eight options, even with a thousand members', () => {
  const many = new Map(Array.from({ length: 1000 }, (_, i) => [i, `User ${i}`]));
  assert.equal(completion('@u', 2, { members: many }).options.length, 8);
  assert.equal(offered(':he|').labels.length, 8);
});

test('the exact name comes first, then the shortest', () => {
  assert.equal(emojiNames('heart', 8)[0], 'heart');
  assert.equal(emojiNames('he', 8)[0], 'heart');
  const hands = emojiNames('hand', 20).map((name) => name.startsWith('hand'));
  assert.deepEqual(hands, [...hands].sort().reverse());
  assert.ok(hands.includes(true) && hands.includes(false));
});

test('every emoji has a name that can be typed, and is a single emoji', () => {
  assert.ok(EMOJI.size >= 300);
  for (const [name, character] of EMOJI) {
    assert.match(name, /^[a-z0-9_+-]{1,40}$/);
    assert.match(character, /^\p{RGI_Emoji}$/v, name);
    assert.deepEqual(emojiAt(`a:${name}:`, 1), { name, character, end: name.length + 3 });
  }
  assert.equal(emojiAt(':constructor:', 0), null);
});

test('mentions', () => {
  const mentioned = (text, name, others) => isMentioned(text, name, others);
  for (const text of ['@ada', 'hi @Ada!', '(@ADA)', '@ada\'s', '@x @ada', '@@ada', 'は@Adaさん']) {
    assert.equal(mentioned(text, 'Ada'), true, text);
  }
  for (const text of ['ada', '@adam', 'x@ada', '@ ada', '@ad', '', '@', '@ada_', '@ada1']) {
    assert.equal(mentioned(text, 'Ada'), false, text);
  }
  assert.equal(mentioned('@ada lovelace', 'Ada', ['Ada Lovelace']), false);
  assert.equal(mentioned('@ada lovelace', 'Ada Lovelace', ['Ada']), true);
  assert.equal(mentioned('@ada lovelac', 'Ada', ['Ada Lovelace']), true);
  assert.equal(mentioned('@İpek', 'İpek'), true);
  assert.equal(mentioned('İİİ @ada', 'Ada'), true);
  assert.equal(mentioned('@C++, @a', 'C++'), true);
  assert.equal(mentioned('@😀', '😀'), true);
});

test('finding the longest name takes the same time among very many', () => {
  const names = new Names(Array.from({ length: 20_000 }, (_, i) => `User ${i}`));
  const text = '@User 19999 '.repeat(2000);
  const started = performance.now();
  for (let at = text.indexOf('@'); at >= 0; at = text.indexOf('@', at + 1)) {
    assert.equal(names.at(text, at).name, 'User 19999');
  }
  assert.ok(performance.now() - started < 5000);
});
