// A real browser, and tabs that write down everything a page should not do.

import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';

const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** What has not happened by then does not happen. */
const PATIENCE_MS = 10_000;

export const launch = () => chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ARGUMENTS,
  headless: true,
});

/** One visitor: a context of its own, so that nothing is shared with the others, with the page open. */
export class Tab {
  page;
  #allowed;
  #complaints = [];

  /** `allowed`: what the browser may say on its console, for a test that provokes it. */
  static async open(browser, url, { allowed, ...context } = {}) {
    const tab = new Tab();
    tab.#allowed = allowed;
    tab.page = await (await browser.newContext({ viewport: { width: 1100, height: 720 }, ...context })).newPage();
    tab.page.setDefaultTimeout(PATIENCE_MS);
    await tab.#watch(new URL(url).host);
    await tab.page.goto(url);
    await tab.page.getByRole('status').getByText('Connected', { exact: true }).waitFor();
    return tab;
  }

  async #watch(host) {
    const { page } = this;
    page.on('console', (message) => {
      const bad = ['error', 'warning'].includes(message.type()) && !this.#allowed?.test(message.text());
      if (bad) this.#complaints.push(`console: ${message.text()}`);
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
  }

  /** Ends the visit; the page must have behaved. */
  async close() {
    await this.page.context().close();
    assert.deepEqual(this.#complaints, []);
  }

  // ---- what a visitor does

  async enter(title) {
    await this.room(title).click();
    await this.page.getByRole('heading', { name: title, exact: true }).waitFor();
    await this.line(/entered the room/).last().waitFor();
  }

  async say(text) {
    await this.page.getByLabel('Message', { exact: true }).fill(text);
    await this.page.keyboard.press('Enter');
  }

  async rename(name) {
    await this.page.getByLabel('Your name').fill(name);
    await this.page.keyboard.press('Enter');
  }

  async create(title) {
    await this.page.getByLabel('New room').fill(title);
    await this.page.getByRole('button', { name: 'Create' }).click();
  }

  async gif(alt) {
    await this.page.getByRole('button', { name: 'GIF', exact: true }).click();
    await this.page.getByRole('group', { name: 'Choose a GIF' }).getByRole('button', { name: alt }).click();
  }

  // ---- what a visitor sees

  get log() {
    return this.page.getByRole('log');
  }

  get members() {
    return this.page.getByRole('complementary', { name: 'Members' });
  }

  get notice() {
    return this.page.getByRole('alert');
  }

  room(title) {
    return this.page.getByRole('list', { name: 'Rooms' }).getByRole('button').filter({ hasText: title });
  }

  /** A message, by its text. */
  message(text) {
    return this.log.getByRole('listitem').filter({ has: this.page.getByText(text, { exact: true }) });
  }

  /** Someone came, went or has another name. */
  line(words) {
    return this.log.getByRole('listitem').filter({ hasText: words });
  }
}
