// The cards of the welcome: the liveliest rooms, each with who is there and what was last said.

import { formatLink } from '../core/link.js';
import { parse } from '../text/markdown.js';
import { onEmoji } from '../text/named.js';
import { visible } from '../text/names.js';
import { plainText, plainStart } from '../text/plain.js';
import { ago } from './ago.js';
import { avatar } from './avatar.js';
import { element, reconcile, setText } from './dom.js';
import { parts, t } from './words.js';

const MOST_CARDS = 12;
const MOST_FACES = 4;
const MOST_NAMES = 2;
/** Above this the unread count is not exact, which keeps the badge narrow. */
const MOST_UNREAD = 99;
/** What was last said is asked for at most this often while the cards are in view. */
const ASK_MS = 4_000;

export class CardsView {
  #chat;
  #list;
  #enter;
  /** The ids in the order in which they came into view: what is being read does not move. */
  #order = [];
  #askedAt = -Infinity;
  #asked = '';
  #timer;
  /** What each card shows. Not in the page, where it would give spoilers away. */
  #looks = new WeakMap();

  constructor(chat, list, enter) {
    this.#chat = chat;
    this.#list = list;
    this.#enter = enter;
    onEmoji(() => {
      for (const item of list.children) delete item.dataset.looks;
      this.draw();
    });
  }

  /** The cards are out of view, and may have another order when they are back. */
  forget() {
    clearTimeout(this.#timer);
    this.#order = [];
    this.#asked = '';
    this.#askedAt = -Infinity;
  }

  draw() {
    const { rooms } = this.#chat.state;
    const kept = this.#order.filter((id) => rooms.has(id));
    if (kept.length < Math.min(MOST_CARDS, rooms.size)) {
      const more = [...rooms.values()].filter(({ id }) => !kept.includes(id)).sort(byLife);
      kept.push(...more.slice(0, MOST_CARDS - kept.length).map(({ id }) => id));
    }
    this.#order = kept;
    this.#ask();
    reconcile(this.#list, kept.map((id) => rooms.get(id)), (room) => this.#make(room), (item, room) => this.#update(item, room));
  }

  focus() {
    this.#list.querySelector('a')?.focus();
  }

  /** Asks for previews when the rooms have changed, but not all the time; of a server that has them. */
  #ask() {
    const { phase, features, rooms } = this.#chat.state;
    if (phase !== 'online' || !features.includes('previews') || !this.#chat.previews || this.#order.length === 0) return;
    const looks = JSON.stringify(this.#order.map((id) => [id, rooms.get(id).seq, rooms.get(id).userCount]));
    if (looks === this.#asked) return;
    const wait = this.#askedAt + ASK_MS - performance.now();
    clearTimeout(this.#timer);
    if (wait > 0) {
      this.#timer = setTimeout(() => this.#ask(), wait);
      return;
    }
    this.#asked = looks;
    this.#askedAt = performance.now();
    this.#chat.previews(this.#order);
  }

  #make({ id }) {
    const card = element('a', 'card', element('bdi', 'title'), element('span', 'badges'), element('span', 'present'), element('span', 'last'));
    card.href = formatLink({ room: id });
    card.addEventListener('click', (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey) return; // opens another tab
      event.preventDefault();
      this.#enter(id);
    });
    return element('li', '', card);
  }

  #update(item, room) {
    const preview = this.#chat.state.previews?.get(room.id);
    const unread = this.#chat.state.unread(room.id);
    const mentions = this.#chat.state.mentions(room.id);
    const when = preview?.last ? ago(preview.last.time, Date.now()) : '';
    const looks = JSON.stringify([room, preview, unread, mentions, when]);
    if (this.#looks.get(item) === looks) return;
    this.#looks.set(item, looks);
    const [title, badges, present, last] = item.firstElementChild.children;
    setText(title, visible(room.title));
    badges.replaceChildren(...this.#badges(mentions, unread));
    present.hidden = room.userCount === 0 && preview !== undefined && !preview.last;
    present.replaceChildren(...presence(room, preview));
    last.hidden = !preview;
    last.replaceChildren(...(preview ? this.#last(preview, when) : []));
  }

  #badges(mentions, unread) {
    const made = [];
    if (mentions > 0) made.push(badge('mentioned', `@${mentions}`, t('room_mentions', { count: mentions })));
    if (unread > 0) {
      const isMany = unread > MOST_UNREAD;
      const words = isMany ? t('room_unread_many', { count: MOST_UNREAD }) : t('room_unread', { count: unread });
      made.push(badge('unread', isMany ? `${MOST_UNREAD}+` : String(unread), words));
    }
    return made;
  }

  #last({ last }, when) {
    if (!last) return [element('span', 'silent', t('card_silent'))];
    const gif = last.type === 'gif' ? this.#chat.state.gifs.find(({ id }) => id === last.gifId) : null;
    const text = last.type === 'gif'
      ? (gif ? t(`gif: ${gif.alt}`) : t('gif_unknown', { id: last.gifId }))
      : last.cut ? `${plainStart(last.text)}…` : plainText(parse(last.text));
    const name = element('bdi', '', visible(last.from.name));
    const said = element('span', 'said-last', ...parts('card_says', { name, text: element('bdi', '', text) }));
    const time = element('time', 'ago', when);
    time.dateTime = new Date(last.time).toISOString();
    return [said, time];
  }
}

/** Rooms with people come first, then those in which most was said. */
const byLife = (a, b) => (b.userCount - a.userCount) || ((b.seq ?? 0) - (a.seq ?? 0));

function presence({ userCount: count }, preview) {
  if (count === 0) return [t('card_nobody')];
  const users = preview?.users ?? [];
  if (users.length === 0) return [t('room_people', { count })];
  const faces = element('span', 'faces', ...users.slice(0, MOST_FACES).map(({ id, name }) => avatar(id, name)));
  const shown = users.slice(0, count > MOST_NAMES + 1 ? MOST_NAMES : count);
  const names = shown.map(({ name }) => element('bdi', '', visible(name)));
  const others = count - names.length;
  if (others > 0) names.push(t('others', { count: others }));
  return [faces, element('span', 'names', ...parts('card_people', { names, count }))];
}

function badge(kind, short, words) {
  const seen = element('span', '', short);
  seen.setAttribute('aria-hidden', 'true');
  return element('span', kind, seen, element('span', 'unseen', ' ', words));
}
