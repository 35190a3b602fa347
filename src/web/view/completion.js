// The suggestions above the message box while `:name` or `@name` is being typed. Loaded by completing.js.

import { completion } from '../text/complete.js';
import { visible } from '../text/names.js';
import { locale } from './words.js';
import { byId, element, setAttribute } from './dom.js';
import { insertText } from './insert.js';
import { twinsOf } from './twins.js';

export class CompletionView {
  #box;
  #chat;
  #list = byId('completion');
  #recent;
  /** The words for emoji in the language of the page, once they are wanted. */
  #emoji;
  /** The result of text/complete.js, and the index of the selected option; -1 is none. */
  #offer = null;
  #chosen = 0;

  /** `recent` are the user's emoji. */
  constructor(box, chat, recent) {
    this.#box = box;
    this.#chat = chat;
    this.#recent = recent;
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
    const { state } = this.#chat;
    const { people: members, me } = state;
    const isAtCaret = selectionStart === selectionEnd;
    this.#offer = isAtCaret ? completion(value, selectionStart, {
      members, me, twins: value.includes('@') ? twinsOf(state) : null, emoji: this.#emoji ?? undefined, recent: this.#recent.list,
    }) : null;
    if (this.#emoji === undefined && value.slice(0, selectionStart).includes(':')) this.#loadWords();
    this.#chosen = this.#offer?.isOffered ? -1 : 0;
    this.#draw();
  }

  async #loadWords() {
    this.#emoji = null; // Asked for once, and again when the page has not got them.
    try {
      const { loadEmojiWords } = await import('../text/emoji/words.js');
      this.#emoji = await loadEmojiWords(locale());
      if (document.activeElement === this.#box) this.update();
    } catch {
      this.#emoji = undefined;
    }
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
      case 'ArrowUp': this.#choose(this.#chosen <= 0 ? length - 1 : this.#chosen - 1); break;
      case 'Enter':
      case 'Tab':
        if (this.#chosen < 0) return false;
        this.#take(this.#chosen);
        break;
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
    const { start, end, kind, options } = this.#offer;
    if (kind === 'emoji') this.#recent.use(options[index].glyph);
    this.close();
    insertText(this.#box, options[index].insert, start, end);
  }

  #draw() {
    const options = this.#offer?.options ?? [];
    this.#list.hidden = options.length === 0;
    this.#list.replaceChildren(...options.map(({ glyph, label, detail }, index) => {
      const parts = [['glyph', glyph], ['detail', detail]].map(([kind, text]) => (text ? [element('span', kind, text)] : []));
      const item = element('li', '', ...parts[0], element('bdi', '', visible(label)), ...parts[1]);
      item.id = `option-${index}`;
      item.setAttribute('role', 'option');
      item.setAttribute('aria-selected', String(index === this.#chosen));
      return item;
    }));
    setAttribute(this.#box, 'aria-activedescendant', this.#list.children[this.#chosen]?.id ?? null);
    this.#list.children[this.#chosen]?.scrollIntoView({ block: 'nearest' });
  }
}
