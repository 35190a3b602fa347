// The texts of the page: all languages have the same keys, and every key that the page uses exists.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { chooseLanguage, loadTexts, Texts } from '../../../src/web/texts/texts.js';
import english from '../../../src/web/texts/en.js';

const WEB = new URL('../../../src/web/', import.meta.url);
const LANGUAGES = ['de', 'es', 'fr'];

const formsOf = (text) => (typeof text === 'string' ? { '': text } : text);
const placeholders = (text) => [...new Set(text.match(/\{\w+\}/g))].sort();

test('English has plural forms wherever there is a count, with the same placeholders', () => {
  for (const [key, text] of Object.entries(english)) {
    const forms = Object.values(formsOf(text));
    if (typeof text !== 'string') assert.deepEqual(Object.keys(text), ['one', 'other'], key);
    for (const form of forms) {
      assert.notEqual(form.trim(), '', key);
      assert.deepEqual(placeholders(form), placeholders(forms[0]), key);
    }
  }
});

for (const language of LANGUAGES) {
  test(`${language} has the keys, the plurals and the placeholders of English`, async () => {
    const { default: texts } = await import(new URL(`texts/${language}.js`, WEB));
    assert.deepEqual(Object.keys(texts), Object.keys(english));
    for (const [key, text] of Object.entries(texts)) {
      assert.equal(typeof text, typeof english[key], key);
      assert.deepEqual(Object.keys(formsOf(text)), Object.keys(formsOf(english[key])), key);
      const wanted = placeholders(Object.values(formsOf(english[key]))[0]);
      for (const form of Object.values(formsOf(text))) {
        assert.deepEqual(placeholders(form), wanted, key);
        assert.equal(form, form.trim(), key);
      }
    }
  });
}

test('a French text never breaks the line before its punctuation', async () => {
  const { default: texts } = await import(new URL('texts/fr.js', WEB));
  for (const [key, text] of Object.entries(texts)) {
    for (const form of Object.values(formsOf(text))) assert.doesNotMatch(form, /[^\u202f][:;!?»]|«[^\u202f]/, key);
  }
});

// ---- the keys that the page uses

function filesIn(folder) {
  return readdirSync(new URL(folder, WEB), { withFileTypes: true }).flatMap((entry) => {
    const name = `${folder}${entry.name}`;
    if (entry.isDirectory()) return name === 'texts' ? [] : filesIn(`${name}/`);
    return /\.(js|html)$/.test(name) ? [{ name, source: readFileSync(new URL(name, WEB), 'utf8') }] : [];
  });
}

/** `t('key'…)`, `parts(some ? 'key' : 'other'…)`, `notice = { key: 'key'`, and the attributes of view/translate.js. */
function keysAskedFor(source) {
  const asked = [...source.matchAll(/data-(?:t|label|title|placeholder)="([^"]+)"/g)].map(([, key]) => key);
  for (const [, argument] of source.matchAll(/(?<!\w)(?:t|parts)\(([^,)]*)/g)) {
    asked.push(...[...argument.matchAll(/(?:^|[?:])\s*'([^']+)'/g)].map(([, key]) => key));
  }
  asked.push(...[...source.matchAll(/notice\s*[=:]\s*\{\s*key: '([^']+)'/g)].map(([, key]) => key));
  return asked;
}

test('uses of a key are recognised', () => {
  const source = `this.t('a'); parts(x === 'y' ? 'b' : 'c', { d: 'e' }); ft('f'); <p data-label="g" data-icon="i">`;
  assert.deepEqual(keysAskedFor(source), ['g', 'a', 'b', 'c']);
  assert.deepEqual(keysAskedFor("state.notice = { key: 'h', vars }"), ['h']);
});

test('every key that the page uses exists', () => {
  for (const { name, source } of filesIn('')) {
    for (const key of keysAskedFor(source)) assert.ok(Object.hasOwn(english, key), `${name} asks for ${key}`);
  }
});

/** A view has the key in quotes, or starts it in a template like `error_${code}`; or the core names it. */
test('every text is used', () => {
  const isView = ({ name }) => !/^(core|text)\//.test(name);
  const views = filesIn('').filter(isView).map(({ source }) => source).join('\n');
  const used = new Set([...views.matchAll(/['"`]([a-z_]+)['"`]/g)].map(([, key]) => key));
  for (const { source } of filesIn('')) for (const key of keysAskedFor(source)) used.add(key);
  const begun = [...views.matchAll(/`([a-z]+(?:_|: ))\$\{/g)].map(([, start]) => start);
  const isUsed = (key) => used.has(key) || begun.some((start) => key.startsWith(start));
  assert.deepEqual(Object.keys(english).filter((key) => !isUsed(key)), []);
});

test('every reason for which the server closes a connection has a text', () => {
  const source = readFileSync(new URL('../../../src/protocol/close.rs', import.meta.url), 'utf8');
  const [, table] = source.match(/fn text\(self\)(.*?)\n {4}\}\n/s);
  // The client closes with these, or shows them as a phase of their own.
  const others = ['closed by the client', 'connection lost', 'replaced', 'kicked'];
  const reasons = [...table.matchAll(/=> "([^"]+)"/g)].map(([, text]) => text).filter((text) => !others.includes(text));
  assert.ok(reasons.includes('server stopping'), `${reasons}`);
  for (const reason of reasons) assert.ok(Object.hasOwn(english, `reason: ${reason}`), reason);
});

test('every error code of the server has a text', () => {
  const read = (name) => readFileSync(new URL(`../../docs/${name}`, WEB), 'utf8');
  const docs = ['protocol.md', 'protocol-v2.md'].map(read);
  const errors = docs.map((doc) => doc.split('## Errors')[1].split('\n## ')[0]).join('\n');
  const codes = [...errors.matchAll(/^\| `([a-z_]+)` \|/gm)].map(([, code]) => code);
  assert.ok(codes.length >= 13, `found only ${codes}`);
  for (const code of codes) assert.ok(Object.hasOwn(english, `error_${code}`), code);
});

// ---- placeholders, lists and plurals

test('the first available language is chosen, with its region', () => {
  const check = (wanted, language, locale) => assert.deepEqual(chooseLanguage(wanted), { language, locale });
  check(['de-AT', 'en'], 'de', 'de-AT');
  check(['sv', 'fr-CA', 'en-US'], 'fr', 'fr-CA');
  check(['EN-us'], 'en', 'EN-us');
  check(['tlh', 'ja'], 'en', 'en-GB');
  check([], 'en', 'en-GB');
  check(['de-', '__proto__', 'es'], 'es', 'es');
});

test('only the chosen language is loaded', async () => {
  assert.equal((await loadTexts(['de-CH'])).t('send'), 'Senden');
  assert.equal((await loadTexts(['es'])).t('member_count', { count: 12_345 }), '12.345 miembros');
  assert.equal((await loadTexts(['fr'])).t('member_count', { count: 0 }), '0 membre');
  assert.equal((await loadTexts(['xx'])).t('member_count', { count: 0 }), '0 members');
});

test('values, lists and plurals', () => {
  const { t, parts } = new Texts(english, 'en');
  assert.equal(t('renamed', { from: 'a{to}', to: 'b' }), 'a{to} is now b');
  assert.equal(t('typing', { names: ['Ada'], count: 1 }), 'Ada is typing…');
  assert.equal(t('typing', { names: ['Ada', 'Ben'], count: 2 }), 'Ada and Ben are typing…');
  const [ada, ben] = [{ node: 'Ada' }, { node: 'Ben' }];
  const others = t('others', { count: 3 });
  const entered = parts('entered', { names: [ada, ben, others], count: 5 });
  assert.deepEqual(entered, [ada, ', ', ben, ', and ', '3 others', ' joined']);
  assert.deepEqual(parts('gif_unknown', { id: 17 }), ['GIF ', 17]);
  assert.equal(t('renamed', { from: 'a' }), 'a is now {to}');
});

test('a missing text falls back to its key', () => {
  const texts = new Texts(english, 'en');
  assert.equal(texts.t('gif: A dancing: cat'), 'A dancing: cat');
  assert.equal(texts.t('no_such_key'), 'no_such_key');
  assert.equal(texts.t('constructor'), 'constructor');
  assert.equal(texts.has('error_bad_name'), true);
  assert.equal(texts.has('error_new_code'), false);
});
