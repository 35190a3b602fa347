// The page in German, Spanish and French: every view is in that language only, and nothing is cut off on a phone.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import english from '../../src/web/texts/en.js';
import { Texts } from '../../src/web/texts/texts.js';
import { AWAY, PHONE, stage } from './browser.mjs';
import { PATIENT, Talker } from './talker.mjs';

const visit = stage();
const FULL = { settings: { limits: { ...PATIENT.limits, maxRooms: 3 } } };

const forms = (text) => (typeof text === 'string' ? [text] : Object.values(text));
const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** English texts that are not also texts of the other language, and so must not appear there. */
function englishOnly(texts) {
  const others = new Set(Object.values(texts).flatMap(forms).map((text) => text.toLowerCase()));
  return Object.values(english).flatMap(forms)
    .filter((text) => /[a-z]{3}/i.test(text.replace(/\{\w+\}/g, '')) && !others.has(text.toLowerCase()))
    .map((text) => new RegExp(`^${text.split(/\{\w+\}/).map(escaped).join('.+')}$`, 'i'));
}

/** All words on the page for eye or screen reader: texts, labels, tooltips and placeholders. */
const allWords = (page) => page.evaluate(() => {
  const words = new Set();
  const walker = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
  for (let node = walker.currentNode; node; node = walker.nextNode()) {
    if (node.nodeType === Node.TEXT_NODE) {
      // Messages, names and what only shows without scripts can be in any language.
      if (!node.parentElement.closest('bdi, .content, noscript, head, time')) words.add(node.data.trim());
    } else {
      for (const name of ['aria-label', 'title', 'placeholder', 'alt']) words.add(node.getAttribute(name)?.trim());
    }
  }
  return [...words].filter(Boolean);
});

/** What is cut off at the edge of the screen, or wider than its box. */
const cutOff = (page) => page.evaluate(() => {
  const found = document.scrollingElement.scrollWidth > innerWidth ? ['the page'] : [];
  const all = document.querySelectorAll('button, input, textarea, a, h2, h3, p, label, dt, dd, dialog[open]');
  for (const node of all) {
    const box = node.getBoundingClientRect();
    if (box.width <= 2 || node.closest('.unseen, #skip')) continue;
    const isOutside = box.left < -0.5 || box.right > innerWidth + 0.5;
    // The button beside a message has an invisible border, where the pointer stays on it.
    const isBox = node.matches('button:not(.copy), label, h2, dt, dd, p') && getComputedStyle(node).display !== 'inline';
    const isNarrow = isBox && node.scrollWidth > node.clientWidth + 1;
    const name = node.id || node.className || node.tagName;
    if (isOutside || isNarrow) found.push(`${name}: ${node.textContent.trim().slice(0, 40)}`);
  }
  return found;
});

/** What the views below need: texts by key, the page's controls by key, and `judge(view)`. */
async function speaker(tab, locale) {
  const language = locale.slice(0, 2);
  const { default: texts } = await import(`../../src/web/texts/${language}.js`);
  const { t } = new Texts(texts, locale);
  const banned = englishOnly(texts);
  const { page } = tab;
  const judge = async (view) => {
    const words = await allWords(page);
    const isEnglish = (text) => banned.some((pattern) => pattern.test(text));
    assert.deepEqual(words.filter(isEnglish), [], `${view}: English`);
    assert.deepEqual(words.filter((text) => /\{\w+\}/.test(text)), [], `${view}: holes`);
    assert.deepEqual(await cutOff(page), [], `${view}: cut off`);
    const { PICTURES } = process.env;
    if (PICTURES) await page.screenshot({ path: `${PICTURES}/${language}-${view.replaceAll(' ', '-')}.png` });
  };
  const press = (key, vars) => page.getByRole('button', { name: t(key, vars), exact: true }).click();
  const dialog = (key) => page.getByRole('dialog', { name: t(key) }).waitFor();
  return { tab, page, t, judge, press, dialog };
}

async function judgeFirstVisit({ page, t, judge, press, dialog }, locale) {
  await page.getByRole('heading', { name: t('rooms_choose') }).waitFor();
  assert.equal(await page.locator('html').getAttribute('lang'), locale);
  await judge('welcome');
  await page.getByLabel(t('name_ask')).fill('x'.repeat(33));
  await judge('too long');
  await page.evaluate(() => { location.hash = '#room=2'; });
  await page.getByRole('dialog', { name: t('invited', { room: 'Room 2' }) }).waitFor();
  await judge('invited');
  await press('name_skip');
  await page.getByText(t('log_begin', { room: 'Room 2' })).waitFor();
  await press('share');
  await page.getByRole('dialog', { name: t('invite_to', { room: 'Room 2' }) }).waitFor();
  await judge('invitation');
  await press('close');
  await press('room_more');
  await judge('menu');
  await page.getByRole('menuitem', { name: t('leave') }).click();
  await page.locator('#rooms').getByRole('link', { name: /Room 1/ }).waitFor();
  await judge('lobby');

  await page.getByRole('textbox', { name: t('room_new') }).fill('One too many');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').getByText(t('error_too_many_rooms')).waitFor();
  await judge('notice');
  await press('dismiss');
}

async function judgeRoom({ tab, page, t, judge }, server) {
  await page.locator('#rooms').getByRole('link', { name: /Room 1/ }).click();
  await page.getByRole('textbox', { name: t('message') }).waitFor();
  await page.getByText(t('log_empty')).waitFor();
  await judge('empty room');
  const ben = await Talker.enter(server, { name: 'Ben' });
  const eve = await Talker.enter(server, { name: 'Eve' });
  await eve.go(2);
  await ben.gif(6);
  await ben.say(':tada: https://wschat.example/');
  ben.send('{"type":"typing"}');
  await tab.showed('typing', /Ben.* (schreibt|está escribiendo|écrit)/);
  await page.getByRole('textbox', { name: t('message') }).fill('…');
  await page.keyboard.press('Control+Enter');
  await page.getByText(t('you')).first().waitFor({ state: 'attached' });
  await page.getByRole('link', { name: t('link_opens', { link: 'https://wschat.example/' }) }).waitFor();
  assert.equal(await page.getByRole('img', { name: 'tada' }).count(), 0, 'the short name of an emoji is English');
  await judge('room');
}

async function judgePanels({ tab, page, t, judge, press }) {
  await press('room_more');
  await page.getByRole('menuitem', { name: t('mute'), exact: true }).click();
  await tab.showed('toast', new RegExp(escaped(t('muted'))));
  await judge('muted');
  await press('picker');
  await page.getByRole('heading', { name: t('emoji_faces') }).waitFor();
  await judge('emoji');
  await page.getByRole('tab', { name: t('gifs'), exact: true }).click();
  await page.getByRole('button', { name: t('gif: A sleepy moon in a nightcap') }).waitFor();
  await judge('shelf');
  await page.keyboard.press('Escape');
  await page.getByRole('textbox', { name: t('message') }).fill('x'.repeat(4_001));
  await page.locator('#pace').getByText(t('too_long', { count: 1 })).waitFor();
  await judge('long message');
  await page.getByRole('textbox', { name: t('message') }).fill('');
  await press('member_count', { count: 2 });
  await page.getByRole('complementary', { name: t('members') }).waitFor();
  await judge('members');
  await press('to_talk');
  await press('to_rooms');
}

async function judgeDialogs({ page, judge, press, dialog }) {
  await press('settings');
  await dialog('settings');
  await judge('settings');
  await press('close');
  await page.keyboard.press('?');
  await dialog('shortcuts');
  await judge('shortcuts');
  await press('close');
}

async function judgeOffline({ page, t, judge }, server) {
  await page.locator('#rooms').getByRole('link', { name: /Room 1/ }).click();
  await server.kill();
  await page.getByRole('button', { name: t('try_now') }).waitFor();
  await page.getByRole('textbox', { name: t('message') }).fill('…');
  await page.keyboard.press('Control+Enter');
  await page.locator('#pace').getByText(t('waiting_offline', { count: 1 })).waitFor();
  await judge('offline');
}

for (const locale of ['de-AT', 'es-MX', 'fr-FR']) {
  test(`${locale}: every view is in its language, and nothing is cut off`, () => (
    visit([{ ...PHONE, locale, allowed: AWAY, isGreeted: false }], async (tab, { server }) => {
      const speaks = await speaker(tab, locale);
      await judgeFirstVisit(speaks, locale);
      await judgeRoom(speaks, server);
      await judgePanels(speaks);
      await judgeDialogs(speaks);
      await judgeOffline(speaks, server);
    }, FULL)));
}

test('other languages fall back to English', () => (
  visit([{ locale: 'ja-JP', isGreeted: false }], async ({ page }) => {
    await page.getByRole('heading', { name: 'Choose a room to start chatting' }).waitFor();
    assert.equal(await page.locator('html').getAttribute('lang'), 'en-GB');
  })));
