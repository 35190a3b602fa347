// Ways to use the page, so that one story can be told by mouse, by touch, by keyboard, and through the accessibility
// tree as a screen reader does. Firefox has its own: firefox.mjs.
//
// All of them find a control as a person would: by a path of `[role, name]`, each inside the one before. A name is a
// string, or a pattern where the page adds something to it, such as a count.

import assert from 'node:assert/strict';
import { setTimeout } from 'node:timers/promises';

/** How long to wait for anything. */
const TIMEOUT_MS = 20_000;
const POLL_MS = 50;
/** More controls than any view has. */
const MOST_STOPS = 150;

/** The path as words, for what a failure says. */
export const told = (path) => path.map(([role, name]) => `${role} ${name ?? ''}`.trim()).join(' > ');

export const fits = (name, wanted) => (
  wanted === undefined || (typeof wanted === 'string' ? name === wanted : wanted.test(name))
);

/** Repeats `look` until it returns something, and returns that. */
export async function until(what, look) {
  const end = performance.now() + TIMEOUT_MS;
  for (;;) {
    const found = await look();
    if (found) return found;
    assert.ok(performance.now() < end, `${what} did not come`);
    await setTimeout(POLL_MS);
  }
}

/** By mouse. */
export class Mouse {
  page;

  constructor(page) {
    this.page = page;
  }

  /** Uses the control: what a click does. */
  press(path) {
    return this.at(path).click();
  }

  /** Replaces what the box contains, letter by letter. */
  async write(path, text) {
    await this.at(path).fill('');
    await this.at(path).click();
    await this.page.keyboard.type(text);
  }

  /** Adds to what the box contains. It has the focus. */
  add(text) {
    return this.page.keyboard.type(text);
  }

  sees(path) {
    return this.at(path).waitFor();
  }

  gone(path) {
    return this.at(path).waitFor({ state: 'hidden' });
  }

  /** Whether the control is there, now. */
  has(path) {
    return this.at(path).isVisible();
  }

  /** Waits until these words are inside. */
  reads(path, words) {
    return this.at(path).getByText(words).first().waitFor();
  }

  /** The text in a box. */
  value(path) {
    return this.at(path).inputValue();
  }

  /** Chooses the option with these words. */
  choose(path, words) {
    return this.at(path).selectOption({ label: words });
  }

  /** A phone has a room twice in the list: first as a card of the welcome. */
  at(path) {
    return path.reduce((inside, [role, name]) => (
      inside.getByRole(role, { name, exact: typeof name === 'string' }).first()), this.page);
  }
}

/** By touch, without a key or a mouse. The letters come from the keyboard on the screen, which sends whole words. */
export class Touch extends Mouse {
  press(path) {
    return this.at(path).tap();
  }

  async write(path, text) {
    await this.at(path).fill('');
    await this.at(path).tap();
    await this.add(text);
  }

  async add(text) {
    for (const word of text.split(/(?<= )/)) await this.page.keyboard.insertText(word);
  }
}

/** Whether the element with the focus shows it. */
const isFocusSeen = (page) => page.evaluate(() => {
  const focused = document.activeElement;
  // For a message, the outline is around its bubble.
  const shown = [focused.querySelector(':scope > .bubble') ?? focused, focused.parentElement, focused.closest('label, form')];
  return shown.some((node) => {
    const { outlineStyle, outlineWidth, boxShadow } = node ? getComputedStyle(node) : {};
    return node && ((outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2) || boxShadow !== 'none');
  });
});

/** By keyboard alone: Tab, arrows, Enter. Wherever it stops, the focus must be seen. */
export class Keyboard extends Mouse {
  async press(path) {
    await this.#goTo(path);
    const isBox = await this.at(path).evaluate((node) => node.matches('input:is([type=radio], [type=checkbox])'));
    await this.page.keyboard.press(isBox ? 'Space' : 'Enter');
  }

  async write(path, text) {
    await this.#goTo(path);
    await this.page.keyboard.press('ControlOrMeta+a');
    await this.page.keyboard.press('Delete');
    await this.page.keyboard.type(text);
  }

  async choose(path, words) {
    await this.#goTo(path);
    await this.page.keyboard.type(words);
  }

  async #goTo(path) {
    await this.sees(path);
    const target = await this.at(path).elementHandle();
    const isThere = () => target.evaluate((node) => document.activeElement === node || node.ariaSelected === 'true');
    // What Tab does not reach is reached by the arrows, from where the focus is: a suggestion, a tab, a grid.
    const isByArrows = () => target.evaluate((node) => (
      node.getAttribute('role') === 'option'
      || (node.tabIndex < 0 && Boolean(node.closest('[role="tablist"], [role="menu"], [role="tabpanel"]')?.matches(':focus-within')))
    ));
    const arrow = path.at(-1)[0] === 'tab' ? 'ArrowRight' : 'ArrowDown';
    for (let stops = 0; stops < MOST_STOPS; stops += 1) {
      if (await isThere()) {
        assert.ok(await isFocusSeen(this.page), `the focus is seen at ${told(path)}`);
        return;
      }
      await this.page.keyboard.press(await isByArrows() ? arrow : 'Tab');
    }
    assert.fail(`the keyboard never comes to ${told(path)}`);
  }
}

/** What Chromium's accessibility tree calls these roles. */
const ROLES = { img: 'image' };

/** Runs in the page: what the browser does when a screen reader asks for the default action. */
function defaultAction(node) {
  for (const type of ['pointerdown', 'mousedown', 'pointerup', 'mouseup']) {
    const Kind = type.startsWith('pointer') ? PointerEvent : MouseEvent;
    node.dispatchEvent(new Kind(type, { bubbles: true, cancelable: true, composed: true }));
  }
  node.click();
}

/**
 * Through the accessibility tree alone: finds a control in what a screen reader is told, and does its default action.
 * What is not in the tree, or has another name there, does not exist.
 */
export class Reader extends Mouse {
  #session;

  async press(path) {
    await this.#call(path, `function() { (${defaultAction})(this); }`);
  }

  async write(path, text) {
    await this.#call(path, 'function() { this.focus(); this.select(); }');
    await this.page.keyboard.insertText(text);
  }

  async add(text) {
    await this.page.keyboard.insertText(text);
  }

  async choose(path, words) {
    await this.#call(path, `function() {
      this.value = [...this.options].find(({ label }) => label === ${JSON.stringify(words)}).value;
      this.dispatchEvent(new Event('change', { bubbles: true }));
    }`);
  }

  async sees(path) {
    await until(told(path), () => this.has(path));
  }

  async gone(path) {
    await until(`the end of ${told(path)}`, async () => !await this.has(path));
  }

  async has(path) {
    return await this.#find(path) !== undefined;
  }

  async reads(path, words) {
    await until(`“${words}” in ${told(path)}`, async () => {
      const { all, isIn } = await this.#tree();
      const outer = this.#among(all, isIn, path);
      if (!outer) return false;
      const inside = all.filter((node) => node.role.value === 'StaticText' && isIn(node, outer));
      const text = inside.map((node) => node.name.value).join('');
      return typeof words === 'string' ? text.toLowerCase().includes(words.toLowerCase()) : words.test(text);
    });
  }

  async value(path) {
    return (await this.#find(path)).value?.value ?? '';
  }

  async #call(path, functionDeclaration) {
    const node = await until(told(path), () => this.#find(path));
    const session = await this.#cdp();
    const { object } = await session.send('DOM.resolveNode', { backendNodeId: node.backendDOMNodeId });
    await session.send('Runtime.callFunctionOn', { objectId: object.objectId, functionDeclaration, userGesture: true });
  }

  async #find(path) {
    const { all, isIn } = await this.#tree();
    return this.#among(all, isIn, path);
  }

  #among(all, isIn, path) {
    return path.reduce((outer, [role, name]) => outer && all.find((node) => (
      node.role.value === (ROLES[role] ?? role) && fits(node.name?.value ?? '', name) && isIn(node, outer)
    )), all[0]);
  }

  /** All nodes that are not ignored, and whether one is inside another. */
  async #tree() {
    const { nodes } = await (await this.#cdp()).send('Accessibility.getFullAXTree');
    const parents = new Map(nodes.map((node) => [node.nodeId, node.parentId]));
    const isIn = (node, outer) => {
      let id = node.nodeId;
      while (id !== undefined && id !== outer.nodeId) id = parents.get(id);
      return id === outer.nodeId;
    };
    return { all: nodes.filter(({ ignored, role }) => !ignored && role), isIn };
  }

  async #cdp() {
    if (!this.#session) {
      this.#session = await this.page.context().newCDPSession(this.page);
      await this.#session.send('Accessibility.enable');
    }
    return this.#session;
  }
}
