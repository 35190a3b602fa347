// A room in which nothing was said yet: what it is the beginning of, and what to do about it.

import { visible } from '../text/names.js';
import { button, byId, element, icon } from './dom.js';
import { t } from './words.js';

export class EmptyView {
  #chat;
  #invite;
  #shown = null;

  constructor(chat, invite) {
    this.#chat = chat;
    this.#invite = invite;
  }

  draw() {
    const { room, timeline, pending, version } = this.#chat.state;
    // Over the base protocol there is no history, so nobody knows what was said before.
    const isEmpty = Boolean(room) && version !== 'base' && timeline.epoch !== null && timeline.hasOlder === false
      && pending.length === 0 && timeline.entries.every(({ seq }) => seq === undefined);
    byId('empty').hidden = !isEmpty;
    const title = isEmpty ? room.title : null;
    if (title === this.#shown) return;
    this.#shown = title;
    if (title === null) return byId('empty').replaceChildren();
    const name = element('h3', '', t('log_begin', { room: visible(title) }));
    name.dir = 'auto';
    const invite = button('', t('invite'), this.#invite);
    invite.prepend(icon('invite'));
    byId('empty').replaceChildren(icon('chat'), name, element('p', '', t('log_empty')), invite);
  }
}
