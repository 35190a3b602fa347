// Writing: what Enter does on which device, formatting by shortcut, the picker, what cannot be sent; and names that look
// alike.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PHONE, stage } from './browser.mjs';
import { PATIENT, Talker } from './talker.mjs';

const visitServer = stage();

const visit = (options, story) => visitServer([{ name: 'Anna', ...options }], async (anna, rest) => {
  await anna.enter('Room 1');
  await story(anna, rest);
}, { settings: PATIENT });

const focusedId = (tab) => tab.page.evaluate(() => document.activeElement.id);
const send = (tab) => tab.page.getByRole('button', { name: 'Send', exact: true });

/** What this device is taken for; headless Chromium always has a mouse. */
const withPointers = (fine) => (page) => page.addInitScript((isFine) => {
  const { matchMedia } = globalThis;
  globalThis.pointers = Object.assign(new EventTarget(), { matches: isFine });
  globalThis.matchMedia = (query) => (query.includes('pointer: fine') ? globalThis.pointers : matchMedia(query));
}, fine);

test('where there is only a finger, Enter begins a line, and the button or Ctrl+Enter sends', () => (
  visit({ ...PHONE, before: withPointers(false) }, async (anna) => {
    const { keyboard } = anna.page;
    await anna.text.tap();
    assert.equal(await anna.text.getAttribute('enterkeyhint'), 'enter');
    await keyboard.type('one');
    await keyboard.press('Enter');
    await keyboard.type('two');
    assert.equal(await anna.text.inputValue(), 'one\ntwo');
    await send(anna).tap();
    await anna.log.getByText('one\ntwo').waitFor();
    await keyboard.type('three');
    await keyboard.press('Control+Enter');
    await anna.sent('three').waitFor();
    assert.equal(await anna.text.inputValue(), '');
    // The tablet is put into its keyboard.
    await anna.page.evaluate(() => {
      globalThis.pointers.matches = true;
      globalThis.pointers.dispatchEvent(new Event('change'));
    });
    assert.equal(await anna.text.getAttribute('enterkeyhint'), 'send');
    await keyboard.type('four');
    await keyboard.press('Enter');
    await anna.sent('four').waitFor();
  })));

test('shortcuts format, a second time they take it back, and Undo works', () => visit({}, async (anna) => {
  const { keyboard } = anna.page;
  const becomes = (text) => anna.page.waitForFunction((wanted) => document.getElementById('text').value === wanted, text);
  await anna.text.focus();
  await keyboard.type('make it bold');
  await keyboard.press('Control+b');
  await becomes('make it **bold**');
  await keyboard.press('Control+b');
  await becomes('make it bold');
  for (const [keys, wanted] of [['Control+i', '*bold*'], ['Control+e', '`bold`'], ['Control+Shift+x', '~~bold~~']]) {
    await anna.text.fill('bold');
    await anna.text.selectText();
    await keyboard.press(keys);
    await becomes(wanted);
  }
  await keyboard.press('Control+z');
  await becomes('bold');
  // A suggestion that was accepted can be undone too, and so can an emoji of the picker.
  await anna.text.fill('');
  await keyboard.type(':wav');
  await anna.page.locator('#completion').getByRole('option').first().waitFor();
  await keyboard.press('Tab');
  assert.equal(await anna.text.inputValue(), '👋 ');
  await keyboard.press('Control+z');
  assert.equal(await anna.text.inputValue(), ':wav');
}));

test('Send is pale and says why while there is nothing to send', () => visit({}, async (anna) => {
  const state = async () => [await send(anna).getAttribute('aria-disabled'), await send(anna).getAttribute('title')];
  const ground = () => send(anna).evaluate((node) => getComputedStyle(node).backgroundColor);
  const pale = await ground();
  assert.deepEqual(await state(), ['true', 'Write a message first']);
  await send(anna).focus();
  await anna.page.keyboard.press('Enter');
  assert.equal(await focusedId(anna), 'text');
  await anna.text.fill('  ');
  assert.deepEqual(await state(), ['true', 'Write a message first']);
  await anna.text.fill('x');
  assert.deepEqual(await state(), [null, 'Send']);
  assert.notEqual(await ground(), pale);
  await send(anna).focus();
  await anna.text.fill('x'.repeat(4_001));
  assert.deepEqual(await state(), ['true', '1 character too long']);
  await send(anna).focus();
  assert.equal(await focusedId(anna), 'send', 'it can have the focus all the same');
}));

/** Pastes or drops, as a browser does; returns whether the page has prevented it. */
const transfer = (tab, type, { text, picture }) => tab.text.evaluate((box, what) => {
  const data = new DataTransfer();
  if (what.text) data.setData('text/plain', what.text);
  if (what.picture) data.items.add(new File(['x'], 'cat.png', { type: 'image/png' }));
  const event = what.type === 'paste'
    ? new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true })
    : new DragEvent(what.type, { dataTransfer: data, bubbles: true, cancelable: true });
  (what.type === 'paste' ? box : document.body).dispatchEvent(event);
  return event.defaultPrevented;
}, { type, text, picture });

test('a picture that is pasted or dropped is refused in words, and text beside it stays', () => visit({}, async (anna) => {
  assert.equal(await transfer(anna, 'paste', { picture: true }), true);
  await anna.showed('toast', /^You can’t send pictures or files here\.$/);
  assert.equal(await transfer(anna, 'paste', { picture: true, text: 'words' }), false, 'the browser pastes the text');
  await anna.showed('toast', /^Only the text was added/);
  assert.equal(await transfer(anna, 'paste', { text: 'words' }), false);
  // Otherwise the browser would open the file in place of the chat.
  assert.equal(await transfer(anna, 'dragover', { picture: true }), true);
  assert.equal(await transfer(anna, 'drop', { picture: true }), true);
  await anna.showed('toast', /^You can’t send pictures/);
  assert.equal(await transfer(anna, 'drop', { text: 'words' }), false);
}));

test('emoji are found by a word, chosen by keyboard, and remembered', () => visit({}, async (anna) => {
  const { page } = anna;
  const { keyboard } = page;
  await anna.text.fill('before after');
  await anna.text.evaluate((box) => box.setSelectionRange(7, 7));
  await page.getByRole('button', { name: 'Emoji and GIFs' }).press('Enter');
  const search = page.getByRole('searchbox', { name: 'Search emoji' });
  await page.waitForFunction(() => document.activeElement.type === 'search');
  const tabs = await page.getByRole('tab').evaluateAll((all) => all.map((tab) => [tab.textContent, tab.getAttribute('aria-selected')]));
  assert.deepEqual(tabs, [['Emoji', 'true'], ['GIFs', 'false']]);
  await keyboard.type('birth');
  const results = page.getByRole('group', { name: 'Search results' }).getByRole('button');
  await results.first().waitFor();
  assert.ok((await results.allTextContents()).includes('🎂'));
  await keyboard.press('ArrowDown');
  await keyboard.press('ArrowRight');
  const second = await page.evaluate(() => document.activeElement.textContent);
  await keyboard.press('Enter');
  await page.locator('#picker').waitFor({ state: 'hidden' });
  assert.equal(await anna.text.inputValue(), `before ${second}after`);
  assert.equal(await focusedId(anna), 'text');
  await keyboard.type('!');
  assert.equal(await anna.text.inputValue(), `before ${second}!after`, 'the caret is behind it');

  await page.getByRole('button', { name: 'Emoji and GIFs' }).click();
  await search.waitFor();
  const recent = page.getByRole('group', { name: 'Recently used' }).getByRole('button');
  assert.deepEqual(await recent.allTextContents(), [second]);
  // With a pointer, several can be chosen.
  await page.getByRole('button', { name: 'tada', exact: true }).click();
  await page.getByRole('button', { name: 'rocket', exact: true }).click();
  assert.equal(await anna.text.inputValue(), `before ${second}!🎉🚀after`);
  await search.fill('nothinglikethis');
  await page.getByRole('status').getByText('No emoji found').waitFor();
  await search.fill('');
  await search.press('ArrowDown');
  await keyboard.press('ArrowDown');
  await keyboard.press('ArrowDown');
  assert.ok(await page.evaluate(() => document.activeElement.closest('.group') !== null));
  for (let i = 0; i < 3; i += 1) await keyboard.press('ArrowUp');
  assert.equal(await page.evaluate(() => document.activeElement.type), 'search');
  await keyboard.press('Escape');
  assert.equal(await focusedId(anna), 'text');

  // They are offered on a colon, which takes nothing by itself.
  await anna.text.fill('');
  await keyboard.type(':');
  const offered = page.locator('#completion').getByRole('option');
  await offered.first().waitFor();
  assert.match((await offered.allTextContents())[0], /^🚀/);
  await keyboard.press('Enter');
  await anna.sent(':').waitFor();
  await keyboard.type('so :');
  await offered.first().waitFor();
  await keyboard.press('ArrowDown');
  await keyboard.press('Enter');
  assert.equal(await anna.text.inputValue(), 'so 🚀 ');
}));

test('emoji have names and words in the language of the page', () => visitServer([{ name: 'Anna', locale: 'de-DE' }], async (anna) => {
  await anna.page.locator('#rooms a').first().click();
  await anna.page.locator('#room:not(.away)').waitFor();
  await anna.page.locator('#text').pressSequentially(':herz');
  const option = anna.page.locator('#completion').getByRole('option').filter({ hasText: '❤️' });
  await option.waitFor();
  assert.equal(await option.innerText().then((words) => words.replace(/\s+/g, ' ')), '❤️ Herz');
  await anna.page.getByRole('button', { name: 'Emojis und GIFs' }).click();
  await anna.page.getByRole('searchbox').fill('schlussel');
  await anna.page.getByRole('button', { name: 'Schlüssel', exact: true }).waitFor();
}, { settings: PATIENT }));

test('names that look alike have their numbers, wherever they are shown', () => visit({}, async (anna, { server }) => {
  const first = await Talker.enter(server, { name: 'Tariq' });
  await first.say('I am Tariq');
  await anna.message('I am Tariq').waitFor();
  const names = () => anna.page.locator('.said:not(.own) .who').evaluateAll((all) => all.map(({ textContent }) => textContent));
  assert.deepEqual(await names(), ['Tariq']);
  const second = await Talker.enter(server, { name: 'Tаriq' });
  await second.say('No, I am');
  await anna.message('No, I am').waitFor();
  assert.deepEqual(await names(), [`Tariq #${first.id}`, `Tаriq #${second.id}`]);
  assert.deepEqual((await anna.members.getByRole('listitem').allTextContents()).map((words) => words.slice(1)).sort(), [
    'Anna (you)', `Tariq #${first.id}`, `Tаriq #${second.id}`].sort());
  // Somebody takes the user's own name.
  await second.rename(' Anna\u200B');
  await second.say('it is me');
  await anna.message('it is me').waitFor();
  assert.match((await names()).at(-1), new RegExp(`^Anna.* #${second.id} · not you$`));
  // The name of somebody who is gone still counts. Who that was the page cannot know: it may have been the user.
  await second.go(2);
  await anna.line('left').waitFor();
  assert.match((await names()).at(-1), new RegExp(`^Anna.* #${second.id}$`));
  first.close();
  second.close();
}));
