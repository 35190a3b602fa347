// Messages: author and time, links and markup, emoji, mentions and GIFs.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stage } from './browser.mjs';
import { PATIENT, Talker } from './talker.mjs';

const visitServer = stage();

/** Everybody is in Room 1. */
const visit = (visitors, story) => visitServer(visitors, async (...cast) => {
  for (const tab of cast.slice(0, -1)) await tab.enter('Room 1');
  await story(...cast);
}, { settings: PATIENT });

const ANNA = { name: 'Anna' };
const BEN = { name: 'Ben' };

const suggestions = (tab) => tab.page.getByRole('listbox', { name: 'Suggestions' });
const focusedId = (tab) => tab.page.evaluate(() => document.activeElement.id);

/** The bubble of the message with these words. */
const bubble = (tab, words) => tab.line(words).locator('.bubble');

/** The rows of the log from first to last: `[what, words]`. */
const rows = (tab) => tab.log.locator('#entries > li').evaluateAll((items) => items.map((item) => {
  if (!item.classList.contains('said')) return [item.classList[0], item.textContent];
  const name = item.querySelector('.who');
  const isSeen = getComputedStyle(name).clipPath === 'none';
  return [isSeen ? name.textContent : '', item.querySelector('.content').textContent];
}));

test('both see each other’s messages, with name and time', () => visit([ANNA, BEN], async (anna, ben) => {
  await anna.say('Hello!');
  await bubble(ben, 'Hello!').waitFor();
  await ben.say('Hi there');
  await bubble(anna, 'Hi there').waitFor();
  const hello = ben.line('Hello!');
  assert.equal(await hello.locator('.who').textContent(), 'Anna');
  assert.equal(await anna.line('Hello!').locator('.who').textContent(), 'Anna (you)');
  const time = hello.getByRole('time');
  assert.ok(Math.abs(Date.now() - Date.parse(await time.getAttribute('datetime'))) < 60_000);
  assert.match(await time.textContent(), /^\d\d:\d\d$/);
  assert.match(await time.getAttribute('title'), new RegExp(`\\b${new Date().getFullYear()}\\b`));
  assert.equal(await anna.text.inputValue(), '');
}));

/** A visitor whose clock shows `now`. `times` gives the time of messages by their number; all others are said now. */
const visitorAt = (now, times) => ({
  name: 'Anna',
  timezoneId: 'Europe/Madrid',
  async before(page) {
    await page.clock.setFixedTime(now);
    const move = (event) => ({ ...event, time: Date.parse(times[event.seq] ?? now) });
    await page.routeWebSocket(/.*/, (socket) => {
      socket.connectToServer().onMessage((data) => {
        const frame = JSON.parse(data);
        if (frame.events) frame.events = frame.events.map(move);
        socket.send(JSON.stringify(frame.time === undefined ? frame : move(frame)));
      });
    });
  },
});

test('messages are grouped, under their day', () => visitServer([], async ({ server, open }) => {
  const carla = await Talker.enter(server, { name: 'Carla' });
  await carla.say('last year', 'at midnight', 'after midnight', 'at noon', 'soon after', 'later');
  const dora = await Talker.enter(server, { name: 'Dora' });
  await dora.say('me too');
  const anna = await open(visitorAt('2031-06-15T15:00:00+02:00', {
    1: '2030-12-31T20:15:00+01:00',
    2: '2031-06-12T23:59:00+02:00',
    3: '2031-06-13T00:01:00+02:00',
    4: '2031-06-14T12:00:00+02:00',
    5: '2031-06-14T12:04:00+02:00',
    6: '2031-06-14T12:30:00+02:00',
    7: '2031-06-14T12:31:00+02:00',
  }));
  await anna.enter('Room 1');
  await bubble(anna, 'me too').waitFor();
  await dora.say('and now');
  await bubble(anna, 'and now').waitFor();
  assert.deepEqual(await rows(anna), [
    ['line', 'This is the beginning of Room 1.'],
    ['day', 'Tuesday, 31 December 2030'],
    ['Carla', 'last year'],
    ['day', 'Thursday 12 June'],
    ['Carla', 'at midnight'],
    ['day', 'Friday 13 June'],
    ['Carla', 'after midnight'],
    ['day', 'Yesterday'],
    ['Carla', 'at noon'],
    ['', 'soon after'],
    ['Carla', 'later'],
    ['Dora', 'me too'],
    ['day', 'Today'],
    ['Dora', 'and now'],
  ]);
  const noon = bubble(anna, 'at noon').getByRole('time');
  assert.equal(await noon.textContent(), '12:00');
  assert.match(await noon.getAttribute('title'), /Saturday,? 14 June 2031 at 12:00:00/);
  // A screen reader hears the name with each message.
  assert.match(await anna.line('soon after').ariaSnapshot(), /Carla/);

  await anna.page.clock.setFixedTime('2031-06-16T00:00:05+02:00');
  await dora.say('a new day');
  await bubble(anna, 'a new day').waitFor();
  assert.deepEqual((await rows(anna)).filter(([what]) => what === 'day').slice(-2), [
    ['day', 'Saturday 14 June'],
    ['day', 'Yesterday'],
  ]);
}, { settings: PATIENT }));

test('addresses become links, and nothing else does', () => visit([ANNA], async (anna) => {
  const links = () => anna.log.getByRole('link');
  const rels = 'nofollow noopener noreferrer ugc';
  await anna.say('see https://example.org/a_(b)?q=1#c, or (http://example.org/*x*)!');
  await links().nth(1).waitFor();
  assert.deepEqual(await links().evaluateAll((all) => all.map(({ href, textContent, target, rel }) => (
    [href, textContent, target, rel.split(' ').sort().join(' ')]
  ))), [
    ['https://example.org/a_(b)?q=1#c', 'https://example.org/a_(b)?q=1#c', '_blank', rels],
    ['http://example.org/*x', 'http://example.org/*x', '_blank', rels],
  ]);
  const others = [
    'javascript:alert(1)', 'JaVaScRiPt://x/%0Aalert(1)', 'data:text/html,x', 'ftp://example.org', 'vbscript:x',
    'file:///etc/passwd', '//example.org/x', 'www.example.org', 'https://', 'https://user:secret@example.org/',
  ];
  for (const text of others) await anna.say(text);
  await anna.say('the end');
  await bubble(anna, 'the end').waitFor();
  // The last one is sent after all the others.
  await anna.message('the end').getByText('Sending…').waitFor({ state: 'detached' });
  assert.deepEqual((await links().allTextContents()).slice(2), []);
}));

test('marks make bold, italic, code, quotes and code blocks', () => visit([ANNA], async (anna) => {
  await anna.say('**bold** *italic* _also_ ***both*** `co**d**e` 2 * 3 * 4 snake_case_name **open');
  const line = bubble(anna, 'snake_case_name');
  await line.waitFor();
  assert.deepEqual(await line.locator('strong').allTextContents(), ['bold', 'both']);
  assert.deepEqual(await line.locator('em').allTextContents(), ['italic', 'also', 'both']);
  assert.deepEqual(await line.locator('code').allTextContents(), ['co**d**e']);
  const words = 'bold italic also both co**d**e 2 * 3 * 4 snake_case_name **open';
  assert.equal(await line.locator('.content').textContent(), words);

  await anna.say('> a *quote*\n> of two lines\nmy answer\n```js\nif (a < b) {\n  **no**\n}\n```\nand after');
  const talk = bubble(anna, 'my answer');
  // The row is redrawn when the server has the message, and the old one is gone.
  await anna.page.locator('.said[data-seq]').nth(1).waitFor();
  assert.equal(await talk.locator('blockquote').innerText(), 'a quote\nof two lines');
  assert.equal(await talk.locator('blockquote em').innerText(), 'quote');
  assert.equal(await talk.locator('pre').innerText(), 'if (a < b) {\n  **no**\n}');
  assert.deepEqual(await talk.locator('.content > p').allInnerTexts(), ['my answer', 'and after']);
  const fonts = await talk.locator('pre code').evaluate((node) => getComputedStyle(node).fontFamily);
  assert.match(fonts, /monospace/);
}));

test('emoji are typed by name, with suggestions', () => visit([ANNA], async (anna) => {
  const { keyboard } = anna.page;
  await anna.say('done :tada: `:tada:` 10:30:15 :no_such:');
  const line = bubble(anna, 'no_such');
  await line.getByRole('img', { name: 'tada' }).waitFor();
  assert.equal(await line.locator('.content').innerText(), 'done 🎉 :tada: 10:30:15 :no_such:');

  await anna.text.pressSequentially('hi :wav');
  const options = suggestions(anna).getByRole('option');
  await options.first().waitFor();
  assert.equal(await options.first().getAttribute('aria-selected'), 'true');
  await keyboard.press('Enter');
  assert.equal(await anna.text.inputValue(), 'hi 👋 ');
  await suggestions(anna).waitFor({ state: 'hidden' });

  await keyboard.type(':hear');
  await options.nth(1).waitFor();
  const [, second] = await options.allTextContents();
  assert.match(second, /^\p{RGI_Emoji}heart/v, 'the glyph comes before the name');
  await keyboard.press('ArrowDown');
  const active = await anna.text.getAttribute('aria-activedescendant');
  assert.equal(await anna.page.locator(`#${active}`).textContent(), second);
  await keyboard.press('Tab');
  const [emoji] = second.match(/^\p{RGI_Emoji}/v);
  assert.equal(await anna.text.inputValue(), `hi 👋 ${emoji} `);

  await keyboard.type(':cof');
  await options.first().waitFor();
  await keyboard.press('Escape');
  await suggestions(anna).waitFor({ state: 'hidden' });
  assert.equal(await anna.text.inputValue(), `hi 👋 ${emoji} :cof`);
  await keyboard.type('f');
  await options.filter({ hasText: 'coffee' }).click();
  assert.equal(await anna.text.inputValue(), `hi 👋 ${emoji} ☕ `);
  assert.equal(await focusedId(anna), 'text');
  await keyboard.press('Enter');
  await anna.log.getByText('☕').waitFor();

  await anna.say(':wave: 🎉');
  await anna.log.locator('.emoji-only').waitFor();
}));

test('a mention is completed, and highlighted for that member', () => visit([ANNA, BEN], async (anna, ben, { server }) => {
  const { keyboard } = anna.page;
  const carla = await Talker.enter(server, { name: 'Benedikta van Loo' });
  await anna.member('Benedikta van Loo').waitFor();
  await anna.text.pressSequentially('ask @be');
  const options = suggestions(anna).getByRole('option');
  await options.nth(1).waitFor();
  assert.deepEqual(await options.allTextContents(), ['Ben', 'Benedikta van Loo']);
  await keyboard.press('Enter');
  assert.equal(await anna.text.inputValue(), 'ask @Ben ');
  await keyboard.type('or @LOO');
  await options.first().waitFor();
  await keyboard.press('Tab');
  assert.equal(await anna.text.inputValue(), 'ask @Ben or @Benedikta van Loo ');
  await keyboard.press('Enter');

  const meant = ben.line('ask @Ben');
  await meant.waitFor();
  assert.deepEqual(await meant.locator('.mention').allTextContents(), ['@Ben', '@Benedikta van Loo']);
  assert.deepEqual(await meant.locator('.mention.me').allTextContents(), ['@Ben']);
  assert.match(await meant.locator('.who').textContent(), /mentions you/);
  const ground = (tab, words) => bubble(tab, words).evaluate((node) => getComputedStyle(node).backgroundColor);
  await carla.say('@Benedikta van Loo, @nobody and me@Ben are not meant');
  await bubble(ben, 'not meant').waitFor();
  assert.notEqual(await ground(ben, 'ask @Ben'), await ground(ben, 'not meant'));
  assert.deepEqual(await bubble(ben, 'not meant').locator('.mention').allTextContents(), ['@Benedikta van Loo']);

  await anna.members.getByRole('button', { name: /^Ben$/ }).click();
  await anna.page.getByRole('menuitem', { name: 'Mention', exact: true }).click();
  assert.equal(await anna.text.inputValue(), '@Ben ');
  assert.equal(await focusedId(anna), 'text');
  carla.close();
}));

test('Shift+Enter starts a line, and Arrow Up recalls the last message', () => visit([ANNA], async (anna) => {
  const { keyboard } = anna.page;
  await anna.text.focus();
  await keyboard.type('one');
  await keyboard.press('Shift+Enter');
  await keyboard.type('two');
  const { height } = await anna.text.boundingBox();
  await keyboard.press('Enter');
  await bubble(anna, 'one').waitFor();
  assert.equal(await bubble(anna, 'one').locator('.content').innerText(), 'one\ntwo');
  assert.ok((await anna.text.boundingBox()).height < height, 'the box has grown and is small again');
  await anna.say('three');
  for (const [key, value] of [
    ['ArrowUp', 'three'], ['ArrowUp', 'one\ntwo'], ['ArrowUp', 'one\ntwo'],
    ['End', 'one\ntwo'], ['ArrowDown', 'one\ntwo'], ['End', 'one\ntwo'], ['ArrowDown', 'three'],
  ]) {
    await keyboard.press(key);
    assert.equal(await anna.text.inputValue(), value, key);
  }
  await keyboard.press('End');
  await keyboard.type('!');
  await keyboard.press('Enter');
  await bubble(anna, 'three!').waitFor();
  // A draft is not replaced.
  await keyboard.type('four');
  await keyboard.press('Home');
  await keyboard.press('ArrowUp');
  assert.equal(await anna.text.inputValue(), 'four');
}));

test('a GIF is chosen by mouse or keyboard, and has an alternative text', () => visit([ANNA], async (anna, { server }) => {
  const { keyboard } = anna.page;
  const toggle = anna.page.getByRole('button', { name: 'Emoji and GIFs' });
  await anna.openGifs();
  const thumbnails = anna.shelf.getByRole('button');
  assert.ok(await thumbnails.count() > 3);
  for (const thumbnail of await thumbnails.getByRole('img').all()) {
    assert.notEqual(await thumbnail.getAttribute('alt'), '');
    await thumbnail.evaluate((image) => image.decode());
  }
  await anna.shelf.getByRole('button', { name: 'A beating heart' }).click();
  await anna.shelf.waitFor({ state: 'hidden' });
  const image = anna.log.getByRole('img', { name: 'A beating heart' });
  await image.evaluate((node) => node.decode());
  assert.ok(await image.evaluate((node) => node.naturalWidth > 0));
  assert.equal(await focusedId(anna), 'text');

  await keyboard.press('Alt+g');
  await anna.shelf.waitFor();
  const names = await thumbnails.getByRole('img').evaluateAll((all) => all.map(({ alt }) => alt));
  const focused = () => anna.page.evaluate(() => document.activeElement.querySelector('img')?.alt);
  assert.equal(await focused(), names[0]);
  const last = names.length - 1;
  for (const [key, index] of [
    ['ArrowRight', 1], ['End', last], ['ArrowLeft', last - 1], ['Home', 0], ['ArrowLeft', 0],
  ]) {
    await keyboard.press(key);
    assert.equal(await focused(), names[index], key);
  }
  await keyboard.press('Escape');
  await anna.shelf.waitFor({ state: 'hidden' });
  assert.equal(await toggle.getAttribute('aria-expanded'), 'false');
  assert.equal(await focusedId(anna), 'text');
  await keyboard.press('Alt+g');
  await anna.shelf.waitFor();
  await keyboard.press('ArrowRight');
  await keyboard.press('Enter');
  await anna.log.getByRole('img', { name: names[1] }).waitFor();

  const carla = await Talker.enter(server);
  await carla.gif(4711);
  await bubble(anna, 'GIF 4711').waitFor();
  carla.close();
}));

const STILL = { ...ANNA, reducedMotion: 'reduce' };

test('with reduced motion a GIF stands still until Play', () => visit([STILL], async (anna) => {
  await anna.gif('Thumbs up');
  const line = anna.log.getByRole('listitem').filter({ has: anna.page.getByRole('img', { name: 'Thumbs up' }) });
  const still = line.locator('canvas');
  await still.waitFor();
  assert.equal(await anna.page.locator('#entries img, #picker img').count(), 0);
  // The canvas is not blank.
  await anna.page.waitForFunction(() => document.querySelector('#entries canvas').getContext('2d')
    .getImageData(0, 0, 180, 180).data.some((value) => value > 0));
  await line.getByRole('button', { name: 'Play: Thumbs up' }).click();
  await line.locator('img').evaluate((image) => image.decode());
  assert.equal(await still.count(), 0);
  await line.getByRole('button', { name: 'Stop: Thumbs up' }).click();
  await still.waitFor();
  assert.equal(await line.locator('img').count(), 0);
  await anna.page.emulateMedia({ reducedMotion: 'no-preference' });
  await line.locator('img').waitFor();
}));
