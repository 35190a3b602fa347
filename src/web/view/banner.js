// What concerns the whole page: whether there is a connection, and what went wrong.

import { visible } from '../text/names.js';
import { button, byId, element, setText } from './dom.js';
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
  #refocus;

  /** `refocus()` when the button that had the focus has gone. */
  constructor(chat, { refocus }) {
    this.#chat = chat;
    this.#refocus = refocus;
    addEventListener('online', () => this.draw());
    addEventListener('offline', () => this.draw());
  }

  draw() {
    this.#drawBanner();
    this.#drawNotice();
  }

  #drawBanner() {
    clearTimeout(this.#timer);
    const { kind, words, heard, action, again } = this.#say();
    if (again) this.#timer = setTimeout(() => this.draw(), again);
    if (this.#shown === `${kind} ${words}`) return;
    this.#shown = `${kind} ${words}`;
    this.#banner.dataset.kind = kind;
    const said = sentence(words, heard);
    const before = this.#banner.querySelector('button');
    if (before && action && before.textContent === action[0]) {
      // Who is about to press the button keeps it; and what is heard is not touched unless it says something else.
      const now = [...this.#banner.children].slice(0, -1);
      if (now.length !== said.length) for (const node of now) node.remove();
      if (now.length !== said.length) this.#banner.prepend(...said);
      else now.forEach((node, i) => setText(node, said[i].textContent));
      return;
    }
    const hadFocus = this.#banner.contains(document.activeElement);
    this.#banner.replaceChildren(...said, ...(action ? [button('', ...action)] : []));
    if (hadFocus) this.#refocus();
  }

  /**
   * What kind, in words, and in those that are `heard` where the words change all the time; the `action` that there
   * is a button for; and in how many milliseconds to look `again`.
   */
  #say() {
    const { phase, retryAt, lostReason, wasOnline } = this.#chat.state;
    const now = Date.now();
    if (phase === 'online') {
      if (this.#wasAway) this.#backUntil = now + BACK_MS;
      this.#wasAway = false;
      return now < this.#backUntil ? { kind: 'back', words: t('back'), again: this.#backUntil - now } : { kind: '', words: '' };
    }
    if (phase === 'replaced') {
      return { kind: 'replaced', words: t('replaced'), action: [t('take_over'), () => this.#chat.takeOver()] };
    }
    if (phase === 'connecting' && !this.#wasAway && now - this.#began < PATIENCE_MS) {
      return { kind: '', words: '', again: PATIENCE_MS - (now - this.#began) };
    }
    this.#wasAway = true;
    const action = [t('try_now'), () => this.#chat.wake()];
    if (!navigator.onLine) return { kind: 'waiting', words: t('no_network'), action };
    const heard = t('away');
    if (phase === 'connecting') return { kind: 'connecting', words: t(wasOnline ? 'reconnecting' : 'connecting'), heard, action };
    const count = Math.max(1, Math.ceil((retryAt - now) / 1_000));
    const words = lostReason === ''
      ? t('offline', { count })
      : t('offline_because', { count, reason: t(`reason: ${lostReason}`) });
    return { kind: 'waiting', words, heard, action, again: 1_000 };
  }

  #drawNotice() {
    const { notice } = this.#chat.state;
    if (notice === this.#shownNotice) return;
    this.#shownNotice = notice;
    const hadFocus = this.#notice.contains(document.activeElement);
    this.#notice.replaceChildren();
    if (hadFocus) this.#refocus();
    if (!notice) return;
    const room = notice.vars?.room === undefined ? {} : { room: visible(String(notice.vars.room)) };
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

/** What changes each second would be read out each second: then the eye and the ear have a sentence each. */
function sentence(words, heard) {
  if (words === '') return [];
  const seen = element('span', '', words);
  if (heard === undefined) return [seen];
  seen.setAttribute('aria-hidden', 'true');
  return [seen, element('span', 'unseen', heard)];
}
