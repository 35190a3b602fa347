// What concerns the whole page: whether there is a connection, and what went wrong.

import { visible } from '../text/names.js';
import { button, byId, element } from './dom.js';
import { refused } from './refusals.js';
import { t } from './words.js';

/** So long it says that the connection is back. */
const BACK_MS = 3_000;
/** A connection is usually there sooner than one could read that it is being made. */
const PATIENCE_MS = 700;

export class BannerView {
  #chat;
  #banner = byId('banner');
  #notice = byId('notice');
  #shown = '';
  #shownNotice = null;
  #began = Date.now();
  #backUntil = 0;
  #wasAway = false;
  #timer;

  constructor(chat) {
    this.#chat = chat;
    addEventListener('online', () => this.draw());
    addEventListener('offline', () => this.draw());
  }

  draw() {
    this.#drawBanner();
    this.#drawNotice();
  }

  #drawBanner() {
    clearTimeout(this.#timer);
    const [kind, words, action, again] = this.#say();
    if (again) this.#timer = setTimeout(() => this.draw(), again);
    if (this.#shown === `${kind} ${words}`) return;
    this.#shown = `${kind} ${words}`;
    this.#banner.dataset.kind = kind;
    const before = this.#banner.querySelector('button');
    if (before && action && before.textContent === action[0]) {
      // Only the seconds have changed: who is about to press the button keeps it.
      this.#banner.firstElementChild.textContent = words;
      return;
    }
    this.#banner.replaceChildren(...(words === '' ? [] : [element('span', '', words)]));
    if (action) this.#banner.append(button('', action[0], action[1]));
  }

  /** What kind, in words; the button if there is something to do; and when to look again. */
  #say() {
    const { phase, retryAt, lostReason, wasOnline } = this.#chat.state;
    const now = Date.now();
    if (phase === 'online') {
      if (this.#wasAway) this.#backUntil = now + BACK_MS;
      this.#wasAway = false;
      return now < this.#backUntil ? ['back', t('back'), null, this.#backUntil - now] : ['', ''];
    }
    if (phase === 'replaced') return ['replaced', t('replaced'), [t('take_over'), () => this.#chat.takeOver()]];
    if (phase === 'connecting' && !this.#wasAway && now - this.#began < PATIENCE_MS) {
      return ['', '', null, PATIENCE_MS - (now - this.#began)];
    }
    this.#wasAway = true;
    const tryNow = [t('try_now'), () => this.#chat.wake()];
    if (!navigator.onLine) return ['waiting', t('no_network'), tryNow];
    if (phase === 'connecting') return ['connecting', t(wasOnline ? 'reconnecting' : 'connecting')];
    const count = Math.max(1, Math.ceil((retryAt - now) / 1_000));
    if (lostReason === '') return ['waiting', t('offline', { count }), tryNow, 1_000];
    return ['waiting', t('offline_because', { count, reason: t(`reason: ${lostReason}`) }), tryNow, 1_000];
  }

  #drawNotice() {
    const { notice } = this.#chat.state;
    if (notice === this.#shownNotice) return;
    this.#shownNotice = notice;
    this.#notice.replaceChildren();
    if (!notice) return;
    const room = notice.vars?.room === undefined ? {} : { room: visible(notice.vars.room) };
    const words = element('span', '', notice.code ? refused(notice) : t(notice.key, { ...notice.vars, ...room }));
    words.dir = 'auto';
    this.#notice.append(words);
    if (notice.action === 'create') {
      this.#notice.append(button('', t('no_such_room_create'), () => {
        this.#chat.dismiss();
        this.#chat.create(notice.title);
      }));
    }
    this.#notice.append(button('plain', t('dismiss'), () => this.#chat.dismiss(), 'close'));
  }
}
