// Messages as parsed, written as one line of text; and the two guarantees: linear time, and no word lost.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from '../../../src/web/text/markdown.js';
import { loadEmoji } from '../../../src/web/text/named.js';

await loadEmoji();

/** The tree as a line: <b>, <i>, <s>, <x>, <c> for marks, [text](href){host}, @<name>, :<character>; blocks by their kind. */
function drawn(text, options) {
  const inline = (node) => {
    if (typeof node === 'string') return node;
    switch (node.kind) {
      case 'bold': return `<b>${node.children.map(inline).join('')}</b>`;
      case 'italic': return `<i>${node.children.map(inline).join('')}</i>`;
      case 'code': return `<c>${node.text}</c>`;
      case 'strike': return `<s>${node.children.map(inline).join('')}</s>`;
      case 'spoiler': return `<x>${node.children.map(inline).join('')}</x>`;
      case 'link': return `[${node.text}](${node.href})${node.host && `{${node.host}}`}`;
      case 'mention': return `<@${node.me ? '!' : ''}${node.name}>`;
      default: return `<${node.character}>`;
    }
  };
  const item = ({ number, children, list }) => (
    `${list === null ? '' : '+'}${Number.isNaN(number) ? '-' : number} ${children.map(inline).join('')}${list ? block(list) : ''}`);
  const block = (node) => {
    if (node.kind === 'list') return `<${node.isNumbered ? 'ol' : 'ul'}>${node.items.map(item).join(';')}</>`;
    if (node.kind === 'paragraph') return node.children.map(inline).join('');
    if (node.kind === 'code') return `<pre ${node.language}>${node.text}</pre>`;
    return `<q>${node.blocks.map(block).join('|')}</q>`;
  };
  return parse(text, options).map(block).join('|');
}

function check(text, expected, options) {
  test(`${JSON.stringify(text)} → ${expected}`, () => assert.equal(drawn(text, options), expected));
}

// bold and italic
check('a **b** c', 'a <b>b</b> c');
check('*a* _b_', '<i>a</i> <i>b</i>');
check('**a *b* c**', '<b>a <i>b</i> c</b>');
check('*a **b** c*', '<i>a </i><b><i>b</i></b><i> c</i>');
check('***both***', '<b><i>both</i></b>');
check('***a** b*', '<b><i>a</i></b><i> b</i>');
check('*a **b***', '<i>a </i><b><i>b</i></b>');
check('**two\nlines**', '<b>two\nlines</b>');
check('(*a*), "**b**"!', '(<i>a</i>), "<b>b</b>"!');
check('これは**太字**です', 'これは<b>太字</b>です');
check('**굵게**는', '<b>굵게</b>는');
check('**مرحبا**', '<b>مرحبا</b>');
check('**a** **b**', '<b>a</b> <b>b</b>');
check('*_a_*', '<i>a</i>');

// marks that are plain text
for (const plain of ['snake_case and more_snake_case', '2*3*4', '2 * 3 * 4', '2**3**4', '__init__.py', '****', '**',
  '**a', 'a**', '*a\n\nb*', '¯\\_(ツ)_/¯', '\\*a*', '*.js *.ts',
  '____', '** **', 'f(*args, **kwargs)']) {
  check(plain, plain);
}
check('*a _b* c_', '<i>a _b</i> c_');
check('***a*', '**<i>a</i>');
check('*a***', '<i>a</i>**');

// struck and hidden
check('~~a~~ ||b||', '<s>a</s> <x>b</x>');
check('||a **b** ~~c~~ *d*||', '<x>a <b>b</b> <s>c</s> <i>d</i></x>');
check('**a ~~b~~ ||c||**', '<b>a </b><s><b>b</b></s><b> </b><x><b>c</b></x>');
check('||two\nlines||', '<x>two\nlines</x>');
check('|| spaced ||', '<x> spaced </x>');
check('So:\n|| spaced ||\nthere', 'So:\n<x> spaced </x>\nthere');
check('(||a||), ~~b~~!', '(<x>a</x>), <s>b</s>!');
check('||see https://a.example/||', '<x>see [https://a.example/](https://a.example/)</x>');
check('||https://a.example/ and `b`||', '<x>[https://a.example/](https://a.example/) and <c>b</c></x>');
check('||[a](https://a.example/)||', '<x>[a](https://a.example/){a.example}</x>');
check('> ||a||', '<q><x>a</x></q>');
for (const plain of ['~a~', '~~~a~~~', '|a|', '|||a|||', 'a || b || c', 'a||b||c', 'x||', '||', '||||', '~~', '~~~~', '~~a',
  'a~~', '||a\n\nb||', '\\||a||', '~/a ~/b', 'if (a || b)', '|| |']) check(plain, plain);
check('`||a||` ```~~b~~```', '<c>||a||</c> <c>~~b~~</c>');

// lists
check('- a\n- b', '<ul>- a;- b</>');
check('* a\n* *b*', '<ul>- a;- <i>b</i></>');
check('* a *', '<ul>- a *</>');
check('1. a\n2. b', '<ol>1 a;2 b</>');
check('1) a\n1) b\n1) c', '<ol>1 a;2 b;3 c</>');
check('3. a\n7. b', '<ol>3 a;7 b</>');
check('before\n- a\nafter', 'before|<ul>- a</>|after');
check('- a\n  - b\n  - c\n- d', '<ul>+- a<ul>- b;- c</>;- d</>');
check('1. a\n   - b\n     - c\n2. d', '<ol>+1 a<ul>- b;- c</>;2 d</>');
check('- a\n\t1. b', '<ul>+- a<ol>1 b</></>');
check('- a\n  more\n  - b\n    more', '<ul>+- a\nmore<ul>- b\nmore</></>');
check('- a\n\n- b', '<ul>- a</>|<ul>- b</>');
check('- a\n1. b', '<ul>- a</>|<ol>1 b</>');
check('> - a\n> - b', '<q><ul>- a;- b</></q>');
check('- ||a||\n- ~~b~~ [c](https://c.example)', '<ul>- <x>a</x>;- <s>b</s> [c](https://c.example/){c.example}</>');
check('- @Ada', '<ul>- <@Ada></>', { names: ['Ada'] });
check('- a\n```\nb\n```', '<ul>- a</>|<pre >b</pre>');
for (const plain of ['-5 degrees', '-a', '-', '1.5 kg', '1.', '2026. That was a year', '- \n-', 'a - b', '-- a', '1 . a',
  'a\nb - c']) check(plain, plain.trimEnd());

// code
check('`a*b*c` **d**', '<c>a*b*c</c> <b>d</b>');
check('``a`b``', '<c>a`b</c>');
check('`` `a` ``', '<c>`a`</c>');
check('`a', '`a');
check('a ` ` b', 'a ` ` b');
check('```one line```', '<c>one line</c>');
check('```\n  a\n\n*b*\n```\nafter', '<pre >  a\n\n*b*</pre>|after');
check('```js\na\n```', '<pre js>a</pre>');
check('```not a language\na\n```', '<pre >not a language\na</pre>');
check('```hello\nworld```', '<pre >hello\nworld</pre>');
check('before\n```\na```\nafter', 'before|<pre >a</pre>|after');
check('```\nnever closed\n> still', '<pre >never closed\n> still</pre>');
check('````\n```\n````', '<pre >```</pre>');
check('```\r\na\r\n```\r\nb', '<pre >a\r</pre>|b');
for (const plain of ['```', '```\n```', '`', '``', '``` ```', '```\n\n']) check(plain, plain.trimEnd());

// quotes
check('> a\n> b\nc', '<q>a\nb</q>|c');
check('> a\n>> b\n> c', '<q>a|<q>b</q>|c</q>');
check('> a\n> > b', '<q>a|<q>b</q></q>');
check('>> a', '<q><q>a</q></q>');
check('> ```\n> x\n> ```', '<q><pre >x</pre></q>');
for (const plain of ['>.<', '>:(', '>', '> ', '>\n>', 'a > b', '->']) check(plain, plain);
check('> > > > > > a', '<q><q><q><q>> > a</q></q></q></q>');

// links
check('http://a.example/b', '[http://a.example/b](http://a.example/b)');
check('HTTPS://A.example', '[HTTPS://A.example](https://a.example/)');
check('See https://a.example/b, or (https://a.example/c_(d)).',
  'See [https://a.example/b](https://a.example/b), or ([https://a.example/c_(d)](https://a.example/c_(d))).');
check('<https://a.example/?q=1&r=2>', '<[https://a.example/?q=1&r=2](https://a.example/?q=1&r=2)>');
check('**https://a.example/b**', '<b>[https://a.example/b](https://a.example/b)</b>');
check('https://a.example/a_b_c/*d*', '[https://a.example/a_b_c/*d](https://a.example/a_b_c/*d)*');
check('http://a.example/:x:/@Ada', '[http://a.example/:x:/@Ada](http://a.example/:x:/@Ada)', { names: ['Ada'] });
check('https://日本.example/東京。はい', '[https://日本.example/東京](https://xn--wgv71a.example/%E6%9D%B1%E4%BA%AC)。はい');
check('http://gооgle.example', '[http://gооgle.example](http://xn--ggle-55da.example/)');
check('http://[::1]:80/', '[http://[::1]:80/](http://[::1]/)');
check('`https://a.example`', '<c>https://a.example</c>');
check('https://a.example/\u202Egpj.exe', '[https://a.example/](https://a.example/)\u202Egpj.exe');
for (const plain of ['javascript:alert(1)', 'data:text/html,x', 'http://', 'https:// a', 'http://user@host.example/',
  'http://bank.example:x@evil.example/', 'xhttp://a.example', 'http://a.example:99999/', 'ftp://a.example',
  '//a.example', 'http:/a.example', 'http://.', 'JaVaScRiPt:alert(1)', 'vbscript:x', 'file:///etc/passwd']) {
  check(plain, plain);
}

test('every link is http, https or mailto', () => {
  for (const text of ['javascript:alert(1)//http://a.example', 'http://javascript:alert(1)',
    'http://a.example/"onclick="x', 'https:javascript:alert(1)', 'http://a.example\tjavascript:x',
    'data:text/html,<a href=http://a.example>', '[a](javascript:x) [a](data:x) [a](https://b.example) [a](mailto:c)',
    '[a](java\nscript:x)', '[a](\u0000javascript:x)', '[javascript:x](https://a.example)', '[a](https:javascript:x)']) {
    for (const { href } of links(text)) assert.match(href, /^(?:https?:\/\/|mailto:)/);
  }
});

// words with an address
check('[x](https://a.example/)', '[x](https://a.example/){a.example}');
check('see [the docs](http://a.example/b_(c)), or [d](https://d.example).',
  'see [the docs](http://a.example/b_(c)){a.example}, or [d](https://d.example/){d.example}.');
check('[a.example](https://a.example/b)', '[a.example](https://a.example/b)');
check('[https://a.example/](https://a.example/b)', '[https://a.example/](https://a.example/b)');
check('[https://bank.example](https://evil.example)', '[https://bank.example](https://evil.example/){evil.example}');
check('[bank.example@evil.example](https://evil.example)', '[bank.example@evil.example](https://evil.example/)');
check('[a](https://bank.example.evil.example/)', '[a](https://bank.example.evil.example/){bank.example.evil.example}');
check('[gооgle.example](http://gооgle.example)', '[gооgle.example](http://xn--ggle-55da.example/)');
check('[write](mailto:ada@a.example)', '[write](mailto:ada@a.example){ada@a.example}');
check('[ada@a.example](mailto:ada@a.example)', '[ada@a.example](mailto:ada@a.example)');
check('**[a](https://a.example)**', '<b>[a](https://a.example/){a.example}</b>');
check('[[a](https://a.example)', '[[a](https://a.example/){a.example}');
for (const plain of ['[a](javascript:x)', '[a](JAVASCRIPT:x)', '[a](data:text/html,x)', '[a](ftp://a.example)', '[a](/b)', '[a]()',
  '[a](//a.example)', '[](mailto:a)', '[ ](mailto:a)', '[a] (b)', '[a]', '[a](', '[a](mailto:b', '[a\nb](mailto:c)',
  '![a](mailto:b)', '\\[a](mailto:b)', '[a](https://ada@a.example)', '[a](https://bank.example:x@evil.example)', '[a](vbscript:x)',
  '[a](mailto:b c)', '[a]( mailto:b)', '[a](tel:1)']) {
  test(`${JSON.stringify(plain)} has no words for a link`, () => {
    assert.deepEqual(links(plain).filter(({ source }) => source !== undefined), []);
    assert.equal(flat(parse(plain)).trim(), plain.trim());
  });
}

// mentions
const room = { names: ['Ada', 'Ada Lovelace', 'User 3', 'José', '田中', 'a.b'], me: 'Eve' };
check('@ada and @ADA LOVELACE, @User 3!', '<@Ada> and <@Ada Lovelace>, <@User 3>!', room);
check('@Adam @ x@Ada @User 33 @nobody', '@Adam @ x@Ada @User 33 @nobody', room);
check('@eve @Ada\'s', '<@!Eve> <@Ada>\'s', room);
check('**@Ada** `@Ada` @a.b.', '<b><@Ada></b> <c>@Ada</c> <@a.b>.', room);
check('@田中さん', '<@田中>さん', room);
check('@Ada', '@Ada');

// emoji
check('hi :wave: :+1::100:', 'hi <👋> <👍><💯>');
check('`:wave:` :nothing: 12:100:20 :constructor: :wave', '`:wave:` :nothing: 12:100:20 :constructor: :wave'
  .replace('`:wave:`', '<c>:wave:</c>'));

// ---- linear time

const HOSTILE = ['*', '_', '`', '>', '[', 'http://', '> ', ' *', '* ', ' *a', ' **a *b', '*a _b ', ' _*', '`\n',
  '@', '@A', ':a', ':',
  '(http://a/(', 'http://a@', '```\n', '```a ', '>\n', '\n ', '\n', ' *a* _', '***a ', ' a***', '\u202E',
  'é́', '**a*b_', '\r\n', '`` ` ', '~', '~~', '~~a ', ' a~~', '|', '||', '||a ', ' a||', '|| ', '||\n', '~~||**_', '_**||~~a', '||a~~ ',
  '||http://a', '](', '[a', '[a]', '[a](', '[a](http://', '[a](http://b', '[a](http://b)', '[a](http://b(c)', '[a](mailto:(b)(c)', '[[', '[a](x)',
  '- ', '- a\n', '1. ', '1. a\n', '- a\n  - b\n', '  - a\n', '\t- a\n', '- a\n  a\n', '- - ', '> - a\n', '1) a\n- a\n', '- ||a\n'];

/** Four quotes, a list with items and a list in them, the four marks, and what they mark. */
const DEEPEST = 12;

/** Generous: anything that is not linear would take minutes. */
const LONGEST_MS = 5000;

/** The time that this process has worked, however busy the machine is. */
const worked = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

test('100,000 marks of any kind are parsed in linear time', () => {
  for (const unit of HOSTILE) {
    const text = unit.repeat(100_000);
    const started = worked();
    const tree = parse(text, { names: ['Ada', 'A'], me: 'A' });
    const took = worked() - started;
    assert.ok(took < LONGEST_MS, `${JSON.stringify(unit)} took ${Math.round(took)} ms`);
    keptIn(text, tree);
    assert.ok(depthOf(tree) <= DEEPEST, `${JSON.stringify(unit)} is ${depthOf(tree)} deep`);
  }
});

test('unpaired backtick runs of all lengths are parsed in linear time', () => {
  const text = Array.from({ length: 1500 }, (_, i) => '`'.repeat(i + 1)).join('a');
  const started = worked();
  keptIn(text, parse(text));
  assert.ok(worked() - started < LONGEST_MS);
});

// ---- nothing lost

const flat = (tree) => tree.map((node) => {
  if (typeof node === 'string') return node;
  if (node.kind === 'code' && node.language !== undefined) return `${node.language}\n${node.text}\n`;
  // In the test, the whole source of a link with words of its own, so that nothing of it counts as lost.
  if (node.text !== undefined) return node.source ?? node.text;
  if (node.kind === 'item') return `${node.mark} ${flat(node.children)}\n${node.list ? flat([node.list]) : ''}`;
  const inner = flat(inside(node));
  return node.kind === 'paragraph' ? `${inner}\n` : inner;
}).join('');

const inside = ({ children = [], blocks = [], items = [], list = null }) => [
  ...children, ...blocks, ...items, ...(list ? [list] : []),
];

function links(text) {
  const find = (nodes) => nodes.flatMap((node) => (node.kind === 'link' ? [node] : find(inside(node))));
  return find(parse(text));
}

const depthOf = (nodes) => nodes.reduce((most, node) => Math.max(most, 1 + depthOf(inside(node))), 0);

/** The texts of the tree are the message without its marks and the white space around them. */
function keptIn(text, tree) {
  const kept = flat(tree);
  const quoted = JSON.stringify(text.slice(0, 200));
  let at = 0;
  for (let i = 0; i < text.length; i += 1) {
    while (kept[at] === '\n' && text[i] !== '\n' && at < kept.length) at += 1;
    if (text[i] === kept[at]) at += 1;
    else if (!'*_~|`> \n\r\t'.includes(text[i])) assert.fail(`lost ${JSON.stringify(text[i])} of ${quoted}`);
  }
  assert.equal(kept.slice(at).trim(), '', `too much of ${quoted}`);
  for (const mark of '*~|') {
    const count = (all) => all.split(mark).length;
    assert.equal((count(text) - count(kept)) % 2, 0, `a mark without a partner was taken from ${quoted}`);
  }
}

test('random messages keep every word', () => {
  const UNITS = ['*', '**', '***', '_', '`', '```', '``', '>', '> ', '\n', '\n\n', ' ', '  ', 'a', 'b1', 'é', '太',
    '\r', '@Ada', '@', ':wave:', ':', 'http://a.example/', 'https://', '(', ')', '[', ']', '.', ',', '\\', '\u202E',
    '😀', '```hello\n', '```js\n', '\n```\n', 'c*', '*d', '_e', 'f_', '~~', '~~g', 'h~~', '||',
    '||i', 'j||', '|| ', '- ', '- k\n', '  - l\n', '1. ', '2. m\n', '[n](', '[o](http://a.example/)', '](mailto:p)', '[q'];
  const random = generator(Number(process.env.SEED ?? 20_261_124));
  for (let round = 0; round < 20_000; round += 1) {
    const text = Array.from({ length: 1 + (random() % 14) }, () => UNITS[random() % UNITS.length]).join('');
    if (text.trim() === '') continue;
    const tree = parse(text, { names: ['Ada'], me: null });
    keptIn(text, tree);
    assert.ok(flat(tree).trim() !== '', `nothing is left of ${JSON.stringify(text)}`);
    assert.ok(depthOf(tree) <= DEEPEST);
  }
});

/** Seeded, so that a failure can be reproduced. */
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 8;
  };
}
