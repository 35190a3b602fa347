// Hostile names, titles and texts: markup that tries to run, characters that hide or reverse their neighbours, and
// words too long for any line.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PHONE, stage } from './browser.mjs';
import { PATIENT, Talker } from './talker.mjs';

const visit = stage();
const SETTINGS = { settings: PATIENT };

/** Each would call `ran`, or load something from another origin, if any of it were more than text. */
const MARKUP = [
  '<script>ran()</script>',
  '<ScRiPt src=//evil.test/x.js></sCrIpT>',
  '<img src=x onerror=ran()>',
  '<img src="https://evil.test/pixel.gif">',
  '<svg onload=ran()>',
  '<svg><script>ran()</script></svg>',
  '<svg><animate onbegin=ran()>',
  '<math><mi xlink:href="data:x">',
  '<iframe src="javascript:ran()">',
  '<iframe srcdoc="<b>x</b>">',
  '<object data="//evil.test/x">',
  '<embed src="//evil.test/x">',
  '<video><source onerror=ran()>',
  '<audio src=x onerror=ran()>',
  '<details open ontoggle=ran()>',
  '<input autofocus onfocus=ran()>',
  '<select autofocus onfocus=ran()>',
  '<body onload=ran()>',
  '<marquee onstart=ran()>',
  '<a href="javascript:ran()">x</a>',
  '<form action=//evil.test><button>',
  '<base href="//evil.test/">',
  '<link rel=stylesheet href=//e.test>',
  '<meta http-equiv=refresh content=0>',
  '<style>*{display:none}</style>',
  '<template><b>x</b></template>',
  '<!--<img src="--><img src=x>',
  '<![CDATA[<b>x</b>]]>',
  '<noscript><p title="</noscript>">',
  '<textarea><img src=x></textarea>',
  '</li></ol><h1>Hello</h1>',
  '"><script>ran()</script>',
  "' onmouseover='ran()",
  '" style="position:fixed',
  '&lt;b&gt; &#60;b&#62; &amp;',
  '\\u003cscript\\u003eran()',
  'javascript:ran()',
  '{{constructor("ran()")()}}',
  '${ran()}',
  '__proto__',
  'constructor',
  '[x](javascript:ran())',
  '![x](https://evil.test/x.png)',
];

const RLO = '\u202E';
const RLI = '\u2067';

/** Names and titles with invisible characters, and how they are shown. */
const HIDDEN = [
  [`${RLO}nimda`, '⟨U+202E⟩nimda'],
  ['\u202Aembedded', '⟨U+202A⟩embedded'],
  ['\u202Bembedded', '⟨U+202B⟩embedded'],
  ['\u202Doverride', '⟨U+202D⟩override'],
  ['pop\u202C', 'pop⟨U+202C⟩'],
  [`${RLI}isolate`, '⟨U+2067⟩isolate'],
  ['\u2066isolate', '⟨U+2066⟩isolate'],
  ['\u2068isolate', '⟨U+2068⟩isolate'],
  ['\u2069\u2069\u2069out', '⟨U+2069⟩⟨U+2069⟩⟨U+2069⟩out'],
  ['mark\u200E', 'mark⟨U+200E⟩'],
  ['mark\u200F', 'mark⟨U+200F⟩'],
  ['\u061Cmark', '⟨U+061C⟩mark'],
  ['An\u200Bna', 'An⟨U+200B⟩na'],
  ['An\u200Cna', 'An⟨U+200C⟩na'],
  ['An\u200Dna', 'An⟨U+200D⟩na'],
  ['An\u2060na', 'An⟨U+2060⟩na'],
  ['An\uFEFFna', 'An⟨U+FEFF⟩na'],
  ['An\u00ADna', 'An⟨U+00AD⟩na'],
  ['An\u034Fna', 'An⟨U+034F⟩na'],
  ['An\u3164na', 'An⟨U+3164⟩na'],
  ['An\uFFA0na', 'An⟨U+FFA0⟩na'],
  ['An\u2800na', 'An⟨U+2800⟩na'],
  ['An\u{E0041}na', 'An⟨U+E0041⟩na'],
  ['An\uFE0Fna', 'An⟨U+FE0F⟩na'],
  ['An\u206Ana', 'An⟨U+206A⟩na'],
  [`Z${'\u0336\u0321\u0489'.repeat(5)}`, `Z${'\u0336\u0321\u0489\u0336'}⟨+11⟩`],
];

/** Names that run from right to left, or are unusual: they are shown unchanged. */
const PLAIN = [
  'שלום עולם', 'مرحبا (admin)', 'עברית 123 abc', 'abc עברית 10:42', '👩‍👩‍👧‍👦', '🏳️‍🌈 ❤️', 'नमस्ते', 'می‌خواهم',
  'W'.repeat(32),
];

/** The kinds of elements wherever the words of others are shown. */
const elements = (tab) => tab.page.evaluate(() => {
  const all = document.querySelectorAll('#entries *, #rooms *, #member-list *, #room-title *, #me *, #typing *');
  return [...new Set([...all].map(({ localName }) => localName))].sort();
});

/** The elements that the page itself uses for plain text. */
const OWN_ELEMENTS = new Set(['a', 'bdi', 'button', 'div', 'li', 'p', 'path', 'span', 'svg', 'time']);

const isHarmless = async (tab) => {
  assert.deepEqual((await elements(tab)).filter((name) => !OWN_ELEMENTS.has(name)), []);
  assert.ok(await tab.page.evaluate(() => !globalThis.hasRun));
  const attributes = await tab.page.evaluate(() => [...document.querySelectorAll('#entries *, #rooms *, #member-list *')]
    .flatMap((node) => node.getAttributeNames()));
  assert.deepEqual(attributes.filter((name) => /^(on|style|src)/.test(name)), []);
};

/** Called by the markup, if it runs. */
const tellTale = (page) => page.addInitScript(() => { globalThis.ran = () => { globalThis.hasRun = true; }; });

test('markup in names, titles and texts stays text', () => visit([], async ({ server, open }) => {
  const mallory = await Talker.enter(server);
  const anna = await open({ before: tellTale });
  await anna.enter('Room 1');
  for (const words of MARKUP) {
    await mallory.rename(words.slice(0, 32));
    await mallory.create(words.slice(0, 64));
    await mallory.say(words);
  }
  await anna.sent(MARKUP.at(-1)).waitFor();
  await anna.rooms.getByText(MARKUP.at(-1), { exact: true }).waitFor();
  assert.deepEqual(await anna.texts(), MARKUP);
  const names = await anna.log.locator('.said .who bdi').allTextContents();
  assert.deepEqual(names, MARKUP.map((words) => words.slice(0, 32).trim()));
  const titles = await anna.rooms.locator('bdi').allTextContents();
  assert.deepEqual(MARKUP.filter((words) => !titles.includes(words.slice(0, 64))), []);
  await isHarmless(anna);
  const links = ['https://evil.test/pixel.gif', 'https://evil.test/x.png'];
  assert.deepEqual(await anna.log.getByRole('link').allTextContents(), links);

  // In the places that show one name at a time.
  const words = '<img src=x onerror=ran()>';
  await anna.enter(words);
  await anna.rename(words);
  await mallory.rename(`@${words}`.slice(0, 32));
  const roomId = Number(await anna.room(words).locator('xpath=..').getAttribute('data-id'));
  await mallory.go(roomId);
  mallory.send('{"type":"typing"}');
  await anna.typing.getByText(words).waitFor();
  await anna.text.fill('@');
  await anna.page.getByRole('option').getByText(words).waitFor();
  await anna.text.fill('');
  await mallory.go(1);
  await anna.line(/joined and left/).waitFor();
  await isHarmless(anna);
  await anna.page.evaluate((title) => { location.hash = new URLSearchParams({ room: `no ${title}` }); }, words);
  await anna.notice.getByText(`no ${words}`).waitFor();
  assert.equal(await anna.notice.locator('img, script').count(), 0);
  mallory.close();
}, SETTINGS));

/**
 * The rows with a broken layout: the avatar comes first, then the bubble, and below the last one of a group its time,
 * on the side where the bubbles are aligned.
 */
const misplaced = (tab) => tab.page.evaluate(() => {
  const wrong = [];
  const log = document.getElementById('log').getBoundingClientRect();
  for (const row of document.querySelectorAll('#entries .said')) {
    const box = (selector) => row.querySelector(selector)?.getBoundingClientRect();
    const [avatar, name, bubble, time] = ['.avatar', '.who bdi', '.bubble', '.bubble time'].map(box);
    const near = (a, b) => Math.abs(a - b) < 16;
    const begin = row.querySelector('.content').firstElementChild.getBoundingClientRect().top;
    const isTimeSeen = getComputedStyle(row.querySelector('time')).opacity === '1';
    const isBelow = row.classList.contains('ends') ? isTimeSeen && time.top >= bubble.bottom - 1 : !isTimeSeen;
    const side = row.classList.contains('own') ? near(time.right, bubble.right) : near(time.left, bubble.left);
    const isRight = isBelow && side && near(begin, bubble.top) && (!avatar || avatar.right <= bubble.left)
      && bubble.left >= log.left && bubble.right <= log.right
      && (row.matches('.together, .own') || (name.left >= bubble.left - 4 && name.right <= log.right));
    if (!isRight) wrong.push([row.textContent, JSON.stringify({ avatar, name, bubble, time })]);
  }
  for (const line of document.querySelectorAll('#entries .line')) {
    const time = line.querySelector('time');
    if (!time) continue;
    // The last word of the line, in whatever direction the names run.
    const last = [...[...line.querySelectorAll('.clause')].at(-1).getClientRects()].at(-1);
    const box = time.getBoundingClientRect();
    if (box.top <= last.top + 2 && box.left < last.right - 1) wrong.push([line.textContent, 'the time is not last']);
  }
  return wrong;
});

test('invisible characters in names and titles are shown, and reverse nothing', () => visit([], async ({ server, open }) => {
  const mallory = await Talker.enter(server);
  const anna = await open({ name: 'Anna' });
  await anna.enter('Room 1');
  const ids = [];
  for (const [words] of HIDDEN) {
    await mallory.rename(words);
    ids.push(await mallory.create(words));
    await mallory.say(`said ${words}`);
  }
  await anna.log.getByRole('listitem').and(anna.page.locator('.said')).nth(HIDDEN.length - 1).waitFor();
  const shown = HIDDEN.map(([, words]) => words);
  assert.deepEqual(await anna.log.locator('.said .who bdi').allTextContents(), shown);
  await anna.rooms.getByText(shown.at(-1), { exact: true }).waitFor();
  const titles = await anna.rooms.locator('bdi').allTextContents();
  assert.deepEqual(shown.filter((words) => !titles.includes(words)), []);
  assert.deepEqual(await anna.members.locator('bdi').allTextContents(), ['Anna', shown.at(-1)], 'oneself first');
  assert.deepEqual(await misplaced(anna), []);
  // A title that reverses its neighbours does not reverse the count after it.
  for (const id of ids) {
    await mallory.go(id);
    const link = anna.rooms.locator(`[data-id="${id}"] a`);
    await link.locator('.count').getByText('1', { exact: true }).waitFor();
    assert.ok(await link.evaluate((node) => {
      const [title, count] = ['.title', '.count'].map((part) => node.querySelector(part).getBoundingClientRect());
      return title.right <= count.left;
    }), await link.textContent());
  }
  await anna.enter(shown[0]);
  await anna.me.click();
  await anna.page.locator('#name').fill(`${RLO}annA`);
  await anna.page.keyboard.press('Enter');
  await anna.me.getByText('⟨U+202E⟩annA', { exact: true }).waitFor();
  mallory.close();
}, SETTINGS));

const SCREENS = { 'a desktop': { viewport: { width: 1280, height: 800 } }, 'a phone': PHONE };

for (const [screen, options] of Object.entries(SCREENS)) {
  test(`right-to-left names and endless words keep the layout on ${screen}`, () => visit([], async ({ server, open }) => {
    const mallory = await Talker.enter(server);
    const anna = await open({ name: 'אנה', ...options });
    await anna.enter('Room 1');
    for (const name of PLAIN) {
      await mallory.rename(name);
      await mallory.say(`I am ${name}`, `${name} אני`, `${RLO}turned ${RLI}and not closed`);
    }
    await mallory.say(
      'unbroken'.repeat(60),
      `https://example.org/${'path'.repeat(60)}`,
      `\`\`\`\n${'code '.repeat(60)}${'x'.repeat(300)}\n\`\`\``,
      `> ${'quoted'.repeat(60)}`,
      `**${'bold'.repeat(60)}**`,
      'a\nb\n\n\nc',
      '\u05D0'.repeat(200),
      `Z${'\u0300'.repeat(200)}algo`,
    );
    await anna.say('ועכשיו אני');
    await anna.log.locator('.own[data-seq]').waitFor();
    assert.deepEqual(await misplaced(anna), []);
    const names = await anna.log.locator('.said:not(.together, .own) .who bdi').allTextContents();
    assert.deepEqual(names, PLAIN);
    await anna.line('is now ').first().waitFor();
    assert.ok(await anna.page.evaluate(() => document.scrollingElement.scrollWidth <= innerWidth));
    assert.ok(await anna.log.evaluate((log) => log.scrollWidth <= log.clientWidth));
    mallory.close();
  }, SETTINGS));
}

// ---- painting

const PILE = `Z${'\u0300'.repeat(40)}${'\u0316'.repeat(40)}${'\u0489\u20DD'.repeat(20)}g${'\u0301'.repeat(80)}`;
/** A name or a title is shown with four marks at most, and may be short. */
const PILED_NAME = `Z${'\u0301\u0316'.repeat(6)}i`;

/** How many pixels differ between two pictures inside of these rectangles, and which outside. Runs in an empty page. */
async function differences({ before, after, boxes }) {
  const pixels = async (picture) => {
    const bytes = Uint8Array.from(atob(picture), (character) => character.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
    const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
    context.drawImage(bitmap, 0, 0);
    return context.getImageData(0, 0, bitmap.width, bitmap.height);
  };
  const [a, b] = [await pixels(before), await pixels(after)];
  let inside = 0;
  const outside = [];
  for (let i = 0; i < a.data.length; i += 4) {
    // The corners of a box are drawn a trace differently.
    if ([0, 1, 2].every((part) => Math.abs(a.data[i + part] - b.data[i + part]) < 32)) continue;
    const [x, y] = [(i / 4) % a.width, Math.floor(i / 4 / a.width)];
    if (boxes.some(({ left, right, top, bottom }) => x >= left - 2 && x <= right + 2 && y >= top - 2 && y <= bottom + 2)) inside += 1;
    else outside.push([x, y]);
  }
  return { inside, outside };
}

for (const [screen, options] of Object.entries({ 'a desktop': SCREENS['a desktop'], 'a phone': { viewport: PHONE.viewport, hasTouch: true } })) {
  test(`piles of marks are painted over nobody on ${screen}`, () => visit([], async ({ server, browser, open }) => {
    const mallory = await Talker.enter(server, { name: PILED_NAME });
    for (const title of [PILED_NAME, `${PILED_NAME}2`, `${'\u0301'.repeat(9)}x`]) await mallory.create(title);
    await mallory.go(1);
    await mallory.rename(`${PILED_NAME}2`);
    const carla = await Talker.enter(server, { name: 'Carla' });
    for (const text of [PILE, `> ${PILE}`, `\`\`\`\n${PILE}\n\`\`\``, `- ${PILE}\n- b`, `[${PILE}](https://a.example)`, `**${PILE}** \`${PILE}\``]) {
      await mallory.say(text);
      await carla.say('a neighbour');
    }
    const anna = await open({ name: 'Anna', reducedMotion: 'reduce', ...options });
    const { page } = anna;
    await anna.enter('Room 1');
    await anna.log.getByText('a neighbour').nth(5).waitFor();
    const blank = await (await browser.newContext()).newPage();
    const compare = async (selector) => {
      const shown = page.locator(selector).filter({ visible: true });
      await shown.first().waitFor();
      const boxes = await shown.evaluateAll((all) => all.map((node) => {
        const { left, right, top, bottom } = node.getBoundingClientRect();
        return { left, right, top, bottom };
      }));
      const picture = async () => (await page.screenshot({ scale: 'css', animations: 'disabled' })).toString('base64');
      const before = await picture();
      await shown.evaluateAll((all) => all.forEach((node) => { node.style.visibility = 'hidden'; }));
      const after = await picture();
      await page.evaluate(() => { for (const node of document.querySelectorAll('[style]')) node.style.visibility = ''; });
      return blank.evaluate(differences, { before, after, boxes });
    };
    const check = async (selector) => {
      let { inside, outside } = await compare(selector);
      // Something else may have changed in between; what is painted over stays so.
      for (let more = 2; more > 0 && outside.length > 0; more -= 1) ({ inside, outside } = await compare(selector));
      assert.ok(inside > 0, `${selector} is seen`);
      assert.deepEqual(outside.slice(0, 9), [], `${selector} paints over others`);
    };
    await check('.said .content');
    await check('.said .who');
    await mallory.rename(`${PILED_NAME}3`);
    await anna.line('is now').waitFor();
    await check('.line');
    mallory.send('{"type":"typing"}');
    await anna.typing.getByText('Z').waitFor();
    await check('#typing');
    await anna.text.fill('@Z');
    await check('#completion li');
    await anna.text.fill('');
    await page.evaluate((words) => {
      const toast = document.getElementById('toast');
      toast.textContent = words;
      toast.style.boxShadow = 'none'; // it is around the toast, and no text
    }, `Link ${PILE}`);
    await check('#toast');
    if (options.hasTouch) await page.locator('#members-toggle').click();
    await check('#member-list .name');
    await check('#member-list .avatar');
    if (options.hasTouch) {
      await page.getByRole('button', { name: 'Back to messages' }).click();
      await page.getByRole('button', { name: 'Back to rooms' }).click();
    }
    await check('#rooms .title');
    await page.locator('#rooms a').filter({ hasText: 'Z' }).first().click();
    await check('#room-title');
    await page.evaluate((title) => { location.hash = new URLSearchParams({ room: `no ${title}` }); }, PILED_NAME);
    await check('#notice > span, #notice button');
    mallory.close();
    carla.close();
  }, SETTINGS));
}
