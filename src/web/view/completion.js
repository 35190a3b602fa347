// The suggestions above the message box while `:name` or `@name` is being typed.

import { completion } from '../text/complete.js';
import { visible } from '../text/names.js';
import { byId, element, setAttribute } from './dom.js';

export class CompletionView {
  #box;
  #chat;
  #list = byId('completion');
  /** The result of text/complete.js, and the index of the selected option. */
  #offer = null;
  #chosen = 0;

  constructor(box, chat) {
    this.#box = box;
    this.#chat = chat;
    box.addEventListener('blur', () => this.close());
    // Not `click`: the box keeps the focus, and a phone its keyboard.
    this.#list.addEventListener('pointerdown', (event) => {
      event.preventDefault();
      const index = [...this.#list.children].indexOf(event.target.closest('li'));
      if (index >= 0) this.#take(index);
    });
  }

  update() {
    const { selectionStart, selectionEnd, value } = this.#box;
    const { people: members, me } = this.#chat.state;
    this.#offer = selectionStart === selectionEnd ? completion(value, selectionStart, { members, me }) : null;
    this.#chosen = 0;
    this.#draw();
  }

  close() {
    this.#offer = null;
    this.#draw();
  }

  /** Handles a key. Returns whether it was meant for the suggestions. */
  key(event) {
    if (!this.#offer || event.shiftKey || event.altKey || event.ctrlKey || event.metaKey) return false;
    const { length } = this.#offer.options;
    switch (event.key) {
      case 'ArrowDown': this.#choose((this.#chosen + 1) % length); break;
      case 'ArrowUp': this.#choose((this.#chosen + length - 1) % length); break;
      case 'Enter':
      case 'Tab': this.#take(this.#chosen); break;
      case 'Escape': this.close(); break;
      default: return false;
    }
    event.preventDefault();
    event.stopPropagation();
    return true;
  }

  #choose(index) {
    this.#chosen = index;
    this.#draw();
  }

  #take(index) {
    const { start, end, options } = this.#offer;
    this.#box.setRangeText(options[index].insert, start, end, 'end');
    this.close();
    this.#box.dispatchEvent(new Event('input'));
  }

  #draw() {
    const options = this.#offer?.options ?? [];
    this.#list.hidden = options.length === 0;
    this.#list.replaceChildren(...options.map(({ label, detail }, index) => {
      const item = element('li', '', element('bdi', '', visible(label)), ...(detail ? [element('span', 'detail', detail)] : []));
      item.id = `option-${index}`;
      item.setAttribute('role', 'option');
      item.setAttribute('aria-selected', String(index === this.#chosen));
      return item;
    }));
    setAttribute(this.#box, 'aria-activedescendant', options.length === 0 ? null : `option-${this.#chosen}`);
    this.#list.children[this.#chosen]?.scrollIntoView({ block: 'nearest' });
  }
}
