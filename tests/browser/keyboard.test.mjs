// The page by keyboard and screen reader: where the focus is after each action, what is announced and how often; and
// large print, reduced motion and forced colours.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AWAY, stage } from './browser.mjs';
import { PATIENT, Talker } from './talker.mjs';

const SMALL = { viewport: { width: 320, height: 568 } };
const visit = stage();

/** Waits until the element with this role and name has the focus, and returns it. */
async function hasFocus(page, role, name) {
  const element = page.getByRole(role, { name, exact: typeof name === 'string' });
  await element.waitFor();
  const handle = await element.elementHandle();
  await page.waitForFunction((node) => document.activeElement === node, handle);
  return handle;
}

/** Waits until this room in the list has the focus. */
const roomHasFocus = (page, title) => page.waitForFunction((words) => (
  document.activeElement.closest('#rooms a')?.querySelector('.title').innerText === words), title);

/** Whether the focused element has a visible outline. */
const isFocusSeen = (page) => page.evaluate(() => {
  const focused = document.activeElement;
  // For a message, the outline is around its bubble.
  const style = getComputedStyle(focused.querySelector(':scope > .bubble') ?? focused);
  return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
});

/** Presses Tab until the element has the focus. */
async function tabTo(page, role, name, key = 'Tab') {
  const handle = await page.getByRole(role, { name, exact: typeof name === 'string' }).elementHandle();
  for (let i = 0; i < 60; i += 1) {
    if (await handle.evaluate((node) => document.activeElement === node)) {
      assert.ok(await isFocusSeen(page), `the focus is seen at ${role} ${name}`);
      return;
    }
    await page.keyboard.press(key);
  }
  assert.fail(`Tab never comes to ${role} ${name}`);
}

/** Records everything that is put into live regions from now on. */
async function listen(page) {
  await page.evaluate(() => {
    globalThis.heard = [];
    const isSilent = (node) => {
      const element = node instanceof Element ? node : node.parentElement;
      return !element || element.closest('[aria-hidden="true"]') !== null;
    };
    for (const region of document.querySelectorAll('[aria-live="polite"], [role="status"], [role="alert"]')) {
      if (region.getAttribute('aria-live') === 'off') continue;
      new MutationObserver((changes) => {
        for (const { type, target, addedNodes } of changes) {
          const nodes = type === 'characterData' ? [target] : [...addedNodes];
          const said = nodes.filter((node) => !isSilent(node) && !node.matches?.('button'));
          globalThis.heard.push(...said.map(({ textContent }) => textContent));
        }
      }).observe(region, { childList: true, characterData: true, subtree: true });
    }
  });
  return () => page.evaluate(() => globalThis.heard.filter((words) => words !== ''));
}

const STRANGER = { isGreeted: false };

test('a first visit: choose a name, enter, write, send a GIF and leave', () => visit([STRANGER], async ({ page }) => {
  const { keyboard } = page;
  await hasFocus(page, 'textbox', 'Choose a display name');
  await keyboard.press('Enter');
  await page.getByRole('alert').filter({ hasText: 'Enter a name.' }).waitFor();
  assert.equal(await page.getByRole('textbox', { name: 'Choose a display name' }).getAttribute('aria-invalid'), 'true');
  await keyboard.type('Stranger');
  await keyboard.press('Enter');
  // The next step has the focus: a room.
  const focused = () => page.evaluate(() => document.activeElement.closest('#cards a')?.querySelector('.title').innerText);
  await page.waitForFunction(() => document.activeElement.closest('#cards a') !== null);
  assert.equal(await focused(), 'Room 1');
  await keyboard.press('Tab');
  assert.equal(await focused(), 'Room 2');
  assert.ok(await isFocusSeen(page));
  await keyboard.press('Enter');
  await hasFocus(page, 'textbox', 'Message');
  await keyboard.type('one');
  await keyboard.press('Shift+Enter');
  await keyboard.type('two');
  await keyboard.press('Enter');
  await page.getByRole('log').getByText('one\ntwo').waitFor();
  await hasFocus(page, 'textbox', 'Message');
  await tabTo(page, 'button', 'Emoji and GIFs', 'Shift+Tab');
  await keyboard.press('Enter');
  await hasFocus(page, 'searchbox', 'Search emoji');
  await tabTo(page, 'tab', 'Emoji', 'Shift+Tab');
  await keyboard.press('ArrowRight');
  await tabTo(page, 'button', 'A waving hand');
  await hasFocus(page, 'button', 'A waving hand');
  assert.ok(await isFocusSeen(page));
  await keyboard.press('ArrowRight');
  await keyboard.press('ArrowRight');
  await keyboard.press('Enter');
  await page.getByRole('log').getByRole('img', { name: 'A beating heart' }).waitFor();
  await hasFocus(page, 'textbox', 'Message');
  await tabTo(page, 'button', 'More', 'Shift+Tab');
  await keyboard.press('Enter');
  await hasFocus(page, 'menuitem', 'Mute');
  await keyboard.press('ArrowUp');
  await hasFocus(page, 'menuitem', 'Leave');
  assert.ok(await isFocusSeen(page));
  await keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Choose a room to start chatting' }).waitFor();
  await roomHasFocus(page, 'Room 2');
  assert.ok(await isFocusSeen(page));
}));

test('Tab goes through the whole page, and out of it', () => visit([{}], async ({ page }) => {
  await page.locator('#rooms').getByRole('link', { name: /Room 1/ }).press('Enter');
  await hasFocus(page, 'textbox', 'Message');
  const { keyboard } = page;
  const seen = [];
  await page.evaluate(() => { document.activeElement.blur(); });
  await page.getByRole('button', { name: 'Skip to the message box' }).focus();
  for (let i = 0; i < 40; i += 1) {
    const name = await page.evaluate(() => (document.activeElement === document.body ? 'end'
      : document.activeElement.getAttribute('aria-label') || document.activeElement.innerText.trim().split('\n')[0]));
    if (name === 'end' || seen.includes(name)) break;
    assert.ok(await isFocusSeen(page), `the focus is seen at ${name}`);
    seen.push(name);
    await keyboard.press('Tab');
  }
  const order = [
    'Skip to the message box', 'Settings', 'Room 1', 'New room', 'Create',
    'Share', '1 member', 'More', 'Messages', 'Emoji and GIFs', 'Message', 'Send',
  ];
  assert.deepEqual(seen.filter((name) => order.includes(name)), order);
}));

test('what a key opens Escape closes, and the focus returns', () => visit([{}], async ({ page }) => {
  const { keyboard } = page;
  await page.locator('#rooms').getByRole('link', { name: /Room 1/ }).press('Enter');
  await hasFocus(page, 'textbox', 'Message');
  await keyboard.type('Is this a question?');
  assert.equal(await page.getByRole('dialog').count(), 0, 'a question mark that is written opens nothing');
  await page.getByRole('textbox', { name: 'Message', exact: true }).fill('');
  await keyboard.press('Alt+g');
  await hasFocus(page, 'button', 'A waving hand');
  await keyboard.press('Escape');
  await hasFocus(page, 'textbox', 'Message');
  await page.getByRole('button', { name: 'Emoji and GIFs' }).focus();
  await keyboard.press('?');
  await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor();
  await hasFocus(page, 'heading', 'Keyboard shortcuts');
  await keyboard.press('Escape');
  await hasFocus(page, 'button', 'Emoji and GIFs');
  await page.getByRole('button', { name: 'Settings' }).press('Enter');
  await hasFocus(page, 'heading', 'Settings');
  await tabTo(page, 'button', 'Keyboard shortcuts');
  await keyboard.press('Enter');
  await hasFocus(page, 'heading', 'Keyboard shortcuts');
  await tabTo(page, 'button', 'Close');
  await keyboard.press('Enter');
  await hasFocus(page, 'button', 'Settings');
  await page.getByRole('button', { name: /Change display name/ }).press('Enter');
  await hasFocus(page, 'textbox', 'Display name');
  await keyboard.press('Escape');
  await hasFocus(page, 'button', /Change display name/);
  await keyboard.press('Alt+m');
  await hasFocus(page, 'log', 'Messages');
  await keyboard.press('Escape');
  await hasFocus(page, 'textbox', 'Message');
  await keyboard.press('Alt+ArrowDown');
  await page.getByRole('heading', { name: 'Room 2', exact: true }).waitFor();
  await hasFocus(page, 'textbox', 'Message');
}));

/** Presses a key with Alt as this keyboard sends it. Returns whether the page has kept it from the text. */
const alt = (page, key, code, more = {}) => page.evaluate((init) => {
  const event = new KeyboardEvent('keydown', { altKey: true, bubbles: true, cancelable: true, ...init });
  document.activeElement.dispatchEvent(event);
  return event.defaultPrevented;
}, { key, code, ...more });

const asMac = (page) => page.addInitScript(() => {
  Object.defineProperty(navigator, 'platform', { get: () => 'MacIntel' });
});

test('on a Mac, a key that writes a character or moves the caret does so', () => visit([{ before: asMac }], async (tab) => {
  const { page } = tab;
  await tab.enter('Room 1');
  for (const id of ['text', 'title']) {
    await page.locator(`#${id}`).focus();
    for (const [key, code] of [['©', 'KeyG'], ['µ', 'KeyM'], ['ArrowUp', 'ArrowUp'], ['ArrowDown', 'ArrowDown'], ['g', 'KeyG']]) {
      assert.equal(await alt(page, key, code), false, `⌥${code} in #${id}`);
    }
    assert.equal(await page.evaluate(() => document.activeElement.id), id);
  }
  assert.equal(await page.locator('#picker').isVisible(), false);
  assert.ok(await page.getByRole('heading', { name: 'Room 1', exact: true }).isVisible());
  // Outside of a text they write nothing.
  await page.getByRole('log').focus();
  assert.equal(await alt(page, 'ArrowDown', 'ArrowDown'), true);
  await page.getByRole('heading', { name: 'Room 2', exact: true }).waitFor();
  await page.getByRole('log').focus();
  assert.equal(await alt(page, '©', 'KeyG'), true);
  await page.getByRole('tab', { name: 'GIFs' }).waitFor();
  // ⌘ is the key for commands there, and Ctrl moves the caret.
  await tab.text.fill('word');
  await tab.text.press('Control+e');
  assert.equal(await tab.text.inputValue(), 'word');
  await tab.text.press('Meta+b');
  await page.waitForFunction(() => document.getElementById('text').value === '**word**');
  await tab.text.press('Meta+Enter');
  await tab.log.getByText('word', { exact: true }).waitFor();
}));

test('elsewhere Alt writes nothing, whatever the layout; AltGr does', () => visit([{}], async (tab) => {
  const { page } = tab;
  await tab.enter('Room 1');
  const inText = async (key, code, more) => {
    await tab.text.focus();
    return alt(page, key, code, more);
  };
  assert.equal(await inText('©', 'KeyG'), false);
  assert.equal(await inText('µ', 'KeyM'), false);
  assert.equal(await inText('g', 'KeyG', { ctrlKey: true }), false);
  assert.equal(await inText('g', 'KeyG', { modifierAltGraph: true }), false);
  // A French keyboard has another key where M is on others.
  assert.equal(await inText(',', 'KeyM'), false);
  assert.equal(await inText('m', 'Semicolon'), true);
  await hasFocus(page, 'log', 'Messages');
  assert.equal(await inText('п', 'KeyG'), true, 'a Russian keyboard has no g');
  await page.getByRole('tab', { name: 'GIFs' }).waitFor();
}));

test('every listed shortcut does what the list says', () => visit([{}], async (tab) => {
  const { page } = tab;
  const { keyboard } = page;
  await tab.enter('Room 1');
  for (const text of ['first', 'second', 'third']) {
    await tab.say(text);
    await tab.log.getByText(text, { exact: true }).waitFor();
  }
  await keyboard.press('ArrowUp');
  assert.equal(await page.getByRole('textbox', { name: 'Message', exact: true }).inputValue(), 'third');
  await page.getByRole('textbox', { name: 'Message', exact: true }).fill(':wav');
  await page.getByRole('textbox', { name: 'Message', exact: true }).press('End');
  await keyboard.type('e');
  await page.locator('#completion').getByRole('option').first().waitFor();
  await keyboard.press('Tab');
  assert.match(await page.getByRole('textbox', { name: 'Message', exact: true }).inputValue(), /^👋|^:wave:/u);
  await tab.choose('Mute');
  await keyboard.press('Alt+m');
  await hasFocus(page, 'log', 'Messages');
  assert.ok(await isFocusSeen(page), 'also after the pointer was used');
  const focused = () => page.evaluate(() => document.activeElement.querySelector('.content')?.innerText.trim());
  await keyboard.press('Home');
  assert.equal(await focused(), 'first');
  assert.ok(await isFocusSeen(page));
  await keyboard.press('ArrowDown');
  assert.equal(await focused(), 'second');
  await keyboard.press('End');
  assert.equal(await focused(), 'third');
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await keyboard.press('c');
  await tab.showed('toast', /Link copied/);
  assert.match(await page.evaluate(() => navigator.clipboard.readText()), /#room=1&seq=3$/);
  await keyboard.press('Tab');
  await hasFocus(page, 'button', 'Copy link');
}));

test('on a phone the focus follows when the members open and close', () => visit([SMALL], async ({ page }) => {
  const { keyboard } = page;
  await page.locator('#rooms').getByRole('link', { name: /Room 1/ }).press('Enter');
  await hasFocus(page, 'heading', 'Room 1');
  await tabTo(page, 'button', '1 member');
  for (const close of ['Enter', 'Escape']) {
    await keyboard.press('Enter');
    await hasFocus(page, 'button', 'Back to messages');
    await keyboard.press(close);
    await hasFocus(page, 'button', '1 member');
  }
  await tabTo(page, 'button', 'Back to rooms', 'Shift+Tab');
  await keyboard.press('Enter');
  await roomHasFocus(page, 'Room 1');
  await keyboard.press('Enter');
  await hasFocus(page, 'heading', 'Room 1');
}));

test('a refused room leaves the user where they were', () => visit([SMALL], async ({ page }) => {
  await page.getByRole('textbox', { name: 'New room' }).fill('One too many');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').getByText('No more rooms can be created right now.').waitFor();
  await page.locator('#rooms').getByRole('link', { name: /Room 1/ }).waitFor();
  await page.getByRole('button', { name: 'Dismiss' }).press('Enter');
  await roomHasFocus(page, 'Room 1');
}, { settings: { limits: { maxRooms: 3 } } }));

test('messages of others are announced once, and many as a number', () => visit([{}], async (tab, { server }) => {
  const { page } = tab;
  const ben = await Talker.enter(server, { name: 'Ben' });
  const heard = await listen(page);
  const isHeard = (words) => page.waitForFunction((text) => globalThis.heard.includes(text), words);
  await tab.enter('Room 1');
  await isHeard('You’re in Room 1. 2 members.');
  await ben.say('Hello');
  await isHeard('Ben: Hello');
  await ben.gif(1);
  await isHeard('Ben sent a GIF: A waving hand');
  await ben.say('1', '2', '3', '4', '5');
  await isHeard('5 new messages');
  await tab.say('Mine');
  await tab.sent('Mine').waitFor();
  await tab.leave();
  await isHeard('You left Room 1.');
  assert.deepEqual(await heard(), [
    'You’re in Room 1. 2 members.', 'Ben: Hello', 'Ben sent a GIF: A waving hand', '5 new messages',
    'You left Room 1.',
  ]);
}, { settings: PATIENT }));

test('a lost connection is announced once, however long it takes, and the button keeps the focus', () => (
  visit([{ allowed: AWAY }], async (tab, { server }) => {
    const { page } = tab;
    await tab.enter('Room 1');
    const heard = await listen(page);
    await server.kill();
    await tabTo(page, 'button', 'Try now', 'Shift+Tab');
    // From about the third attempt on, the countdown starts above one second.
    for (const words of [/Trying again in 2 seconds/, /Trying again in 1 second/]) await tab.showed('banner', words);
    await hasFocus(page, 'button', 'Try now');
    await page.keyboard.press('Enter');
    await hasFocus(page, 'button', 'Try now');
    await server.restart();
    await page.keyboard.press('Enter');
    await tab.showed('banner', /Reconnected/);
    await hasFocus(page, 'textbox', 'Message');
    assert.deepEqual(await heard(), ['Disconnected. Reconnecting automatically.', 'Reconnected.']);
  })));

test('a count that changes with every letter is not announced every time', () => visit([{}], async (tab) => {
  const { page } = tab;
  await tab.enter('Room 1');
  await page.locator('#announcer').getByText('You’re in Room 1').waitFor();
  const heard = await listen(page);
  await tab.text.fill('x'.repeat(3_850));
  for (let i = 0; i < 51; i += 1) await page.keyboard.press('x');
  await tab.pace.getByText('99 characters left').waitFor();
  assert.deepEqual(await heard(), ['150 characters left', '100 characters left']);
}));

// ---- display settings

/** Asserts that nothing needs horizontal scrolling, and that no control is cut off. */
async function fits(page, view) {
  const cut = await page.evaluate(() => {
    const tooWide = document.scrollingElement.scrollWidth > innerWidth ? ['the page'] : [];
    const log = document.getElementById('log');
    if (log.scrollWidth > log.clientWidth) tooWide.push('the log');
    for (const node of document.querySelectorAll('button, input, textarea, a, h2, .bubble, dialog[open]')) {
      const box = node.getBoundingClientRect();
      const isOutside = box.left < -0.5 || box.right > innerWidth + 0.5;
      if (isOutside && box.width > 1 && node.id !== 'skip') tooWide.push(node.id || node.className || node.tagName);
    }
    return tooWide;
  });
  assert.deepEqual(cut, [], view);
}

const SIZES = { '320 pixels': SMALL.viewport, '200 % of a laptop': { width: 640, height: 400 } };

for (const [what, viewport] of Object.entries(SIZES)) {
  const visitor = { viewport, name: 'W'.repeat(32) };
  test(`${what}: nothing is cut off, whatever the names`, () => visit([visitor], async (tab) => {
    const { page } = tab;
    await fits(page, 'the lobby');
    await tab.create('M'.repeat(64));
    await tab.say('unbroken'.repeat(40));
    await tab.log.getByText('unbroken'.repeat(40)).waitFor();
    await tab.gif('A waving hand');
    await tab.log.getByRole('img', { name: 'A waving hand' }).waitFor();
    await fits(page, 'the room');
    // The message box and the messages still fit beside the GIF picker.
    await tab.openGifs();
    await fits(page, 'the shelf');
    assert.ok(await page.locator('#log').evaluate((log) => log.clientHeight) >= 60);
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: '1 member', exact: true }).click();
    await tab.members.getByText('W'.repeat(32)).waitFor();
    await fits(page, 'the members');
    await page.getByRole('button', { name: 'Back to messages' }).click();
    await page.getByRole('button', { name: 'Back to rooms' }).click();
    await page.getByRole('button', { name: 'Settings' }).click();
    await page.getByRole('dialog', { name: 'Settings' }).waitFor();
    await fits(page, 'the settings');
    await page.keyboard.press('Escape');
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor();
    await fits(page, 'the shortcuts');
  }));
}

test('with reduced motion nothing moves', () => visit([{ reducedMotion: 'reduce' }], async (tab) => {
  await tab.enter('Room 1');
  await tab.gif('Thumbs up');
  const still = tab.log.getByRole('img', { name: 'Thumbs up' });
  await still.waitFor();
  assert.equal(await still.evaluate(({ tagName }) => tagName), 'CANVAS');
  await tab.log.getByRole('button', { name: 'Play: Thumbs up' }).press('Enter');
  await hasFocus(tab.page, 'button', 'Stop: Thumbs up');
  await tab.page.keyboard.press('?');
  await tab.page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor();
  assert.deepEqual(await tab.page.evaluate(() => [...document.querySelectorAll('*')].filter((node) => (
    ['', '::before', '::after'].some((part) => {
      const { animationName, transitionDuration } = getComputedStyle(node, part || null);
      return animationName !== 'none' || transitionDuration !== '0s';
    })
  )).map(({ className, id }) => `${id} ${className}`)), []);
}));

test('in forced colours the selected suggestion and the current room stand out', () => (
  visit([{ forcedColors: 'active' }], async (tab) => {
    const { page } = tab;
    await tab.enter('Room 1');
    await page.getByRole('textbox', { name: 'Message', exact: true }).pressSequentially(':wa');
    const looks = (locator) => locator.evaluate((node) => {
      const { outlineStyle, outlineColor, fontWeight, backgroundColor } = getComputedStyle(node);
      return [outlineStyle, outlineColor, fontWeight, backgroundColor].join(' ');
    });
    await page.locator('#completion').getByRole('option').nth(1).waitFor();
    assert.notEqual(await looks(page.locator('#completion').getByRole('option').nth(0)), await looks(page.locator('#completion').getByRole('option').nth(1)));
    assert.notEqual(await looks(tab.room('Room 1')), await looks(tab.room('Room 2')));
  })));

test('in forced colours the present room, an unread one and a read one look different', () => (
  visit([{ forcedColors: 'active' }], async (tab, { server }) => {
    await tab.enter('Room 1');
    const ben = await Talker.enter(server, { name: 'Ben' });
    await ben.say('Hello');
    await tab.sent('Hello').waitFor();
    await tab.enter('Room 2');
    await ben.say('News');
    await tab.room('Room 1').getByText('1 new message').waitFor();
    const looks = (title) => tab.room(title).evaluate((link) => {
      const { outlineStyle } = getComputedStyle(link);
      return `${outlineStyle} ${getComputedStyle(link.querySelector('.title')).textDecorationLine}`;
    });
    assert.deepEqual([await looks('Room 1'), await looks('Room 2'), await looks('Room 3')], ['none underline', 'solid none', 'none none']);
  }, { settings: PATIENT })));

for (const [chosen, system] of [['dark', 'light'], ['light', 'dark']]) {
  test(`the chosen appearance (${chosen}) applies from the first paint, whatever the system has`, () => (
    visit([{ colorScheme: system }], async ({ page }) => {
      const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
      const before = await ground();
      await page.getByRole('button', { name: 'Settings' }).click();
      await page.getByRole('radio', { name: chosen === 'dark' ? 'Dark' : 'Light' }).check();
      assert.notEqual(await ground(), before);
      await page.addInitScript(() => {
        new MutationObserver((_, observer) => {
          if (!document.body) return;
          globalThis.themeBeforeBody = document.documentElement.dataset.theme;
          observer.disconnect();
        }).observe(document, { childList: true, subtree: true });
      });
      await page.reload();
      assert.equal(await page.evaluate(() => globalThis.themeBeforeBody), chosen);
      assert.notEqual(await ground(), before);
    })));
}
