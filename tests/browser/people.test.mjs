// People: names, colours, typing, presence, and notifications.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AWAY, stage } from './browser.mjs';
import { Client } from './client.mjs';
import { Talker } from './talker.mjs';

const visit = stage();
const TWO = [{ name: 'Anna' }, { name: 'Ben' }];
const QUICK = { settings: { limits: { messagesPerSecond: 1000, messageBurst: 1000 } } };

/** Somebody without a page, who is in the room. */
async function guest(server, name, roomId = 1) {
  const client = await Client.connect(server.socketUrl, { protocols: ['wschat.v2'] });
  if (name) client.send(JSON.stringify({ type: 'change_name', name }));
  client.send(JSON.stringify({ type: 'enter_room', roomId }));
  while ((await client.nextFrame()).type !== 'room');
  return client;
}

const leave = (client) => client.send('{"type":"leave_room"}');

// ---- names

test('the first visit asks for a name, and the next ones remember it', () => visit([{ isGreeted: false }], async (tab) => {
  const welcome = tab.page.getByRole('region', { name: 'wschat' });
  await welcome.getByRole('textbox', { name: 'Choose a display name' }).fill('Anna');
  await welcome.getByRole('button', { name: 'Start chatting' }).click();
  await welcome.getByRole('textbox').waitFor({ state: 'hidden' });
  await tab.me.getByText('Anna', { exact: true }).waitFor();
  const again = await tab.page.context().newPage();
  await again.goto(tab.page.url());
  await again.locator('#me').getByText('Anna', { exact: true }).waitFor();
  assert.equal(await again.getByRole('dialog').count(), 0);
  assert.equal(await again.getByRole('button', { name: 'Start chatting' }).count(), 0);
}));

for (const [how, skip] of [
  ['Not now', ({ page }) => page.getByRole('button', { name: 'Not now' }).click()],
  ['Escape', ({ page }) => page.keyboard.press('Escape')],
]) {
  test(`the name can be skipped with “${how}”, and is not asked for again`, () => visit([{ isGreeted: false }], async (tab) => {
    await tab.room('Room 2').click();
    const dialog = tab.page.getByRole('dialog', { name: 'Choose a display name' });
    await dialog.waitFor();
    assert.equal(await tab.page.locator('#room').isVisible(), false, 'nobody enters before that');
    await skip(tab);
    await dialog.waitFor({ state: 'hidden' });
    await tab.isIn('Room 2');
    await tab.me.getByText(/^User \d+$/).waitFor();
    await tab.page.reload();
    await tab.me.getByText(/^User \d+$/).waitFor();
    await tab.enter('Room 1');
    assert.equal(await tab.page.getByRole('dialog').count(), 0);
  }));
}

test('a new name is announced in the room and kept for the next visit', () => visit(TWO, async (anna, ben) => {
  await anna.enter('Room 2');
  await ben.enter('Room 2');
  await anna.member('Ben').waitFor();
  await ben.me.click();
  const dialog = ben.page.getByRole('dialog', { name: 'Change display name' });
  assert.equal(await dialog.getByRole('textbox', { name: 'Display name' }).inputValue(), 'Ben');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await ben.rename('Benedikta');
  await anna.line('Ben is now Benedikta').waitFor();
  await anna.member('Benedikta').waitFor();
  await ben.say('it is me');
  await anna.sent('it is me').getByText('Benedikta', { exact: true }).waitFor();
  const again = await ben.page.context().newPage();
  await again.goto(ben.page.url());
  await again.locator('#me').getByText('Benedikta', { exact: true }).waitFor();
}));

test('an invalid name is refused with the reason', () => visit([{ name: 'Anna' }], async (anna) => {
  await anna.me.click();
  const dialog = anna.page.getByRole('dialog');
  const name = dialog.getByRole('textbox', { name: 'Display name' });
  const save = dialog.getByRole('button', { name: 'Save' });
  await name.fill('x'.repeat(34));
  await dialog.getByText('2 characters too long').waitFor();
  await save.click();
  await name.fill('   ');
  await save.click();
  await dialog.getByText('Enter a name.').waitFor();
  // Only the server knows that this name is not allowed.
  await name.fill('bell\u0007');
  await save.click();
  await dialog.waitFor({ state: 'hidden' });
  await anna.notice.getByText(/name/i).waitFor();
  await anna.me.getByText('Anna', { exact: true }).waitFor();
  const again = await anna.page.context().newPage();
  await again.goto(anna.page.url());
  await again.locator('#me').getByText('Anna', { exact: true }).waitFor();
}));

// ---- presence

test('typing is shown while somebody types', () => visit(TWO, async (anna, ben, { server }) => {
  await anna.enter('Room 1');
  await ben.enter('Room 1');
  await ben.text.pressSequentially('I th');
  await anna.showed('typing', /^\u2068?Ben\u2069? is typing…$/);
  assert.equal(await ben.typing.textContent(), '');
  await ben.say('I think so');
  await anna.sent('I think so').waitFor();
  await anna.typing.getByText('is typing…').waitFor({ state: 'detached' });
  const guests = [];
  for (const name of ['Carl', 'Dora', 'Emil', 'Fay']) guests.push(await guest(server, name));
  await anna.member('Fay').waitFor();
  const [carl, dora] = guests;
  carl.send('{"type":"typing"}');
  await anna.showed('typing', /Carl.* is typing…/);
  dora.send('{"type":"typing"}');
  await anna.showed('typing', /Carl.* and .*Dora.* are typing…/);
  for (const one of guests) one.send('{"type":"typing"}');
  await anna.showed('typing', /4 people are typing…/);
  for (const one of guests) leave(one);
  await anna.typing.getByText(/typing/).waitFor({ state: 'detached' });
}));

test('after a restart everybody has their own name, whoever reconnects first', () => visit([
  { name: 'Anna', allowed: AWAY }, { name: 'Ben', allowed: AWAY },
], async (anna, ben, { server }) => {
  for (const tab of [anna, ben]) await tab.enter('Room 1');
  await anna.member('Ben').waitFor();
  const own = (tab) => tab.members.getByRole('listitem').filter({ hasText: '(you)' });
  await own(anna).getByText('Anna', { exact: true }).waitFor();
  // The server has no history, so ids start again, and Ben gets the id that was Anna's.
  await server.kill();
  await anna.page.context().setOffline(true);
  await server.restart();
  await ben.showed('banner', /Reconnected/);
  await anna.page.context().setOffline(false);
  await anna.member('Ben').waitFor();
  await ben.member('Anna').waitFor();
  for (const [tab, name] of [[anna, 'Anna'], [ben, 'Ben']]) {
    await own(tab).getByText(name, { exact: true }).waitFor();
    assert.equal(await own(tab).count(), 1);
  }
}));

test('a member whose connection is lost is away, also for those who come later, until they are back', () => visit([{ name: 'Anna' }], async (anna, { server, open }) => {
  await anna.enter('Room 1');
  const ben = await Talker.enter(server, { name: 'Ben' });
  const away = (tab) => tab.members.getByRole('listitem').filter({ hasText: 'Ben (away)' });
  await anna.member('Ben').waitFor();
  assert.equal(await away(anna).count(), 0);
  ben.socket.terminate();
  await away(anna).waitFor();
  const cleo = await open({ name: 'Cleo' });
  await cleo.enter('Room 1');
  await away(cleo).waitFor();
  const back = await Talker.connect(server.socketUrl, { protocols: ['wschat.v2', `session.${ben.welcome.session}`] });
  await back.go(1);
  await away(anna).waitFor({ state: 'detached' });
  await away(cleo).waitFor({ state: 'detached' });
  assert.equal(await anna.log.getByText('Ben left').count(), 0);
  back.close();
}, QUICK));

test('many joins and departures are one line', () => visit([{ name: 'Anna' }], async (anna, { server }) => {
  await anna.enter('Room 1');
  const guests = [];
  for (let i = 1; i <= 12; i += 1) guests.push(await guest(server, `Guest ${i}`));
  const line = anna.log.locator('.line:not(.head)');
  await line.getByText(/^Guest 1, .*Guest 8 and 4 others joined/).waitFor();
  assert.equal(await line.count(), 1);
  assert.equal(await anna.members.getByRole('listitem').count(), 13);
  for (const one of guests.slice(1)) leave(one);
  await line.getByText(/Guest 1 joined · Guest 2, .*Guest 9 and 3 others joined and left/).waitFor();
  assert.equal(await line.count(), 1);
  await anna.say('quiet now');
  await anna.sent('quiet now').waitFor();
  leave(guests[0]);
  await line.getByText('Guest 1 left').waitFor();
  assert.equal(await line.count(), 2);
}, QUICK));

test('a member of a large room is found by name, and mentioned from the menu there', () => visit([{ name: 'Anna' }], async (anna, { server }) => {
  await anna.enter('Room 1');
  const choose = (name) => anna.page.getByRole('menu').getByRole('menuitem', { name, exact: true }).click();
  const search = anna.members.getByRole('searchbox', { name: 'Search members' });
  assert.equal(await search.count(), 0);
  for (let i = 1; i <= 14; i += 1) await guest(server, `Guest ${i}`);
  await search.fill('guest 7');
  await anna.member('Guest 7').waitFor();
  assert.equal(await anna.members.getByRole('listitem').count(), 1);
  await anna.text.fill('Hello');
  await anna.member('Guest 7').getByRole('button').click();
  await choose('Mention');
  assert.equal(await anna.text.inputValue(), 'Hello @Guest 7 ');
  await search.fill('nobody');
  await anna.members.getByRole('listitem').first().waitFor({ state: 'detached' });
}, QUICK));

test('everyone has a colour, the same everywhere', () => visit(TWO, async (anna, ben) => {
  await anna.enter('Room 1');
  await ben.enter('Room 1');
  await ben.say('Which one am I?');
  await anna.sent('Which one am I?').waitFor();
  const hue = (locator) => locator.evaluate((node) => node.className.match(/hue-\d+/)[0]);
  const ofBen = await hue(anna.member('Ben').locator('.avatar'));
  assert.equal(await hue(anna.message('Which one am I?').locator('.who')), ofBen);
  assert.equal(await hue(anna.message('Which one am I?').locator('.avatar')), ofBen);
  assert.equal(await hue(ben.me.locator('.avatar')), ofBen);
  assert.notEqual(await hue(anna.me.locator('.avatar')), ofBen);
}));

for (const colorScheme of ['light', 'dark']) {
  test(`every user colour has enough contrast, ${colorScheme}`, () => visit([{ colorScheme }], async (tab) => {
    const poor = await tab.page.evaluate(() => {
      const pen = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
      const probe = document.body.appendChild(document.createElement('span'));
      const luminance = (colour) => {
        probe.style.color = colour;
        pen.fillStyle = getComputedStyle(probe).color;
        pen.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3)
          .map((one) => one / 255).map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const contrast = (a, b) => {
        const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y);
        return (light + 0.05) / (dark + 0.05);
      };
      const pairs = [['var(--user)', 'var(--ground)'], ['var(--user)', 'var(--surface)'], ['#fff', 'var(--user-ground)']];
      const found = [];
      for (let hue = 0; hue < 12; hue += 1) {
        probe.className = `hue-${hue}`;
        for (const [a, b] of pairs) if (contrast(a, b) < 4.5) found.push(`hue-${hue}: ${a} on ${b}: ${contrast(a, b)}`);
      }
      probe.remove();
      return found;
    });
    assert.deepEqual(poor, []);
  }));
}

// ---- notifications

/** A browser that grants notifications and records them, and a page that a test can hide. */
const CALLED = {
  async before(page) {
    await page.addInitScript(() => {
      const told = { asked: 0, made: [] };
      let permission = 'default';
      globalThis.told = told;
      globalThis.Notification = class extends EventTarget {
        static get permission() { return permission; }
        static async requestPermission() {
          told.asked += 1;
          permission = 'granted';
          return permission;
        }
        constructor(title, { body }) {
          super();
          told.made.push({ title, body });
          Object.defineProperty(told, 'last', { value: this, configurable: true });
        }
        close() {}
      };
      let isHidden = false;
      Object.defineProperty(document, 'visibilityState', { get: () => (isHidden ? 'hidden' : 'visible') });
      Object.defineProperty(document, 'hidden', { get: () => isHidden });
      document.hasFocus = () => !isHidden;
      globalThis.lookAway = (isAway) => {
        isHidden = isAway;
        document.dispatchEvent(new Event('visibilitychange'));
      };
    });
  },
};
const told = ({ page }) => page.evaluate(() => globalThis.told);
const looksAway = ({ page }, isAway = true) => page.evaluate((away) => globalThis.lookAway(away), isAway);
const hasTitle = ({ page }, title) => page.waitForFunction((words) => document.title === words, title);

async function turnOnNotifications({ page }) {
  await page.getByRole('button', { name: 'Settings' }).click();
  const settings = page.getByRole('dialog', { name: 'Settings' });
  const mentions = settings.getByRole('switch', { name: 'When someone mentions you' });
  assert.equal(await mentions.getAttribute('aria-checked'), 'false');
  await mentions.click();
  await settings.getByRole('switch', { name: 'When someone mentions you', checked: true }).waitFor();
  await settings.getByRole('button', { name: 'Close' }).click();
}

test('a mention notifies a user who looks elsewhere, if they have turned it on', () => visit([
  { name: 'Anna', ...CALLED }, { name: 'Ben' },
], async (anna, ben) => {
  await anna.enter('Room 1');
  await ben.enter('Room 1');
  const hears = async (text) => {
    await ben.say(text);
    await anna.sent(text).waitFor();
  };
  await looksAway(anna);
  await hears('@Anna before you asked');
  assert.deepEqual(await told(anna), { asked: 0, made: [] });
  await looksAway(anna, false);
  await turnOnNotifications(anna);
  assert.equal((await told(anna)).asked, 1);
  await hears('@Anna while you look');
  await looksAway(anna);
  await hears('nobody is meant');
  await hears('@Anna come here');
  assert.deepEqual((await told(anna)).made, [{ title: 'Ben in Room 1', body: 'Ben: @Anna come here' }]);
  await ben.say('@Anna **now** :wave:');
  await anna.page.waitForFunction(() => globalThis.told.made.length === 2);
  assert.deepEqual((await told(anna)).made.at(-1), { title: 'Ben in Room 1', body: 'Ben: @Anna now 👋' }, 'in plain words');
  await looksAway(anna, false);
  await anna.choose('Mute');
  await looksAway(anna);
  await hears('@Anna but it is muted');
  assert.equal((await told(anna)).made.length, 2);
}));

/** The tones that the page plays are counted. */
const HEARD = {
  async before(page) {
    await CALLED.before(page);
    await page.addInitScript(() => {
      localStorage.setItem('wschat.sound', 'true');
      globalThis.tones = 0;
      const { start } = OscillatorNode.prototype;
      OscillatorNode.prototype.start = function count(...when) {
        globalThis.tones += 1;
        start.apply(this, when);
      };
    });
  },
};

test('a mention in another room sounds, and notifies a user who looks elsewhere; its notification leads there', () => visit([
  { name: 'Anna', ...HEARD }, { name: 'Ben' },
], async (anna, ben) => {
  const tones = () => anna.page.evaluate(() => globalThis.tones);
  await anna.enter('Room 1');
  await ben.enter('Room 2');
  await turnOnNotifications(anna);
  assert.equal(await tones(), 0);
  await ben.say('@Anna come over');
  await anna.page.waitForFunction(() => globalThis.tones > 0);
  const once = await tones();
  assert.deepEqual((await told(anna)).made, [], 'whoever looks at the page sees it there');
  await hasTitle(anna, '(@1) Room 1 – wschat');
  await looksAway(anna);
  await ben.say('@Anna really');
  await anna.page.waitForFunction(() => globalThis.told.made.length === 1);
  assert.deepEqual((await told(anna)).made, [{ title: 'Room 2', body: 'You were mentioned in Room 2.' }]);
  assert.ok(await tones() <= 2 * once, 'at most once in two seconds');
  await anna.page.evaluate(() => globalThis.told.last.dispatchEvent(new Event('click')));
  await anna.isIn('Room 2');
}));

test('unread messages are counted in the title and mark the icon, until the user looks', () => visit([
  { name: 'Anna', ...CALLED }, { name: 'Ben' },
], async (anna, ben) => {
  const icon = () => anna.page.locator('#favicon').getAttribute('href');
  await anna.enter('Room 1');
  await ben.enter('Room 1');
  await hasTitle(anna, 'Room 1 – wschat');
  await ben.say('seen');
  await anna.sent('seen').waitFor();
  await hasTitle(anna, 'Room 1 – wschat');
  assert.match(await icon(), /^icon\.svg/);
  await looksAway(anna);
  await ben.say('one');
  await ben.say('two');
  await hasTitle(anna, '(2) Room 1 – wschat');
  assert.match(await icon(), /^icon-unread\.svg/);
  await looksAway(anna, false);
  await hasTitle(anna, 'Room 1 – wschat');
  assert.match(await icon(), /^icon\.svg/);
  await anna.line(/^New messages$/).waitFor();
}));

test('a muted room is counted only in the list, also after a reload', () => visit(TWO, async (anna, ben) => {
  await anna.enter('Room 1');
  await ben.enter('Room 1');
  await anna.choose('Mute');
  await anna.room('Room 1').getByText('muted').waitFor();
  await anna.enter('Room 2');
  await anna.page.getByRole('button', { name: 'More', exact: true }).click();
  await anna.page.getByRole('menuitem', { name: 'Mute', exact: true }).waitFor();
  await anna.page.keyboard.press('Escape');
  await anna.page.reload();
  await anna.isIn('Room 2');
  await ben.say('psst');
  await anna.room('Room 1').getByText('1 new message').waitFor();
  assert.equal(await anna.page.title(), 'Room 2 – wschat');
  await anna.enter('Room 1');
  await anna.choose('Unmute');
  await anna.room('Room 1').getByText('muted').waitFor({ state: 'detached' });
}));
