// A real browser, and tabs that record everything a page should not do.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { chromium } from 'playwright-core';
import { Proxy } from './proxy.mjs';
import { Server } from './server.mjs';

const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** How long to wait for anything on a page. */
const TIMEOUT_MS = 20_000;

/** The time limit of a whole story. */
const STORY_TIMEOUT_MS = 150_000;

/** Console messages of the browser while the server or the network is down, for tests that take it down. */
export const AWAY = /^WebSocket connection to '[^']*' failed|net::ERR_(CONNECTION_REFUSED|CONNECTION_RESET|EMPTY_RESPONSE|INTERNET_DISCONNECTED)/;

const DESKTOP = { viewport: { width: 1100, height: 720 } };
export const PHONE = { viewport: { width: 390, height: 780 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

/**
 * For a click, tap or hover in the log whose position matters after it. Otherwise Playwright scrolls whatever moves when it
 * is to be pressed, and a log that was scrolled up follows the conversation no longer.
 */
export const IN_PLACE = { scroll: 'none' };

export const launch = () => chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ARGUMENTS,
  headless: true,
});

/**
 * Sets up the browser for a file of tests. Returns `visit(visitors, story, options)`, which runs a story against a
 * fresh server, with one tab per visitor (see `Tab.open`).
 *
 * The story is called as `story(...tabs, { server, proxy, browser, open })`; `open(visitor)` opens another tab. When
 * the story ends, every open tab is closed, and must have behaved.
 *
 * Options: `settings`, `fillable` and `governed` as in `Server.start`; with `isProxied` the tabs connect through a `Proxy`.
 */
export function stage() {
  let browser;
  before(async () => { browser = await launch(); });
  after(() => browser.close());
  return async (visitors, story, { settings, fillable, governed, isProxied = false } = {}) => {
    const server = await Server.start(settings, { fillable, governed });
    const proxy = isProxied ? await Proxy.start(server) : null;
    try {
      const tabs = [];
      const open = async (visitor) => {
        const tab = await Tab.open(browser, (proxy ?? server).url, visitor);
        tabs.push(tab);
        return tab;
      };
      const first = [];
      for (const visitor of visitors) first.push(await open(visitor));
      await inTime(story(...first, { server, proxy, browser, open }));
      await Promise.all(tabs.map((tab) => tab.close()));
    } finally {
      await Promise.all(browser.contexts().map((context) => context.close()));
      proxy?.stop();
      await server.stop();
    }
  };
}

async function inTime(story) {
  const timer = new AbortController();
  const isLate = async () => {
    await setTimeout(STORY_TIMEOUT_MS, undefined, { signal: timer.signal });
    throw new Error(`the story was not over after ${STORY_TIMEOUT_MS / 1_000} seconds`);
  };
  try {
    await Promise.race([story, isLate()]);
  } finally {
    timer.abort();
  }
}

/** Runs in the page: the visitor has been here before, and wanted no name. */
function wantNoName() {
  if (localStorage.getItem('wschat.name') === null) localStorage.setItem('wschat.name', '""');
}

/** The parts of the page whose texts disappear by themselves, by id. */
const TRANSIENTS = ['banner', 'pace', 'toast', 'typing'];

/** Runs in the page: records every text that these parts show, for `Tab.showed`. */
function recordTransients(ids) {
  globalThis.shown = Object.fromEntries(ids.map((id) => [id, []]));
  // The parts exist by now, and no script of the page has run yet.
  document.addEventListener('readystatechange', () => {
    for (const id of ids) {
      const part = document.getElementById(id);
      const record = () => globalThis.shown[id].push(part.textContent);
      new MutationObserver(record).observe(part, { childList: true, characterData: true, subtree: true });
    }
  }, { once: true });
}

/** One visitor with the page open, in a browser context of their own, so that nothing is shared. */
export class Tab {
  page;
  #allowed;
  #complaints = [];
  #isClosed = false;

  /**
   * `name`: the answer to the first visit's question. Without one the visitor has said before that they want none; with
   * `isGreeted: false` the question stays.
   * `hash`: the hash of the address, which may name a room. `before(page)` runs before the page is opened. `allowed`:
   * console messages that the test provokes. All other options are for the browser context.
   */
  static async open(browser, url, { name, isGreeted = true, hash = '', before: prepare, allowed, ...context } = {}) {
    const tab = new Tab();
    tab.#allowed = allowed;
    tab.page = await (await browser.newContext({ ...DESKTOP, locale: 'en-GB', ...context })).newPage();
    tab.page.setDefaultTimeout(TIMEOUT_MS);
    await tab.#watch(new URL(url).host);
    if (isGreeted && name === undefined) await tab.page.addInitScript(wantNoName);
    await prepare?.(tab.page);
    await tab.page.goto(url + hash);
    if (isGreeted) await tab.greet(name);
    return tab;
  }

  /** Records every complaint: console errors, exceptions, failed requests, foreign requests, policy violations. */
  async #watch(host) {
    const { page } = this;
    page.on('console', (message) => {
      const words = `${message.text()} ${message.location().url}`;
      const isBad = ['error', 'warning'].includes(message.type()) && !this.#allowed?.test(words);
      if (isBad) this.#complaints.push(`console: ${words}`);
    });
    page.on('pageerror', (error) => this.#complaints.push(`page error: ${error}`));
    page.on('dialog', (dialog) => {
      this.#complaints.push(`dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
    page.on('response', (response) => {
      if (response.status() >= 400) this.#complaints.push(`${response.status()}: ${response.url()}`);
    });
    const sameOrigin = (url) => {
      if (new URL(url).host !== host) this.#complaints.push(`foreign: ${url}`);
    };
    page.on('request', (request) => sameOrigin(request.url()));
    page.on('websocket', (socket) => sameOrigin(socket.url()));
    await page.exposeFunction('reportViolation', (what) => this.#complaints.push(`content security policy: ${what}`));
    await page.addInitScript(() => document.addEventListener('securitypolicyviolation', (event) => {
      globalThis.reportViolation(`${event.violatedDirective} ${event.blockedURI}`);
    }));
    await page.addInitScript(recordTransients, TRANSIENTS);
  }

  /** Another page of the same visitor, which is closed with this one. */
  beside(page) {
    const tab = new Tab();
    tab.page = page;
    page.setDefaultTimeout(TIMEOUT_MS);
    return tab;
  }

  /** Closes the tab and asserts that the page behaved. */
  async close() {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.page.context().close();
    assert.deepEqual(this.#complaints, []);
  }

  // ---- what a visitor does

  /** Says who one is: in the welcome, or in the dialog if a link leads to a room. Waits for the connection. */
  async greet(name) {
    if (name !== undefined) {
      await this.page.locator('#welcome-name:visible, #name:visible').fill(name);
      await this.page.keyboard.press('Enter');
      await this.me.getByText(name, { exact: true }).waitFor({ state: 'attached' });
    }
    // By a link a phone shows the room, and the own name is in another pane.
    await this.page.locator('#me:not([hidden])').waitFor({ state: 'attached' });
  }

  async rename(name) {
    await this.me.click();
    await this.#fillName(name);
  }

  async #fillName(name) {
    await this.page.locator('#name').fill(name);
    await this.page.keyboard.press('Enter');
    await this.me.getByText(name, { exact: true }).waitFor();
  }

  async enter(title) {
    await this.room(title).click();
    await this.isIn(title);
  }

  /** Waits until the room is on screen and the server has us in it. */
  async isIn(title) {
    await this.page.locator('#room:not(.away)').filter({ has: this.title(title) }).waitFor();
  }

  /** Creates a room, which enters it. */
  async create(title) {
    await this.page.getByLabel('New room').fill(title);
    await this.page.getByRole('button', { name: 'Create', exact: true }).click();
    await this.isIn(title);
  }

  /** Chooses from the menu of the room. */
  async choose(name) {
    await this.page.getByRole('button', { name: 'More', exact: true }).click();
    await this.page.getByRole('menuitem', { name, exact: true }).click();
  }

  async leave() {
    await this.choose('Leave');
    await this.page.locator('#room').waitFor({ state: 'hidden' });
  }

  /** From now on clicks "Try now" whenever it is offered. */
  impatient() {
    return this.banner.evaluate((banner) => {
      const tryNow = () => {
        if (banner.dataset.kind === 'waiting') banner.querySelector('button')?.click();
      };
      new MutationObserver(tryNow).observe(banner, { childList: true, subtree: true });
      tryNow();
    });
  }

  /** Sends the event that the browser sends when the network is back. */
  wake() {
    return this.page.evaluate(() => dispatchEvent(new Event('online')));
  }

  /** Uses the button, because the Enter key may accept a suggestion. */
  async say(text) {
    await this.text.fill(text);
    await this.page.getByRole('button', { name: 'Send', exact: true }).click();
  }

  /** Opens the picker at the GIFs. */
  async openGifs() {
    await this.page.getByRole('button', { name: 'Emoji and GIFs', exact: true }).click();
    await this.page.getByRole('tab', { name: 'GIFs', exact: true }).click();
  }

  async gif(alt) {
    await this.openGifs();
    await this.shelf.getByRole('button', { name: alt, exact: true }).click();
  }

  // ---- what a visitor sees

  /**
   * Waits until a transient part of the page has shown a matching text since the last call. The text may be gone by
   * now: on a busy machine, one that is shown for two seconds is easily missed.
   */
  async showed(id, pattern) {
    const { source, flags } = pattern;
    await this.page.waitForFunction((wanted) => {
      const texts = globalThis.shown[wanted.id];
      const index = texts.findIndex((text) => new RegExp(wanted.source, wanted.flags).test(text));
      texts.splice(0, index + 1);
      return index >= 0;
    }, { id, source, flags });
  }

  /** The visitor's own name, which is the button to change it. */
  get me() {
    return this.page.locator('#me');
  }

  /** The message box. */
  get text() {
    return this.page.getByRole('textbox', { name: 'Message', exact: true });
  }

  get log() {
    return this.page.getByRole('log', { name: 'Messages' });
  }

  get shelf() {
    return this.page.getByRole('group', { name: 'Choose a GIF' });
  }

  get members() {
    return this.page.getByRole('complementary', { name: 'Members' });
  }

  /** The state of the connection; empty while all is well. */
  get banner() {
    return this.page.locator('#banner');
  }

  get notice() {
    return this.page.locator('#notice');
  }

  /** Next to the message box: why messages are not being sent. */
  get pace() {
    return this.page.locator('#pace');
  }

  get typing() {
    return this.page.locator('#typing');
  }

  get toast() {
    return this.page.locator('#toast');
  }

  get rooms() {
    return this.page.getByRole('navigation', { name: 'Rooms' });
  }

  /** A room in the list. */
  room(title) {
    return this.page.locator('#rooms').getByRole('link').filter({ has: this.page.getByText(title, { exact: true }) });
  }

  title(title) {
    return this.page.getByRole('heading', { name: title, exact: true });
  }

  member(name) {
    return this.members.getByRole('listitem').filter({ has: this.page.getByText(name, { exact: true }) });
  }

  /** A message, by its text. */
  message(text) {
    return this.log.getByRole('listitem').filter({ has: this.page.getByText(text, { exact: true }) });
  }

  /** A message that the server has acknowledged or sent. */
  sent(text) {
    return this.message(text).and(this.page.locator('[data-seq]'));
  }

  /** A row of the log by part of its text: presence, a day, a divider. */
  line(words) {
    return this.log.getByRole('listitem').filter({ hasText: words });
  }

  /** The texts of the messages on the page, oldest first, without unacknowledged ones. */
  texts() {
    return this.page.locator('#entries > .said[data-seq] .content').allInnerTexts();
  }
}
