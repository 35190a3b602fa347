// The banner with the state of the connection, and the notice for errors.

import { visible } from '../text/names.js';
import { button, byId, element, setText } from './dom.js';
import { refused, RETURNS } from './refusals.js';
import { t } from './words.js';

/** How long "Connected again." is shown. */
const BACK_MS = 3_000;
/** "Connecting…" is shown only after this time: usually the connection is faster. */
const CONNECTING_AFTER_MS = 700;

export class BannerView {
  #chat;
  #banner = byId('banner');
  #notice = byId('notice');
  #shown = '';
  #shownNotice = null;
  #began = performance.now();
  #backUntil = 0;
  #wasAway = false;
  #timer;
  #refocus;

  /** `refocus()` is called when the button that had the focus is gone. */
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
    const { kind, words, spoken, action, again } = this.#content();
    if (again) this.#timer = setTimeout(() => this.draw(), again);
    if (this.#shown === `${kind} ${words}`) return;
    this.#shown = `${kind} ${words}`;
    this.#banner.dataset.kind = kind;
    const said = sentence(words, spoken);
    const before = this.#banner.querySelector('button');
    if (before && action && before.textContent === action[0]) {
      // The button is kept, since the user may be about to press it, and so is the text for screen readers, unless it
      // changes.
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
   * What to show: the `kind` of banner; its `words`; `spoken`, the text for screen readers where `words` change every
   * second; the `action` of its button; and in how many milliseconds to draw `again`.
   */
  #content() {
    const { phase, retryAt, lostReason, wasOnline } = this.#chat.state;
    const now = performance.now();
    if (phase === 'online') {
      if (this.#wasAway) this.#backUntil = now + BACK_MS;
      this.#wasAway = false;
      if (now >= this.#backUntil) return { kind: '', words: '' };
      return { kind: 'back', words: t('back'), again: this.#backUntil - now };
    }
    const takeOver = [t(RETURNS[phase] ?? 'try_now'), () => this.#chat.takeOver()];
    if (phase === 'replaced') return { kind: 'replaced', words: t('replaced'), action: takeOver };
    if (phase === 'kicked') return { kind: 'stopped', words: t('kicked'), action: takeOver };
    if (phase === 'stopped') {
      const words = lostReason === '' ? t('stopped') : t('stopped_because', { reason: t(`reason: ${lostReason}`) });
      return { kind: 'stopped', words, action: takeOver };
    }
    if (phase === 'connecting' && !this.#wasAway && now - this.#began < CONNECTING_AFTER_MS) {
      return { kind: '', words: '', again: CONNECTING_AFTER_MS - (now - this.#began) };
    }
    this.#wasAway = true;
    const action = [t('try_now'), () => this.#chat.wake()];
    if (!navigator.onLine) return { kind: 'waiting', words: t('no_network'), action };
    const spoken = t('away');
    if (phase === 'connecting') {
      return { kind: 'connecting', words: t(wasOnline ? 'reconnecting' : 'connecting'), spoken, action };
    }
    const count = Math.max(1, Math.ceil((retryAt - now) / 1_000));
    const words = lostReason === ''
      ? t('offline', { count })
      : t('offline_because', { count, reason: t(`reason: ${lostReason}`) });
    return { kind: 'waiting', words, spoken, action, again: 1_000 };
  }

  #drawNotice() {
    const { notice } = this.#chat.state;
    if (notice === this.#shownNotice) return;
    this.#shownNotice = notice;
    const hadFocus = this.#notice.contains(document.activeElement);
    this.#notice.replaceChildren();
    this.#notice.dataset.kind = notice?.key ?? '';
    if (hadFocus) this.#refocus();
    if (!notice) return;
    const room = notice.vars?.room === undefined ? {} : { room: visible(String(notice.vars.room)) };
    const words = element('span', '', notice.code ? refused(notice) : t(notice.key, { ...notice.vars, ...room }));
    words.dir = 'auto';
    this.#notice.append(words);
    if (notice.action === 'create') {
      this.#notice.append(button('', t(notice.code ? 'create_again' : 'no_such_room_create'), () => {
        this.#chat.dismiss();
        this.#chat.create(notice.title);
      }));
    }
    this.#notice.append(button('plain', t('dismiss'), () => this.#chat.dismiss(), 'close'));
  }
}

/** A text that changes every second would be announced every second, so screen readers get one of their own. */
function sentence(words, spoken) {
  if (words === '') return [];
  const seen = element('span', '', words);
  if (spoken === undefined) return [seen];
  seen.setAttribute('aria-hidden', 'true');
  return [seen, element('span', 'unseen', spoken)];
}
