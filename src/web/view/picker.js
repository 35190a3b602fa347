// The picker above the message box: emoji by group, with a search, and GIFs. Loaded when it is wanted.

import { loadEmojiWords } from '../text/emoji/words.js';
import { EMOJI, EMOJI_GROUPS, findEmoji } from '../text/emoji.js';
import { byId, element } from './dom.js';
import { picture } from './picture.js';
import { locale, t } from './words.js';

const MOST_FOUND = 60;

/** Short names are better than none, if the words cannot be loaded. */
const SHORT_NAMES = {
  names: new Map([...EMOJI].map(([name, character]) => [character, name.replaceAll('_', ' ')])),
  words: new Map(),
};

export class Picker {
  #chat;
  #recent;
  #insert;
  #close;
  #words = null;
  #shownGifs = null;
  #tabs = element('div', 'tabs');
  #search = element('input');
  #emoji = element('div', 'emoji-grid');
  #gifs = element('div', 'gif-grid');
  #panels;
  #tab = 'emoji';

  /** `insert(text)` writes at the caret; `close()` hides the panel; `recent` are the user's emoji. */
  constructor({ chat, recent, insert, panel, close }) {
    this.#chat = chat;
    this.#recent = recent;
    this.#insert = insert;
    this.#close = close;
    this.#panels = { emoji: element('div', '', this.#search, this.#emoji), gifs: element('div', '', this.#gifs) };
    this.#build();
    panel.replaceChildren(this.#tabs, ...Object.values(this.#panels));
    panel.addEventListener('keydown', (event) => this.#key(event));
    this.#emoji.addEventListener('click', (event) => this.#takeEmoji(event));
  }

  get tab() {
    return this.#tab;
  }

  async prepare() {
    this.#words ??= await loadEmojiWords(locale()).catch(() => SHORT_NAMES);
  }

  open(tab = this.#tab) {
    this.#search.value = '';
    this.#drawEmoji();
    this.#drawGifs();
    this.#show(tab);
    // On a touch screen, the focus in the search would open the keyboard over the emoji.
    if (tab === 'gifs') (this.#gifs.querySelector('button') ?? this.#tabs.children[1]).focus();
    else if (matchMedia('(pointer: coarse)').matches) this.#tabs.children[0].focus();
    else this.#search.focus();
  }

  #build() {
    this.#tabs.setAttribute('role', 'tablist');
    this.#tabs.setAttribute('aria-label', t('picker'));
    const labels = { emoji: t('emoji'), gifs: t('gifs') };
    for (const [name, panel] of Object.entries(this.#panels)) {
      panel.id = `picker-${name}`;
      panel.setAttribute('role', 'tabpanel');
      panel.setAttribute('aria-labelledby', `tab-${name}`);
      const tab = element('button', 'plain', labels[name]);
      tab.type = 'button';
      tab.id = `tab-${name}`;
      tab.setAttribute('role', 'tab');
      tab.setAttribute('aria-controls', panel.id);
      tab.addEventListener('click', () => this.#show(name));
      this.#tabs.append(tab);
    }
    this.#search.type = 'search';
    this.#search.dir = 'auto';
    this.#search.autocomplete = 'off';
    this.#search.placeholder = t('emoji_find');
    this.#search.setAttribute('aria-label', t('emoji_find'));
    this.#search.addEventListener('input', () => this.#drawEmoji());
    this.#gifs.setAttribute('role', 'group');
    this.#gifs.setAttribute('aria-label', t('gifs_choose'));
  }

  #show(name) {
    this.#tab = name;
    for (const tab of this.#tabs.children) {
      const isShown = tab.id === `tab-${name}`;
      tab.setAttribute('aria-selected', String(isShown));
      tab.tabIndex = isShown ? 0 : -1;
    }
    for (const [key, panel] of Object.entries(this.#panels)) panel.hidden = key !== name;
  }

  // ---- emoji

  #drawEmoji() {
    const typed = this.#search.value.trim();
    const found = findEmoji(typed, MOST_FOUND, this.#words.words).map(({ character }) => character);
    const recent = this.#recent.list.filter((character) => this.#words.names.has(character));
    const groups = typed !== '' ? [['found', found]] : [['recent', recent], ...EMOJI_GROUPS];
    const parts = groups.filter(([, characters]) => characters.length > 0).map((group) => this.#group(...group));
    const none = element('p', 'hint', t('emoji_none'));
    none.setAttribute('role', 'status');
    this.#emoji.replaceChildren(...(parts.length > 0 ? parts : [none]));
    this.#emoji.scrollTop = 0;
    const first = this.#emoji.querySelector('button');
    if (first) first.tabIndex = 0;
  }

  #group(name, characters) {
    const heading = element('h3', '', t(`emoji_${name}`));
    heading.id = `emoji-${name}`;
    const group = element('div', 'group', ...characters.map((character) => {
      const button = element('button', 'plain', character);
      button.type = 'button';
      button.tabIndex = -1;
      button.title = this.#words.names.get(character);
      button.setAttribute('aria-label', button.title);
      return button;
    }));
    group.setAttribute('role', 'group');
    group.setAttribute('aria-labelledby', heading.id);
    return element('div', '', heading, group);
  }

  #takeEmoji({ target, detail }) {
    const button = target.closest('button');
    if (!button) return;
    this.#use(button.textContent);
    // By keyboard one is chosen; with a pointer it may be several.
    if (detail === 0) this.#leave();
  }

  #use(character) {
    this.#recent.use(character);
    this.#insert(character);
  }

  #leave() {
    this.#close();
    byId('text').focus();
  }

  // ---- GIFs

  #drawGifs() {
    const { gifs } = this.#chat.state;
    if (this.#shownGifs === gifs) return;
    this.#shownGifs = gifs;
    const buttons = gifs.map(({ id, alt }) => {
      const words = t(`gif: ${alt}`);
      const button = element('button', 'plain', picture(`gifs/${id}.gif`, words, { isThumbnail: true }));
      button.type = 'button';
      button.title = words;
      button.addEventListener('click', () => {
        this.#chat.gif(id);
        this.#leave();
      });
      return button;
    });
    this.#gifs.replaceChildren(...(buttons.length > 0 ? buttons : [element('p', 'hint', t('gifs_none'))]));
  }

  // ---- keys

  #key(event) {
    const { key, target } = event;
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (key === 'Escape') {
      event.stopPropagation();
      this.#leave();
    } else if (target === this.#search) {
      this.#keyInSearch(event);
    } else if (target.getAttribute('role') === 'tab') {
      if (!['ArrowLeft', 'ArrowRight', 'Home', 'End'].includes(key)) return;
      event.preventDefault();
      this.#show(this.#tab === 'emoji' ? 'gifs' : 'emoji');
      byId(`tab-${this.#tab}`).focus();
    } else {
      this.#move(event);
    }
  }

  #keyInSearch(event) {
    const first = this.#emoji.querySelector('button');
    if (event.isComposing || !first || (event.key !== 'ArrowDown' && event.key !== 'Enter')) return;
    event.preventDefault();
    if (event.key === 'ArrowDown') {
      this.#moveTo(first);
    } else if (this.#search.value.trim() !== '') {
      this.#use(first.textContent);
      this.#leave();
    }
  }

  /** Arrow keys move as the buttons are laid out. */
  #move(event) {
    const panel = event.target.closest('.emoji-grid, .gif-grid');
    const from = event.target.closest('button');
    if (!panel || !from) return;
    const buttons = [...panel.querySelectorAll('button')];
    const at = buttons.indexOf(from);
    const along = getComputedStyle(panel).direction === 'rtl' ? -1 : 1;
    const to = {
      ArrowRight: () => buttons[at + along],
      ArrowLeft: () => buttons[at - along],
      ArrowDown: () => nearest(from, buttons.slice(at + 1), 1),
      ArrowUp: () => nearest(from, buttons.slice(0, at).reverse(), -1) ?? (panel === this.#emoji ? this.#search : undefined),
      Home: () => buttons[0],
      End: () => buttons.at(-1),
    }[event.key]?.();
    if (!to) return;
    event.preventDefault();
    this.#moveTo(to);
  }

  #moveTo(button) {
    if (button.closest('.emoji-grid')) {
      for (const other of this.#emoji.querySelectorAll('[tabindex="0"]')) other.tabIndex = -1;
      button.tabIndex = 0;
    }
    button.focus();
  }
}

/** The button of the next row, in a list that goes away from `from`, that is closest to it. */
function nearest(from, others, step) {
  const { left, top } = from.getBoundingClientRect();
  let row = null;
  let best = null;
  for (const other of others) {
    const box = other.getBoundingClientRect();
    if ((box.top - top) * step < 1) continue;
    row ??= box.top;
    if (Math.abs(box.top - row) > 1) break;
    if (best === null || Math.abs(box.left - left) < best.apart) best = { other, apart: Math.abs(box.left - left) };
  }
  return best?.other;
}
