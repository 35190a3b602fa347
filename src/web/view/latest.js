// The button that leads to the newest messages, with the number of unread ones.

import { element, icon } from './dom.js';
import { t } from './words.js';

export class LatestButton {
  #button;
  #shown = '';

  constructor(button, act) {
    this.#button = button;
    button.addEventListener('click', act);
  }

  get hasFocus() {
    return document.activeElement === this.#button;
  }

  draw({ isNeeded, unread }) {
    this.#button.hidden = !isNeeded;
    if (!isNeeded) return;
    const words = unread > 0 ? t('to_latest_new', { count: unread }) : t('to_latest');
    if (words === this.#shown) return;
    this.#shown = words;
    this.#button.replaceChildren(icon('down'), element('span', '', words));
    this.#button.title = t('to_latest');
    this.#button.classList.toggle('has-new', unread > 0);
  }
}
