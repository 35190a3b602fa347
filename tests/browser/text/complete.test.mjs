// Completion, mentions, and the emoji themselves.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { completion } from '../../../src/web/text/complete.js';
import { EMOJI, findEmoji } from '../../../src/web/text/emoji.js';
import { readEmojiWords } from '../../../src/web/text/emoji/words.js';
import { Names, isMentioned } from '../../../src/web/text/mention.js';
import { emojiAt, onEmoji } from '../../../src/web/text/named.js';
import { Twins } from '../../../src/web/text/twins.js';

test('the table of emoji comes with the first short name, and is told of', async () => {
  const come = new Promise((resolve) => { onEmoji(resolve); });
  assert.equal(emojiAt('no name', 0), null);
  assert.equal(emojiAt(':wave:', 0), null, 'not yet');
  await come;
  assert.deepEqual(emojiAt(':wave:', 0), { name: 'wave', character: '👋', end: 6 });
});

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
check(':wav|', ['wave']);
check('so :WAV|', ['wave']);
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
  assert.deepEqual(offered(':wav|').options[0], { glyph: '👋', label: 'wave', insert: '👋 ' });
});

test('at most eight options, even with a thousand members', () => {
  const many = new Map(Array.from({ length: 1000 }, (_, i) => [i, `User ${i}`]));
  assert.equal(completion('@u', 2, { members: many }).options.length, 8);
  assert.equal(offered(':he|').labels.length, 8);
});

test('the exact name comes first, then the shortest, and each emoji once', () => {
  const names = (typed, most) => findEmoji(typed, most).map(({ name }) => name);
  assert.equal(names('heart', 8)[0], 'heart');
  assert.equal(names('he', 8)[0], 'heart');
  const hands = names('hand', 20).map((name) => name.startsWith('hand'));
  assert.deepEqual(hands, [...hands].sort().reverse());
  assert.ok(hands.includes(true) && hands.includes(false));
  const found = findEmoji('1', 50).map(({ character }) => character);
  assert.equal(new Set(found).size, found.length);
  assert.deepEqual(names('', 8), []);
});

test('a colon offers what was used last, and takes nothing by itself', () => {
  const recent = ['🎉', '👋'];
  const found = completion('well :', 6, { recent });
  assert.deepEqual([found.isOffered, found.options.map(({ glyph }) => glyph)], [true, recent]);
  for (const none of ['is:', '::', ':)', ': ']) assert.equal(completion(none, none.length, { recent }), null);
  assert.equal(completion(':wav', 4, { recent }).isOffered, false);
});

test('words of the language of the page find emoji, with or without accents', () => {
  const emoji = { names: new Map([['😂', 'Freudentränen']]), words: new Map([['😂', ['freudentranen', 'lachen']]]) };
  for (const typed of [':trän', ':freudentran', ':LACH']) {
    const found = completion(typed, typed.length, { emoji });
    if (typed === ':trän') assert.equal(found?.options.find(({ glyph }) => glyph === '😂'), undefined, 'only from the start of a word');
    else assert.deepEqual(found.options[0], { glyph: '😂', label: 'Freudentränen', insert: '😂 ' });
  }
  assert.equal(completion(':joy', 4, { emoji }).options[0].label, 'joy', 'the short name stays');
});

test('names that look alike have their numbers', () => {
  const people = new Map([[3, 'Tariq'], [7, 'Tаriq'], [9, 'Tariq'], [4, 'Tara']]);
  const twins = new Twins(people);
  assert.deepEqual(completion('@ta', 3, { members: people, twins }).options.map(({ label, detail }) => [label, detail]), [
    ['Tara', undefined], ['Tariq', '#3 #9'],
  ]);
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

for (const language of ['en', 'de', 'es', 'fr']) {
  test(`each emoji is found by words in ${language}`, async () => {
    const { default: table } = await import(`../../../src/web/text/emoji/${language}.js`);
    const { names, words } = readEmojiWords(table, { namesAreEnglish: language === 'en' });
    const characters = [...new Set(EMOJI.values())];
    for (const character of characters) {
      assert.ok(words.get(character)?.length > 0, `${character} has no words`);
      assert.ok(names.get(character), `${character} has no name`);
      const [word] = words.get(character);
      assert.ok(findEmoji(word, 400, words).some((found) => found.character === character), `${word} does not find ${character}`);
    }
    assert.deepEqual([...words.keys()].filter((character) => !characters.includes(character)), []);
    // A character that the table of names does not have would have become a word.
    for (const word of [...words.values()].flat()) assert.match(word, /^[\p{L}\p{N}'.-]+$/u);
  });
}

test('words find emoji in any order, by their beginnings, without accents', async () => {
  const find = async (language, typed) => {
    const { words } = readEmojiWords((await import(`../../../src/web/text/emoji/${language}.js`)).default);
    return findEmoji(typed, 10, words).map(({ character }) => character);
  };
  assert.ok((await find('de', 'schlüssel')).includes('🔑'));
  assert.ok((await find('de', 'SCHLUSS')).includes('🔑'));
  assert.ok((await find('de', 'herz rot')).includes('❤️'));
  assert.ok((await find('es', 'corazon rojo')).includes('❤️'));
  assert.ok((await find('es', 'cumpleaños')).includes('🎂'));
  assert.ok((await find('fr', 'cœur brisé')).includes('💔'));
  assert.ok((await find('fr', 'coeur')).includes('❤️'));
  assert.ok((await find('fr', 'anniv')).includes('🥳'));
  assert.ok((await find('en', 'birthday')).includes('🎂'));
  assert.deepEqual(await find('en', 'nothinglikethis'), []);
});

test('a search takes linear time', () => {
  const started = performance.now();
  findEmoji('a_'.repeat(20_000), 8);
  assert.ok(performance.now() - started < 5000);
});
