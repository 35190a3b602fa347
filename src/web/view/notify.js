// Gets the user's attention while they look elsewhere: the unread count in the title and on the icon, and a
// notification for a mention.

import { owner } from '../core/owner.js';
import { visible } from '../text/names.js';
import { t } from './words.js';
import { words } from './announce.js';
import { byId } from './dom.js';

const KEY = 'notify';

export class Notifier {
  #chat;
  #storage;
  #shown = '';

  constructor(chat, storage) {
    this.#chat = chat;
    this.#storage = storage;
  }

  /** `none`: this browser has no notifications; `blocked`: the user has denied them; otherwise `on` or `off`. */
  get status() {
    if (!('Notification' in globalThis)) return 'none';
    if (Notification.permission === 'denied') return 'blocked';
    return Notification.permission === 'granted' && this.#storage.get(KEY) === true ? 'on' : 'off';
  }

  /** Asks for permission, which needs a click of the user. */
  async turn(isOn) {
    const granted = isOn && (await Notification.requestPermission()) === 'granted';
    this.#storage.set(KEY, granted);
  }

  /** Notifies of a message from somebody else, if it mentions the user. */
  message(entry) {
    const { room } = this.#chat.state;
    if (!entry.mentionsMe || !room || this.#chat.isMuted(room.id) || this.status !== 'on') return;
    if (document.visibilityState === 'visible' && document.hasFocus()) return;
    const title = t('name_in_room', { name: visible(entry.from.name), room: visible(room.title) });
    try {
      const notification = new Notification(title, { body: words(entry), icon: 'icon-192.png', tag: `room-${room.id}` });
      notification.addEventListener('click', () => {
        window.focus();
        notification.close();
      });
    } catch {
      // Some phones allow notifications only for installed pages. The count on the icon is still there.
    }
  }

  draw() {
    const { room, rooms } = this.#chat.state;
    let unread = 0;
    for (const id of rooms.keys()) {
      if (!this.#chat.isMuted(id)) unread += this.#chat.state.unread(id);
    }
    const { title: server, icon, unreadIcon } = owner();
    const title = `${unread > 0 ? `(${unread}) ` : ''}${room ? `${visible(room.title)} – ` : ''}${server}`;
    if (document.title !== title) document.title = title;
    const shown = `${unread} ${icon}`;
    if (shown === this.#shown) return;
    this.#shown = shown;
    byId('favicon').href = unread > 0 ? unreadIcon : icon;
    const badge = unread > 0 ? navigator.setAppBadge?.(unread) : navigator.clearAppBadge?.();
    badge?.catch(() => {}); // not installed, so there is no icon
  }
}
