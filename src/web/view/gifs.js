// The GIF picker: a panel of thumbnails above the message box.

import { t } from './words.js';
import { byId, element } from './dom.js';
import { picture } from './picture.js';

export class GifsView {
  #chat;
  #panel = byId('gifs');
  #toggle = byId('gifs-toggle');
  #shown = null;

  constructor(chat) {
    this.#chat = chat;
    this.#toggle.addEventListener('click', () => this.toggle());
    this.#panel.addEventListener('keydown', (event) => this.#key(event));
  }

  toggle(isOpen = this.#panel.hidden) {
    this.#fill();
    this.#panel.hidden = !isOpen;
    this.#toggle.setAttribute('aria-expanded', String(isOpen));
    if (isOpen) this.#panel.querySelector('button')?.focus();
    else this.#toggle.focus();
  }

  /** Closes without moving the focus, for a change of room. */
  close() {
    this.#panel.hidden = true;
    this.#toggle.setAttribute('aria-expanded', 'false');
  }

  #fill() {
    const { gifs } = this.#chat.state;
    if (this.#shown === gifs) return;
    this.#shown = gifs;
    const buttons = gifs.map(({ id, alt }) => {
      const words = t(`gif: ${alt}`);
      const button = element('button', 'plain', picture(`gifs/${id}.gif`, words, { isThumbnail: true }));
      button.type = 'button';
      button.title = words;
      button.addEventListener('click', () => {
        this.#chat.gif(id);
        this.close();
        byId('text').focus();
      });
      return button;
    });
    this.#panel.replaceChildren(...(buttons.length > 0 ? buttons : [element('p', 'hint', t('gifs_none'))]));
  }

  /** Arrow keys move as the thumbnails are laid out. */
  #key(event) {
    if (event.key === 'Escape') {
      event.stopPropagation();
      return this.toggle(false);
    }
    const buttons = [...this.#panel.querySelectorAll('button')];
    const at = buttons.indexOf(document.activeElement);
    const columns = buttons.filter(({ offsetTop }) => offsetTop === buttons[0].offsetTop).length;
    const along = getComputedStyle(this.#panel).direction === 'rtl' ? -1 : 1;
    const steps = { ArrowRight: along, ArrowLeft: -along, ArrowDown: columns, ArrowUp: -columns };
    const to = event.key === 'Home' ? 0 : event.key === 'End' ? buttons.length - 1 : at + steps[event.key];
    if (at < 0 || !buttons[to]) return undefined;
    event.preventDefault();
    return buttons[to].focus();
  }
}
