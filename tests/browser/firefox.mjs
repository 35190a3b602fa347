// Debian's Firefox over WebDriver BiDi, and a visitor in it who finds controls as a screen reader does.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before } from 'node:test';
import puppeteer from 'puppeteer-core';
import { fits, told, until } from './hands.mjs';
import { Visitor, Words } from './moves.mjs';
import { Proxy } from './proxy.mjs';
import { Server } from './server.mjs';

const FIREFOX = process.env.FIREFOX ?? '/usr/bin/firefox-esr';

/** Why there is no Firefox here: an option for tests. */
export const skip = !existsSync(FIREFOX) && `there is no ${FIREFOX}`;

/** All of Firefox speaks this language, since it is a setting of the browser. */
const LOCALE = 'de-DE';
/** What Firefox calls these roles. */
const ROLES = { img: 'image' };
const LAUNCH_MS = 120_000;

/** What Firefox reports while the server or the network is down, for stories that take it down. */
export const AWAY = /can’t establish a connection to the server|was interrupted while the page was loading/;

/** A pointer that is fine (2) and hovers (4). */
const MOUSE = 6;

const launch = () => puppeteer.launch({
  browser: 'firefox',
  protocol: 'webDriverBiDi',
  executablePath: FIREFOX,
  headless: true,
  timeout: LAUNCH_MS,
  protocolTimeout: LAUNCH_MS,
  extraPrefsFirefox: {
    'intl.accept_languages': `${LOCALE}, ${LOCALE.slice(0, 2)}`,
    // Without a screen it believes that there is no mouse, either.
    'ui.primaryPointerCapabilities': MOUSE,
    'ui.allPointerCapabilities': MOUSE,
  },
});

/**
 * Sets up Firefox for a file of tests. Returns `visit(story, options)`, which runs a story with one visitor on a fresh
 * server behind a proxy: `story(does, { server, proxy, tab, words })`. Afterwards the page must have behaved. Options:
 * `settings` of the server, `hash` of the address, and `allowed`, console messages that the story provokes.
 */
export function stageFirefox() {
  let browser;
  before(async () => {
    if (!skip) browser = await launch();
  }, { timeout: LAUNCH_MS });
  after(() => browser?.close());
  return async (story, { settings, ...options } = {}) => {
    const server = await Server.start(settings);
    const proxy = await Proxy.start(server);
    const context = await browser.createBrowserContext();
    try {
      const words = await Words.load(LOCALE);
      const tab = await FirefoxTab.open(context, proxy.url, options);
      await story(new Visitor(new FirefoxHand(tab.page), words), { server, proxy, tab, words });
      await tab.close();
    } finally {
      await context.close();
      proxy.stop();
      await server.stop();
    }
  };
}

/** A page that records everything it should not do. */
class FirefoxTab {
  page;
  #allowed;
  #complaints = [];

  static async open(context, url, { hash = '', allowed, viewport = { width: 1100, height: 720 } }) {
    const tab = new FirefoxTab();
    tab.#allowed = allowed;
    tab.page = await context.newPage();
    await tab.page.setViewport(viewport);
    await tab.#watch(new URL(url).host);
    await tab.page.goto(url + hash);
    return tab;
  }

  async #watch(host) {
    const { page } = this;
    const complain = (words) => {
      if (!this.#allowed?.test(words)) this.#complaints.push(words);
    };
    page.on('console', (message) => {
      if (['error', 'warn'].includes(message.type())) complain(`console: ${message.text()}`);
    });
    page.on('pageerror', (error) => complain(`page error: ${error}`));
    page.on('dialog', (dialog) => {
      complain(`dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
    page.on('request', (request) => {
      if (new URL(request.url()).host !== host) complain(`foreign: ${request.url()}`);
    });
    page.on('response', (response) => {
      if (response.status() >= 400) complain(`${response.status()}: ${response.url()}`);
    });
    await page.evaluateOnNewDocument(() => document.addEventListener('securitypolicyviolation', (event) => {
      console.error(`content security policy: ${event.violatedDirective} ${event.blockedURI}`);
    }));
  }

  /** Closes the page and asserts that it behaved. */
  async close() {
    await this.page.close();
    assert.deepEqual(this.#complaints, []);
  }
}

/** Runs in the page: the name of a control, nearly as a screen reader gets it, which WebDriver does not tell. */
function nameOf(node) {
  if (node.hasAttribute('aria-label')) return node.getAttribute('aria-label');
  const pieces = [];
  const texts = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    if (!texts.currentNode.parentElement.closest('[aria-hidden="true"]')) pieces.push(texts.currentNode.data.trim());
  }
  return pieces.filter(Boolean).join(' ');
}

/** A hand (see hands.mjs) that finds controls by role and name, and uses the mouse and the keys of Firefox. */
class FirefoxHand {
  page;

  constructor(page) {
    this.page = page;
  }

  async press(path) {
    await this.#act(path, (control) => control.click());
  }

  async write(path, text) {
    await this.#act(path, (box) => box.evaluate((node) => {
      node.focus();
      node.select();
    }));
    await this.page.keyboard.type(text);
  }

  add(text) {
    return this.page.keyboard.type(text);
  }

  async sees(path) {
    await until(told(path), () => this.has(path));
  }

  async gone(path) {
    await until(`the end of ${told(path)}`, async () => !await this.has(path));
  }

  async has(path) {
    const control = await this.#find(path);
    return Boolean(control) && await control.isVisible();
  }

  async reads(path, words) {
    await until(`“${words}” in ${told(path)}`, async () => {
      const text = await (await this.#find(path))?.evaluate((node) => node.textContent);
      if (text === undefined) return false;
      return typeof words === 'string' ? text.toLowerCase().includes(words.toLowerCase()) : words.test(text);
    });
  }

  async value(path) {
    return (await this.#find(path)).evaluate((node) => node.value);
  }

  /** The page may redraw what was found; then it is looked for again. */
  async #act(path, act) {
    await until(told(path), async () => {
      const control = await this.#find(path);
      if (!control || !await control.isVisible()) return false;
      try {
        await act(control);
        return true;
      } catch (error) {
        if (/stale|no such node|not clickable|detached/i.test(error.message)) return false;
        throw error;
      }
    });
  }

  async #find(path) {
    let inside = this.page;
    for (const [role, name] of path) {
      inside = await this.#step(inside, role, name);
      if (!inside) return undefined;
    }
    return inside;
  }

  async #step(inside, role, name) {
    const quoted = typeof name === 'string' ? `[name=${JSON.stringify(name)}]` : '';
    const found = await inside.$$(`::-p-aria([role="${ROLES[role] ?? role}"]${quoted})`);
    if (typeof name === 'string') return found[0];
    for (const one of found) {
      if (fits(await one.evaluate(nameOf), name)) return one;
    }
    return undefined;
  }
}
