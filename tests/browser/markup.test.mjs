// What was said as it is shown: lists, links with words of their own, spoilers, code that scrolls and can be copied,
// long messages, and times.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IN_PLACE, PHONE, stage } from './browser.mjs';
import { PATIENT, Talker } from './talker.mjs';

const visitServer = stage();

/** Everybody is in Room 1, where Carla has said these texts. */
const visit = (options, texts, story) => visitServer([], async ({ server, open }) => {
  const carla = await Talker.enter(server, { name: 'Carla' });
  await carla.say(...texts);
  const anna = await open({ name: 'Anna', ...options });
  await anna.enter('Room 1');
  await anna.page.locator('.said[data-seq]').nth(texts.length - 1).waitFor({ state: 'attached' });
  await story(anna, carla);
  carla.close();
}, { settings: PATIENT });

const content = (tab, index) => tab.page.locator('.said[data-seq] .content').nth(index);

test('lists, struck text, and links that say where they lead', () => visit({}, [
  '- one\n- two\n  - inner\n3. three\n~~gone~~',
  'See [the docs](https://docs.example/a), [https://bank.example](https://evil.example/x) and [mail](mailto:ada@a.example).',
], async (anna) => {
  const first = content(anna, 0);
  assert.deepEqual(await first.locator('> ul > li > div').allTextContents(), ['one', 'two']);
  assert.equal(await first.locator('ul ul li').innerText(), 'inner');
  assert.equal(await first.locator('ol li').evaluate((item) => item.value), 3);
  assert.equal(await first.locator('s').innerText(), 'gone');
  const links = content(anna, 1).getByRole('link');
  assert.deepEqual(await links.evaluateAll((all) => all.map(({ href, textContent, title, target }) => (
    [textContent, href, title, target]))), [
    ['the docs (docs.example)', 'https://docs.example/a', 'https://docs.example/a', '_blank'],
    ['https://bank.example (evil.example)', 'https://evil.example/x', 'https://evil.example/x', '_blank'],
    ['mail (ada@a.example)', 'mailto:ada@a.example', 'mailto:ada@a.example', ''],
  ]);
  assert.match(await content(anna, 1).ariaSnapshot(), /https:\/\/bank\.example \(evil\.example\)/);
}));

test('a spoiler is nowhere in the page until it is wanted', () => visit({}, [
  'It was ||the **butler** https://a.example||, and ||nobody|| else',
], async (anna) => {
  const { page } = anna;
  assert.doesNotMatch(await page.content(), /butler|nobody/);
  const show = content(anna, 0).getByRole('button', { name: 'Show spoiler' });
  assert.equal(await show.count(), 2);
  await show.first().press('Enter');
  assert.equal(await content(anna, 0).locator('span.spoiler').innerText(), 'the butler https://a.example');
  assert.equal(await content(anna, 0).locator('span.spoiler strong').innerText(), 'butler');
  assert.equal(await page.evaluate(() => document.activeElement.className), 'spoiler', 'the focus is not lost');
  assert.doesNotMatch(await page.content(), /nobody/);
  await show.click();
  await content(anna, 0).getByText('nobody').waitFor();
}));

const CODE = `let wide = "${'x'.repeat(300)}";\n\tlet next = 2;`;

for (const [screen, options] of [['a desktop', {}], ['a phone', PHONE]]) {
  test(`code scrolls sideways and can be copied on ${screen}`, () => visit(options, [
    `\`\`\`js\n${CODE}\n\`\`\``, '```\nplain\n```',
  ], async (anna) => {
    const { page } = anna;
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    const code = content(anna, 0).locator('pre');
    const { rows, isWider } = await code.evaluate((node) => ({
      rows: Math.round(node.querySelector('code').getBoundingClientRect().height / parseFloat(getComputedStyle(node.querySelector('code')).lineHeight)),
      isWider: node.scrollWidth > node.clientWidth,
    }));
    assert.deepEqual([rows, isWider], [2, true]);
    assert.equal(await content(anna, 0).locator('.language').innerText(), 'js');
    assert.equal(await content(anna, 1).locator('.language').count(), 0);
    await code.focus();
    await page.keyboard.press('ArrowRight');
    await page.waitForFunction((node) => node.scrollLeft > 0, await code.elementHandle());
    const copy = content(anna, 0).getByRole('button', { name: 'Copy code' });
    if (options.hasTouch) {
      await copy.tap();
      const { width, height } = await copy.boundingBox();
      assert.ok(width >= 40 && height >= 40);
    } else {
      await page.keyboard.press('Tab');
      assert.ok(await copy.evaluate((node) => document.activeElement === node));
      await page.keyboard.press('Enter');
    }
    await anna.showed('toast', /^Code copied\.$/);
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), CODE);
  }));
}

const LINES = Array.from({ length: 40 }, (_, i) => `line ${i + 1}`);

test('long messages fold, and stay as the reader left them', () => visit({}, [
  'short', LINES.slice(0, 16).join('\n'), 'word '.repeat(239).trim(), LINES.join('\n'), `${'word '.repeat(300)}https://a.example/end`,
], async (anna, carla) => {
  const { page } = anna;
  const more = (index) => page.locator('.said[data-seq]').nth(index).getByRole('button', { name: /^Show (more|less)$/ });
  for (const index of [0, 1, 2]) assert.equal(await more(index).count(), 0);
  for (const index of [3, 4]) assert.equal(await more(index).innerText(), 'Show more');
  const height = (index) => content(anna, index).evaluate((node) => node.clientHeight);
  assert.ok(await height(3) < 300);
  assert.match(await content(anna, 3).ariaSnapshot(), /line 40/, 'a screen reader has it all');

  const top = () => page.locator('.said[data-seq]').nth(3).evaluate((node) => node.getBoundingClientRect().top);
  await more(3).scrollIntoViewIfNeeded();
  await page.locator('.said[data-seq]').nth(3).evaluate((node) => node.scrollIntoView({ block: 'start' }));
  await page.evaluate(() => new Promise((done) => { requestAnimationFrame(() => requestAnimationFrame(done)); }));
  const before = await top();
  await more(3).click(IN_PLACE);
  assert.equal(await more(3).innerText(), 'Show less');
  assert.equal(await more(3).getAttribute('aria-expanded'), 'true');
  await page.evaluate(() => new Promise((done) => { requestAnimationFrame(() => requestAnimationFrame(done)); }));
  assert.ok(await height(3) > 800);
  assert.ok(Math.abs(await top() - before) < 2, 'its beginning stays where it was');
  // A redrawn row, as in another room and back.
  await anna.enter('Room 2');
  await anna.enter('Room 1');
  await page.locator('.said[data-seq]').nth(4).waitFor({ state: 'attached' });
  assert.equal(await more(3).innerText(), 'Show less');
  await more(3).click();
  assert.ok(await height(3) < 300);
  await page.waitForFunction(() => {
    const log = document.getElementById('log').getBoundingClientRect();
    const row = document.querySelectorAll('.said[data-seq]')[3].getBoundingClientRect();
    return row.top >= log.top - 1 && row.top < log.bottom;
  });
  // The search of the browser scrolls to what it finds, wherever that is.
  await content(anna, 3).evaluate((node) => { node.scrollTop = 400; });
  await page.waitForFunction(() => document.querySelectorAll('.folded').length === 1);
  assert.equal(await more(3).innerText(), 'Show less');
  await more(3).click();
  assert.equal(await more(3).innerText(), 'Show more');
  // The focus comes to a link that was folded away.
  await content(anna, 4).getByRole('link').focus();
  await page.waitForFunction(() => document.querySelectorAll('.folded').length === 1);
  assert.equal(await more(4).innerText(), 'Show less');
  await carla.say('the end');
  await anna.message('the end').waitFor({ state: 'attached' });
}));

test('a link to a long message unfolds it', () => visitServer([], async ({ server, open }) => {
  const carla = await Talker.enter(server, { name: 'Carla' });
  await carla.say('before', LINES.join('\n'), 'after');
  const anna = await open({ name: 'Anna', hash: '#room=1&seq=2' });
  await anna.log.getByRole('button', { name: 'Show less' }).waitFor();
  assert.equal(await anna.log.getByRole('button', { name: 'Show more' }).count(), 0);
  await anna.page.waitForFunction(() => {
    const log = document.getElementById('log').getBoundingClientRect();
    const row = document.querySelector('[data-seq="2"]').getBoundingClientRect();
    return row.top >= log.top - 1 && row.top < log.bottom;
  });
  carla.close();
}, { settings: PATIENT }));

test('a time is seen once for a group, and for each message on hover and focus', () => (
  visit({}, ['one', 'two', 'three'], async (anna, carla) => {
    const { page } = anna;
    const seen = () => page.locator('.said time').evaluateAll((all) => all.map((time) => getComputedStyle(time).opacity));
    await page.mouse.move(0, 0);
    assert.deepEqual(await seen(), ['0', '0', '1']);
    assert.equal((await anna.log.ariaSnapshot()).match(/time/g).length, 4, 'a screen reader has the day and each time');
    await content(anna, 0).hover();
    assert.deepEqual(await seen(), ['1', '0', '1']);
    await page.mouse.move(0, 0);
    await anna.log.focus();
    await page.keyboard.press('Home');
    await page.keyboard.press('ArrowDown');
    assert.deepEqual(await seen(), ['0', '1', '1']);
    const third = await page.locator('.said').nth(2).elementHandle();
    await carla.say('four');
    await anna.message('four').waitFor();
    await anna.log.press('End');
    await anna.text.focus();
    assert.deepEqual(await seen(), ['0', '0', '0', '1']);
    assert.ok(await third.evaluate((node) => node.isConnected), 'the row before was not redrawn');
    await anna.say('five');
    await anna.sent('five').waitFor();
    assert.deepEqual(await seen(), ['0', '0', '0', '1', '1']);
  })));

/** The days and the clock times in the log. */
const times = (tab) => tab.log.locator('.day, .said time').evaluateAll((all) => all.map(({ textContent }) => textContent));

test('times and days follow the zone of the machine while the page is open', () => {
  const at = (event) => ({ ...event, time: Date.parse(`2031-06-12T${String(10 + event.seq).padStart(2, '0')}:30:00Z`) });
  let machine;
  const moveTo = (timezoneId) => machine.send('Emulation.setTimezoneOverride', { timezoneId });
  const before = async (page) => {
    machine = await page.context().newCDPSession(page);
    await moveTo('Europe/London');
    await page.clock.setFixedTime('2031-06-20T12:00:00Z');
    await page.routeWebSocket(/.*/, (socket) => {
      socket.connectToServer().onMessage((data) => {
        const frame = JSON.parse(data);
        if (frame.events) frame.events = frame.events.map(at);
        socket.send(JSON.stringify(frame.type === 'text' ? at(frame) : frame));
      });
    });
  };
  return visit({ before }, ['one', 'two'], async (anna, carla) => {
    const { page } = anna;
    assert.deepEqual(await times(anna), ['Thursday 12 June', '12:30', '13:30']);
    const first = await page.locator('.said').first().elementHandle();
    await moveTo('Asia/Tokyo');
    await page.evaluate(() => dispatchEvent(new Event('focus')));
    await page.waitForFunction(() => document.querySelector('.said time').textContent === '20:30');
    assert.deepEqual(await times(anna), ['Thursday 12 June', '20:30', '21:30']);
    assert.match(await page.locator('.said time').first().getAttribute('title'), /20:30:00/);
    assert.ok(await first.evaluate((row) => row.isConnected), 'the rows stay');
    // Without anybody looking: what is said next draws the others too, and midnight is where it is now.
    await moveTo('Pacific/Kiritimati');
    await carla.say('three');
    await anna.message('three').waitFor();
    assert.deepEqual(await times(anna), ['Friday 13 June', '01:30', '02:30', '03:30']);
  });
});

test('at midnight Today becomes Yesterday, although nothing is said', () => {
  const said = Date.parse('2031-06-12T23:50:00+02:00');
  const before = async (page) => {
    await page.clock.install({ time: new Date('2031-06-12T23:59:30+02:00') });
    await page.routeWebSocket(/.*/, (socket) => {
      socket.connectToServer().onMessage((data) => {
        const frame = JSON.parse(data);
        if (frame.events) frame.events = frame.events.map((event) => ({ ...event, time: said }));
        socket.send(JSON.stringify(frame));
      });
    });
  };
  return visit({ timezoneId: 'Europe/Madrid', before }, ['one'], async (anna) => {
    assert.deepEqual(await times(anna), ['Today', '23:50']);
    await anna.page.clock.runFor(60_000);
    await anna.line('Yesterday').waitFor();
    assert.deepEqual(await times(anna), ['Yesterday', '23:50']);
  });
});
