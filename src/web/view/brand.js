// Shows the owner's name, icon and colours wherever they stand, and asks for them again when they may have changed: after
// a reconnect, and when the page is looked at after a while.
//
// An element with `data-owner="title"` has the name as its text; an image with `data-owner="icon"` shows the icon. The
// title of the page and the icon of its tab are left to notify.js.

import { owner, refresh } from '../core/owner.js';
import { byId } from './dom.js';

/** Whoever looks away for less than this sees what was there before. */
const LONG_MS = 60_000;

export class BrandView {
  #chat;
  #shown = null;
  #wasOnline = false;
  #hasBeenOnline = false;
  #hiddenAt = null;

  constructor(chat) {
    this.#chat = chat;
    document.addEventListener('visibilitychange', () => this.#looked());
    this.draw();
  }

  draw() {
    const isOnline = this.#chat.state.phase === 'online';
    if (isOnline && !this.#wasOnline && this.#hasBeenOnline) refresh();
    this.#hasBeenOnline ||= isOnline;
    this.#wasOnline = isOnline;
    if (this.#shown === owner()) return;
    this.#shown = owner();
    const { title, icon, style } = owner();
    for (const node of document.querySelectorAll('[data-owner="title"]')) node.textContent = title;
    for (const node of document.querySelectorAll('img[data-owner="icon"]')) node.src = icon;
    this.#restyle(style);
  }

  #looked() {
    if (document.visibilityState === 'hidden') {
      this.#hiddenAt = performance.now();
    } else if (this.#hiddenAt !== null) {
      const hasBeenLong = performance.now() - this.#hiddenAt > LONG_MS;
      this.#hiddenAt = null;
      if (hasBeenLong) refresh();
    }
  }

  /** The old colours stay until the new ones are there, so that nothing flashes. */
  #restyle(address) {
    const old = byId('owner-style');
    if (!old || old.getAttribute('href') === address) return;
    const link = Object.assign(document.createElement('link'), { rel: 'stylesheet', href: address });
    const done = () => {
      if (!link.isConnected) return;
      old.remove();
      link.id = 'owner-style';
    };
    link.addEventListener('load', done);
    link.addEventListener('error', () => link.remove());
    old.after(link);
  }
}
