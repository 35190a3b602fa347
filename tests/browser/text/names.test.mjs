// Names as displayed: invisible characters are spelled out, and the spelling of every language survives.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { colour, initial, visible } from '../../../src/web/text/names.js';

function check(what, name, expected) {
  test(`${what}: ${JSON.stringify(name)}`, () => assert.equal(visible(name), expected));
}

const unchanged = (what, name) => check(what, name, name);

check('bidi override', 'a\u202Eb', 'a⟨U+202E⟩b');
check('bidi isolate', '\u2067a\u2069', '⟨U+2067⟩a⟨U+2069⟩');
check('direction marks', '\u200Ea\u200F\u061C', '⟨U+200E⟩a⟨U+200F⟩⟨U+061C⟩');
check('zero width space', 'A\u200Bda', 'A⟨U+200B⟩da');
check('byte order mark', '\uFEFFAda', '⟨U+FEFF⟩Ada');
check('soft hyphen', 'A\u00ADda', 'A⟨U+00AD⟩da');
check('word joiner', 'A\u2060da', 'A⟨U+2060⟩da');
check('joiner between Latin letters', 'A\u200Dda', 'A⟨U+200D⟩da');
check('two non-joiners in a Persian name', 'علی\u200C\u200Cرضا', 'علی⟨U+200C⟩⟨U+200C⟩رضا');
check('line and paragraph separator', 'a\u2028b\u2029', 'a⟨U+2028⟩b⟨U+2029⟩');
check('control characters', 'a\u0007\u0085', 'a⟨U+0007⟩⟨U+0085⟩');
check('Hangul filler', '\u3164', '⟨U+3164⟩');
check('Hangul choseong filler', '\u115F\u1160\uFFA0', '⟨U+115F⟩⟨U+1160⟩⟨U+FFA0⟩');
check('Braille blank', '\u2800', '⟨U+2800⟩');
check('tag characters', 'A\u{E0041}', 'A⟨U+E0041⟩');
check('selector behind a letter', 'A\uFE0F', 'A⟨U+FE0F⟩');
check('joiner at the end of an emoji', '😀\u200D', '😀⟨U+200D⟩');
check('lone surrogate', '\uD800', '⟨U+D800⟩');

unchanged('Latin', 'Zoë O’Neil-Łukasz');
unchanged('Arabic', 'محمد علي');
unchanged('Hebrew with points', 'שָׁלוֹם');
unchanged('Persian with a non-joiner', 'علی\u200Cرضا');
unchanged('Hindi with a joiner', 'क्\u200Dष');
unchanged('Sinhala with a joiner', 'ක්\u200Dර');
unchanged('Arabic sign over numbers', '\u0600١٢');
unchanged('Japanese with a variant', '葛\u{E0100}城');
unchanged('Vietnamese in pieces', 'Nguye\u0302\u0303n');
unchanged('emoji with a selector', '❤️');
unchanged('emoji joined', '👩🏽‍🚒👨‍👩‍👧‍👦🏳️‍🌈');
unchanged('emoji joined without selectors', '🏳\u200D🌈');
unchanged('keycap and flags', '1️⃣🇩🇪🏴󠁧󠁢󠁥󠁮󠁧󠁿');

test('stacked marks are counted, not drawn', () => {
  assert.equal(visible(`Z${'\u0301'.repeat(4)}a`), `Z${'\u0301'.repeat(4)}a`);
  assert.equal(visible(`Z${'\u0301'.repeat(30)}a`), `Z${'\u0301'.repeat(4)}⟨+26⟩a`);
  assert.equal(visible(`Z${'\u0301\u20DD'.repeat(10)}`), `Z${'\u0301\u20DD'.repeat(2)}⟨+16⟩`);
  // An invisible character between the marks does not restart the count.
  assert.match(visible(`Z${'\u0301\u0301\u0301\u034F'.repeat(2)}`), /⟨U\+034F⟩/);
});

test('no one-character name is invisible', () => {
  const hidden = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Default_Ignorable_Code_Point}\u2800]/u;
  for (let code = 0; code < 0x110000; code += 1) {
    const shown = visible(String.fromCodePoint(code));
    if (hidden.test(shown)) assert.fail(`U+${code.toString(16)} is shown as it is`);
  }
});

test('a long hostile name takes linear time', () => {
  for (const unit of ['\u202E', '😀\u200D', '\u0301', 'ع\u200C', '👩🏽‍🚒', '\u200D']) {
    const started = performance.now();
    visible(unit.repeat(50_000));
    assert.ok(performance.now() - started < 5000, JSON.stringify(unit));
  }
});

test('twelve colours, far apart for neighbouring ids', () => {
  const colours = Array.from({ length: 12 }, (_, i) => colour(i + 1));
  assert.equal(new Set(colours).size, 12);
  for (let id = 1; id < 40; id += 1) {
    const apart = Math.abs(colour(id) - colour(id + 1));
    assert.ok(Math.min(apart, 12 - apart) >= 5);
  }
  assert.equal(colour('7'), colour(7));
  assert.ok(Number.isInteger(colour(2 ** 53 - 1)));
});

test('the initial of a name', () => {
  const check = (name, expected) => assert.equal(initial(name), expected, name);
  check('ada', 'A');
  check('\u202Eada', 'A');
  check('  "Ada"', 'A');
  check('ßuper', 'S');
  check('علی', 'ع');
  check('👩🏽‍🚒 Eve', '👩🏽‍🚒');
  check('e\u0301a', 'É'.normalize('NFD'));
  check('7 of 9', '7');
  check('\u3164', '?');
  check('…', '?');
  check('⟨x⟩', 'X');
});
