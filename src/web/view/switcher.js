// The switcher: a dialog to go to a room by a few letters of its title. Loaded when it is first wanted.

import { visible } from '../text/names.js';
import { button, element, icon, isComposing, reconcile, setAttribute, setText } from './dom.js';
import { find } from './filter.js';
import { byActivity } from './sorting.js';
import { t } from './words.js';

/** Whoever wants another room types one letter more. */
const MOST_SHOWN = 50;

export class Switcher {
  #chat;
  #choose;
  #dialog = element('dialog');
  #field = element('input');
  #list = element('ul');
  #none = element('p', 'hint');
  #shown = [];
  #chosen = 0;

  /** `choose(roomId)` goes to a room. */
  constructor(chat, choose) {
    this.#chat = chat;
    this.#choose = choose;
    this.#build();
  }

  toggle() {
    if (this.#dialog.open) return this.#dialog.close();
    this.#field.value = '';
    this.#search();
    this.#dialog.showModal();
    this.#field.focus();
  }

  #build() {
    this.#dialog.id = 'switcher';
    this.#dialog.setAttribute('aria-label', t('switcher'));
    const field = this.#field;
    Object.assign(field, { id: 'switcher-field', type: 'text', autocomplete: 'off', dir: 'auto', enterKeyHint: 'go' });
    field.placeholder = t('switcher_find');
    const attributes = {
      role: 'combobox', 'aria-label': t('switcher_find'), 'aria-autocomplete': 'list', 'aria-expanded': 'true',
      'aria-controls': 'switcher-list',
    };
    for (const [name, value] of Object.entries(attributes)) field.setAttribute(name, value);
    field.addEventListener('input', () => this.#search());
    this.#list.id = 'switcher-list';
    this.#list.setAttribute('role', 'listbox');
    this.#list.setAttribute('aria-label', t('rooms'));
    this.#none.setAttribute('role', 'status');
    const close = button('plain', t('close'), () => this.#dialog.close(), 'close');
    this.#dialog.append(element('div', 'find', icon('search'), field, close), this.#list, this.#none);
    this.#dialog.addEventListener('keydown', (event) => this.#key(event));
    this.#dialog.addEventListener('click', ({ target }) => {
      if (target === this.#dialog) this.#dialog.close(); // beside it
      const id = target.closest('[role="option"]')?.dataset.id;
      if (id !== undefined) this.#go(Number(id));
    });
    document.body.append(this.#dialog);
  }

  /** The best match first; among equals mentions, then what is unread, then where something was said last. */
  #search() {
    const { state } = this.#chat;
    const weight = ({ id }) => {
      if (id === state.room?.id) return -1; // nobody wants to go where they are
      if (state.mentions(id) > 0) return 2;
      return state.unread(id) > 0 && !this.#chat.isMuted(id) ? 1 : 0;
    };
    const rooms = byActivity([...state.rooms.values()], state).map((room) => ({ room, weight: weight(room) }));
    const ranked = rooms.sort((a, b) => b.weight - a.weight).map(({ room }) => room);
    this.#shown = find(ranked, this.#field.value).slice(0, MOST_SHOWN);
    this.#chosen = 0;
    this.#draw();
  }

  #draw() {
    reconcile(this.#list, this.#shown, ({ id }) => {
      const item = element('li', '', element('bdi', 'title'), element('span', 'news'));
      item.id = `switcher-${id}`;
      item.setAttribute('role', 'option');
      return item;
    }, (item, { id, title }) => {
      setText(item.firstElementChild, visible(title));
      setText(item.lastElementChild, this.#news(id));
    });
    setText(this.#none, this.#shown.length === 0 ? t('rooms_none_found') : '');
    this.#mark();
  }

  #news(id) {
    const { state } = this.#chat;
    const [mentions, unread] = [state.mentions(id), state.unread(id)];
    if (mentions > 0) return t('room_mentions', { count: mentions });
    return unread > 0 ? t('room_unread', { count: unread }) : '';
  }

  #mark() {
    const chosen = this.#list.children[this.#chosen] ?? null;
    for (const item of this.#list.children) setAttribute(item, 'aria-selected', String(item === chosen));
    setAttribute(this.#field, 'aria-activedescendant', chosen?.id ?? null);
    chosen?.scrollIntoView({ block: 'nearest' });
  }

  #key(event) {
    const { ctrlKey, metaKey, key, target } = event;
    if (isComposing(event)) return;
    const last = this.#shown.length - 1;
    if ((ctrlKey || metaKey) && key.toLowerCase() === 'k') this.#dialog.close();
    else if (target !== this.#field) return;
    else if (key === 'ArrowDown') this.#move(this.#chosen === last ? 0 : this.#chosen + 1);
    else if (key === 'ArrowUp') this.#move(this.#chosen === 0 ? last : this.#chosen - 1);
    else if (key === 'Enter' && this.#shown.length > 0) this.#go(this.#shown[this.#chosen].id);
    else return;
    event.preventDefault();
  }

  #move(to) {
    this.#chosen = Math.max(0, to);
    this.#mark();
  }

  #go(id) {
    this.#dialog.close();
    this.#choose(id);
  }
}
