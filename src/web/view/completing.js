// Suggestions in the message box, which are loaded at the first `:` or `@`.

import { addStyles } from './styles.js';

/** What suggestions are for. */
const WANTED = /[:@]/;

export class Completing {
  #box;
  #options;
  #view = null;
  #isAsked = false;

  /** `options` are those of `CompletionView`, after the box. */
  constructor(box, ...options) {
    this.#box = box;
    this.#options = options;
  }

  update() {
    if (this.#view) this.#view.update();
    else if (WANTED.test(this.#box.value)) this.#load();
  }

  /** Without suggestions one can still write, so a failure is not told. The next letter tries again. */
  async #load() {
    if (this.#isAsked) return;
    this.#isAsked = true;
    try {
      const [{ CompletionView }] = await Promise.all([import('./completion.js'), addStyles('style/completion.css')]);
      this.#view = new CompletionView(this.#box, ...this.#options);
    } catch {
      this.#isAsked = false;
      return;
    }
    if (document.activeElement === this.#box) this.#view.update();
  }

  close() {
    this.#view?.close();
  }

  /** Handles a key. Returns whether it was meant for the suggestions. */
  key(event) {
    return this.#view?.key(event) ?? false;
  }
}
