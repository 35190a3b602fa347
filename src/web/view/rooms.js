// The list of rooms with its order and its filter, the form for a new one, and the user's own name.

import { formatLink } from '../core/link.js';
import { visible } from '../text/names.js';
import { avatar } from './avatar.js';
import { byId, element, icon, isComposing, reconcile, setAttribute, setText } from './dom.js';
import { filter } from './filter.js';
import { RoomSorting } from './sorting.js';
import { locale, t } from './words.js';

/** Above this the unread count is not exact, which keeps the badge narrow. */
const MOST_UNREAD = 99;
/** So many rooms are seen at a glance, and need no filter. */
const FEW = 8;

export class RoomsView {
  #chat;
  #go;
  #sorting;
  #list = byId('rooms');
  #filter = byId('room-filter');
  /** The rooms in the list, from top to bottom. */
  #shown = [];
  #current = null;
  #shownMe = '';

  /** `go.room()` shows the room's pane, `go.name()` asks for a name. */
  constructor(chat, storage, go) {
    this.#chat = chat;
    this.#go = go;
    this.#sorting = new RoomSorting(storage, locale());
    byId('create').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#create();
    });
    byId('title').addEventListener('input', () => this.#validateTitle());
    byId('me').addEventListener('click', () => go.name());
    byId('room-sort').value = this.#sorting.by;
    byId('room-sort').addEventListener('change', ({ target }) => {
      this.#sorting.by = target.value;
      this.draw();
    });
    this.#filter.addEventListener('input', () => this.draw());
    this.#filter.addEventListener('keydown', (event) => this.#filterKey(event));
    this.#list.addEventListener('pointerleave', () => this.draw());
    this.#list.addEventListener('focusout', () => queueMicrotask(() => this.draw()));
  }

  /** Goes to the room `by` steps further down the list; to the first one if no room is open. */
  step(by) {
    const ids = this.#shown.map(({ id }) => id);
    if (ids.length === 0) return;
    const { room, entering } = this.#chat.state;
    const at = ids.indexOf((entering ?? room)?.id);
    this.choose(ids[at < 0 ? 0 : (at + by + ids.length) % ids.length]);
  }

  choose(id) {
    this.#filter.value = '';
    this.#chat.enter(id);
    this.#go.room();
  }

  draw() {
    const { rooms, isListed, room, entering } = this.#chat.state;
    this.#filter.hidden = rooms.size <= FEW;
    if (this.#filter.hidden) this.#filter.value = '';
    byId('room-sort').hidden = rooms.size < 2;
    const ordered = this.#inOrder();
    this.#shown = filter(ordered, this.#filter.value);
    const hint = byId('rooms-hint');
    hint.hidden = this.#shown.length > 0;
    if (!hint.hidden) setText(hint, t(rooms.size > 0 ? 'rooms_none_found' : isListed ? 'rooms_none' : 'rooms_loading'));
    // The others are only hidden: there may be hundreds, which come back with every letter that is deleted.
    const ids = new Set(this.#shown.map(({ id }) => id));
    reconcile(this.#list, ordered, (one) => this.#make(one), (item, one) => this.#update(item, one, !ids.has(one.id)));
    const current = (entering ?? room)?.id ?? null;
    if (current !== this.#current) this.#reveal(current);
    this.#askActivity();
    this.#drawMe();
  }

  /** Those in sight come first. */
  #askActivity() {
    const unknown = this.#sorting.unknown(this.#shown.map(({ id }) => id), this.#chat.state);
    if (unknown.length === 0) return;
    const { top, bottom } = this.#list.getBoundingClientRect();
    const inSight = new Set([...this.#list.children].filter((item) => {
      const box = item.getBoundingClientRect();
      return box.bottom > top && box.top < bottom;
    }).map(({ dataset }) => Number(dataset.id)));
    this.#chat.previews(unknown.toSorted((a, b) => inSight.has(b) - inSight.has(a)));
  }

  /** While somebody points at a room, or is at it by keyboard, it stays where it is. */
  #inOrder() {
    const sorted = this.#sorting.sorted(this.#chat.state);
    const isHeld = this.#list.matches(':hover') || this.#list.contains(document.activeElement);
    if (this.#sorting.by !== 'activity' || !isHeld) return sorted;
    const places = new Map(Array.from(this.#list.children, ({ dataset }, index) => [Number(dataset.id), index]));
    return sorted.sort((a, b) => (places.get(a.id) ?? places.size) - (places.get(b.id) ?? places.size));
  }

  /** Scrolls the list to the room that has just been opened, perhaps by a link. */
  #reveal(id) {
    const item = [...this.#list.children].find(({ dataset }) => dataset.id === String(id));
    if (!item && id !== null) return; // not in the list yet
    this.#current = id;
    item?.scrollIntoView({ block: 'nearest' });
  }

  #filterKey(event) {
    if (isComposing(event)) return;
    const { key } = event;
    if (key === 'Escape' && this.#filter.value !== '') this.#clearFilter();
    else if (key === 'Enter' && this.#shown.length > 0) this.choose(this.#shown[0].id);
    else if (key === 'ArrowDown') this.#list.querySelector(':not([hidden]) > a')?.focus();
    else return;
    event.preventDefault();
  }

  #clearFilter() {
    this.#filter.value = '';
    this.draw();
  }

  #make({ id }) {
    const parts = ['state', 'mentions', 'unread', 'count'].map((name) => element('span', name));
    const link = element('a', '', element('bdi', 'title'), ...parts);
    link.href = formatLink({ room: id });
    link.addEventListener('click', (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey) return; // opens another tab
      event.preventDefault();
      this.choose(id);
    });
    return element('li', '', link);
  }

  #update(item, { id, title, userCount }, isHidden) {
    const { state } = this.#chat;
    const { room, entering } = state;
    const unread = state.unread(id);
    const mentions = state.mentions(id);
    const isMuted = this.#chat.isMuted(id);
    const isCurrent = (entering ?? room)?.id === id;
    item.hidden = isHidden;
    // There may be a thousand rooms, and most have not changed.
    const looks = JSON.stringify([title, userCount, unread, mentions, isMuted, isCurrent]);
    if (item.dataset.looks === looks) return;
    item.dataset.looks = looks;
    const link = item.firstElementChild;
    setText(link.children[0], visible(title));
    setAttribute(link, 'aria-current', isCurrent ? 'true' : null);
    link.className = [unread + mentions > 0 && 'has-unread', isMuted && 'is-muted'].filter(Boolean).join(' ');
    drawBadges(link, { userCount, unread, mentions, isMuted });
  }

  #drawMe() {
    const { me } = this.#chat.state;
    byId('me').hidden = !me;
    if (!me || this.#shownMe === `${me.id} ${me.name}`) return;
    this.#shownMe = `${me.id} ${me.name}`;
    const name = element('bdi', '', visible(me.name));
    byId('me').replaceChildren(
      avatar(me.id, me.name),
      element('span', 'name', name, unseen(t('name_change'))),
      icon('pencil'),
    );
  }

  #create() {
    const box = byId('title');
    if (box.value.trim() === '' || !box.checkValidity()) return box.reportValidity();
    this.#chat.create(box.value);
    box.value = '';
  }

  #validateTitle() {
    const box = byId('title');
    const over = [...box.value.trim()].length - this.#chat.state.limits.maxTitleChars;
    box.setCustomValidity(over > 0 ? t('room_title_long', { count: over }) : '');
  }
}

function drawBadges(link, { userCount, unread, mentions, isMuted }) {
  const [, state, mention, news, people] = link.children;
  updateBadge(state, isMuted ? t('room_muted') : '', () => [icon('bellOff')]);
  updateBadge(mention, mentions > 0 ? t('room_mentions', { count: mentions }) : '', () => [shown(`@${cut(mentions)}`)]);
  const words = unread > MOST_UNREAD ? t('room_unread_many', { count: MOST_UNREAD }) : t('room_unread', { count: unread });
  updateBadge(news, unread > 0 ? words : '', () => [shown(cut(unread))]);
  const here = userCount > 0 ? t('room_people', { count: userCount }) : '';
  updateBadge(people, here, () => [icon('people'), shown(String(userCount))]);
}

const cut = (count) => (count > MOST_UNREAD ? `${MOST_UNREAD}+` : String(count));

/** Redraws a badge only when its words have changed; hides it when it has none. */
function updateBadge(node, words, fill) {
  if (node.dataset.words === words) return;
  node.dataset.words = words;
  node.hidden = words === '';
  node.replaceChildren(...(words === '' ? [] : [...fill(), unseen(words)]));
}

/** For screen readers only. */
const unseen = (...words) => element('span', 'unseen', ' ', ...words);

/** For the eye only. */
function shown(text) {
  const made = element('span', '', text);
  made.setAttribute('aria-hidden', 'true');
  return made;
}
