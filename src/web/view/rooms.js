// The list of rooms, the form for a new one, and the user's own name.

import { formatLink } from '../core/link.js';
import { visible } from '../text/names.js';
import { avatar } from './avatar.js';
import { byId, element, icon, reconcile, setAttribute, setText } from './dom.js';
import { t } from './words.js';

/** Above this the unread count is not exact, which keeps the badge narrow. */
const MOST_UNREAD = 99;

export class RoomsView {
  #chat;
  #go;
  #shownMe = '';

  /** `go.room()` shows the room's pane, `go.name()` asks for a name. */
  constructor(chat, go) {
    this.#chat = chat;
    this.#go = go;
    byId('create').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#create();
    });
    byId('title').addEventListener('input', () => this.#validateTitle());
    byId('me').addEventListener('click', () => go.name());
  }

  /** Goes to the room `by` steps further down the list; to the first one if no room is open. */
  step(by) {
    const ids = [...this.#chat.state.rooms.keys()];
    if (ids.length === 0) return;
    const { room, entering } = this.#chat.state;
    const at = ids.indexOf((entering ?? room)?.id);
    this.#choose(ids[at < 0 ? 0 : (at + by + ids.length) % ids.length]);
  }

  draw() {
    const { rooms, isListed } = this.#chat.state;
    byId('rooms-hint').hidden = rooms.size > 0;
    setText(byId('rooms-hint'), t(isListed ? 'rooms_none' : 'rooms_loading'));
    reconcile(byId('rooms'), [...rooms.values()], (room) => this.#make(room), (item, room) => this.#update(item, room));
    this.#drawMe();
  }

  #make({ id }) {
    const link = element('a', '', element('bdi', 'title'), element('span', 'state'), element('span', 'unread'), element('span', 'count'));
    link.href = formatLink({ room: id });
    link.addEventListener('click', (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey) return; // opens another tab
      event.preventDefault();
      this.#choose(id);
    });
    return element('li', '', link);
  }

  #update(item, { id, title, userCount }) {
    const { room, entering } = this.#chat.state;
    const link = item.firstElementChild;
    const [name, state, unread, count] = link.children;
    const unreadCount = this.#chat.state.unread(id);
    const isMuted = this.#chat.isMuted(id);
    const isCurrent = (entering ?? room)?.id === id;
    // There may be a thousand rooms, and most have not changed.
    const looks = JSON.stringify([title, userCount, unreadCount, isMuted, isCurrent]);
    if (item.dataset.looks === looks) return;
    item.dataset.looks = looks;
    setText(name, visible(title));
    setAttribute(link, 'aria-current', isCurrent ? 'true' : null);
    link.className = [unreadCount > 0 && 'has-unread', isMuted && 'is-muted'].filter(Boolean).join(' ');
    updateBadge(state, isMuted ? t('room_muted') : '', () => [icon('bellOff'), unseen(t('room_muted'))]);
    const words = unreadCount > MOST_UNREAD ? t('room_unread_many', { count: MOST_UNREAD }) : t('room_unread', { count: unreadCount });
    updateBadge(unread, unreadCount > 0 ? words : '', () => [
      shown(unreadCount > MOST_UNREAD ? `${MOST_UNREAD}+` : String(unreadCount)),
      unseen(words),
    ]);
    const people = t('room_people', { count: userCount });
    updateBadge(count, people, () => [icon('people'), shown(String(userCount)), unseen(people)]);
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

  #choose(id) {
    this.#chat.enter(id);
    this.#go.room();
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

/** Redraws `node` only when its words have changed; hides it when it has none. */
function updateBadge(node, words, fill) {
  if (node.dataset.words === words) return;
  node.dataset.words = words;
  node.hidden = words === '';
  node.replaceChildren(...(words === '' ? [] : fill()));
}

/** For screen readers only. */
const unseen = (...words) => element('span', 'unseen', ' ', ...words);

/** For the eye only. */
function shown(text) {
  const made = element('span', '', text);
  made.setAttribute('aria-hidden', 'true');
  return made;
}
