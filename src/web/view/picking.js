// The button of the picker, and its panel. The picker itself is loaded when it is opened for the first time.

import { byId } from './dom.js';
import { addStyles } from './styles.js';
import { toast } from './toast.js';
import { t } from './words.js';

export class PickerPanel {
  #options;
  #panel = byId('picker');
  #toggle = byId('picker-toggle');
  #picker = null;
  #wanted = null;

  /** `options` are those of `Picker`, without what the panel has. */
  constructor(options) {
    this.#options = options;
    this.#toggle.addEventListener('click', () => this.toggle());
  }

  /** Opens at a tab, `emoji` or `gifs`, or at the last one. Closing returns to the message box. */
  async toggle(tab) {
    if (!this.#panel.hidden && (tab ?? this.#picker.tab) === this.#picker.tab) {
      this.close();
      byId('text').focus();
      return;
    }
    const wanted = {};
    this.#wanted = wanted;
    try {
      const [{ Picker }] = await Promise.all([import('./picker.js'), addStyles('style/picker.css')]);
      this.#picker ??= new Picker({ ...this.#options, panel: this.#panel, close: () => this.close() });
      await this.#picker.prepare();
    } catch {
      toast(t('emoji_failed'));
      return;
    }
    if (this.#wanted !== wanted) return;
    this.#panel.hidden = false;
    this.#toggle.setAttribute('aria-expanded', 'true');
    this.#picker.open(tab);
  }

  /** Closes without moving the focus, for a change of room. */
  close() {
    this.#wanted = null;
    this.#panel.hidden = true;
    this.#toggle.setAttribute('aria-expanded', 'false');
  }
}
