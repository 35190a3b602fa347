// The welcome, while no room is open: the owner's title and words, the field for the name, and the cards of rooms. On a
// phone it stands above the list of rooms.

import { owner, subscribe } from '../core/owner.js';
import { parse } from '../text/markdown.js';
import { onEmoji } from '../text/named.js';
import { visible } from '../text/names.js';
import { CardsView } from './cards.js';
import { byId, setText } from './dom.js';
import { markup } from './markup.js';
import { NameField } from './naming.js';
import { t } from './words.js';

const isWide = matchMedia('(min-width: 44rem)');
/** "5 min ago" is renewed this often. */
const RENEW_MS = 30_000;

export class WelcomeView {
  /** The field for the name. */
  field;
  #chat;
  #cards;
  #isShown = false;
  #told = null;

  /** `enter(id)` goes to a room. `isKept` says whether the browser remembers anything. */
  constructor(chat, { enter, isKept }) {
    this.#chat = chat;
    this.field = new NameField(chat, byId('welcome-name'), byId('welcome-problem'));
    this.#cards = new CardsView(chat, byId('cards'), enter);
    byId('hello').addEventListener('submit', (event) => {
      event.preventDefault();
      if (this.field.use()) this.#named();
    });
    byId('unkept').hidden = isKept;
    isWide.addEventListener('change', () => this.#place());
    this.#place();
    this.#tell();
    subscribe(() => this.#tell());
    onEmoji(() => {
      this.#told = null;
      this.#tell();
    });
    setInterval(() => { if (this.#isShown && !document.hidden) this.#cards.draw(); }, RENEW_MS);
  }

  draw() {
    const { room, following, asking, rooms, isListed, hasName } = this.#chat.state;
    const isShown = !room && following === null && !asking?.isInvited;
    byId('welcome').hidden = !isShown;
    const expected = room ? null : this.#expected();
    byId('joining').hidden = expected === null;
    setText(byId('joining'), expected === null ? '' : t('entering', { room: visible(expected) }));
    // There is one main heading, seen or not.
    byId('page-header').hidden = isShown;
    if (!isShown && this.#isShown) this.#cards.forget();
    const hasAppeared = isShown && !this.#isShown;
    this.#isShown = isShown;
    if (!isShown) return;
    byId('hello').hidden = hasName;
    byId('cards-heading').hidden = rooms.size === 0 && !isListed;
    setText(byId('cards-heading'), t(rooms.size === 0 ? 'rooms_none' : 'rooms_choose'));
    this.#cards.draw();
    // A keyboard would cover the page where there is only a keyboard of glass.
    if (hasAppeared && !hasName && matchMedia('(hover: hover)').matches) byId('welcome-name').focus();
  }

  /** The title of the room that is being entered, or null: a link may have only an id. */
  #expected() {
    const { following, asking, rooms } = this.#chat.state;
    const room = (following ?? (asking?.isAnswered ? asking.link : null))?.room;
    return rooms.get(room)?.title ?? (typeof room === 'string' ? room : null);
  }

  /** The form is gone, and the next step is a room. */
  #named() {
    this.draw();
    this.#cards.focus();
  }

  #tell() {
    const { title, welcome } = owner();
    for (const node of document.querySelectorAll('[data-owner="title"]')) setText(node, title);
    if (this.#told === welcome) return;
    this.#told = welcome;
    byId('welcome-text').hidden = !welcome;
    byId('welcome-text').replaceChildren(...(welcome ? markup(parse(welcome)) : []));
  }

  #place() {
    if (isWide.matches) byId('notice').after(byId('welcome'));
    else byId('lobby').querySelector('.heading').after(byId('welcome'));
  }
}
