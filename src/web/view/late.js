// A view that is loaded when there is something for it to show.

import { toast } from './toast.js';
import { t } from './words.js';

/** A view that could not be loaded is asked for again after this time. */
const AGAIN_MS = 3_000;

export class LateView {
  /** Null until it is loaded. */
  view = null;
  #isWanted;
  #load;
  #loaded;
  #isLoading = false;

  /** `load()` resolves to the view, and is called once `isWanted()`. `loaded()` is called when it is there, or may be asked for again. */
  constructor({ isWanted, load, loaded }) {
    this.#isWanted = isWanted;
    this.#load = load;
    this.#loaded = loaded;
  }

  draw() {
    if (this.view) this.view.draw();
    else if (!this.#isLoading && this.#isWanted()) this.#begin();
  }

  async #begin() {
    this.#isLoading = true;
    try {
      this.view = await this.#load();
      this.#loaded();
    } catch {
      toast(t('not_loaded'));
      setTimeout(() => {
        this.#isLoading = false;
        this.#loaded();
      }, AGAIN_MS);
    }
  }
}
