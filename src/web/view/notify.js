// Gets the user's attention while they look elsewhere: what is unread in the title and on the icon, a notification for
// a mention, and a sound.

import { owner } from '../core/owner.js';
import { emojiOf } from '../text/named.js';
import { visible } from '../text/names.js';
import { words } from './announce.js';
import { byId } from './dom.js';
import { isAttended } from './sight.js';
import { Sound } from './sound.js';
import { t } from './words.js';

const KEY = 'notify';

export class Notifier {
  /** `{ isOn, turn(isOn) }`, for the settings. */
  sound;
  #chat;
  #storage;
  #enter;
  #shown = '';

  /** `enter(roomId)` leads to a room. */
  constructor(chat, storage, enter) {
    this.#chat = chat;
    this.#storage = storage;
    this.#enter = enter;
    this.sound = new Sound(storage);
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

  /** A message from somebody else in the room on screen: tells of it if it mentions the user, who looks elsewhere. */
  async message(entry) {
    const { room } = this.#chat.state;
    if (!entry.mentionsMe || !room || this.#chat.isMuted(room.id) || isAttended()) return;
    this.sound.ping();
    const title = t('name_in_room', { name: visible(entry.from.name), room: visible(room.title) });
    await emojiOf(entry.text ?? '');
    this.#notify(room, title, words(entry));
  }

  /** The user is mentioned in another room. Returns whether that is worth telling. */
  mention(room) {
    if (this.#chat.isMuted(room.id)) return false;
    this.sound.ping();
    if (!isAttended()) this.#notify(room, visible(room.title), t('mentioned_in', { room: visible(room.title) }));
    return true;
  }

  #notify(room, title, body) {
    if (this.status !== 'on') return;
    try {
      const notification = new Notification(title, { body, icon: 'icon-192.png', tag: `room-${room.id}` });
      notification.addEventListener('click', () => {
        window.focus();
        this.#enter(room.id);
        notification.close();
      });
    } catch {
      // Some phones allow notifications only for installed pages. The count on the icon is still there.
    }
  }

  draw() {
    const { state } = this.#chat;
    let unread = 0;
    let mentions = 0;
    for (const id of state.rooms.keys()) {
      if (this.#chat.isMuted(id)) continue;
      unread += state.unread(id);
      mentions += state.mentions(id);
    }
    const { title: server, icon, unreadIcon } = owner();
    const count = mentions > 0 ? `(@${mentions}) ` : unread > 0 ? `(${unread}) ` : '';
    const title = `${count}${state.room ? `${visible(state.room.title)} – ` : ''}${server}`;
    if (document.title !== title) document.title = title;
    const shown = `${mentions} ${unread} ${icon}`;
    if (shown === this.#shown) return;
    this.#shown = shown;
    const hasNews = mentions + unread > 0;
    byId('favicon').href = hasNews ? unreadIcon : icon;
    const badge = hasNews ? navigator.setAppBadge?.(mentions || unread) : navigator.clearAppBadge?.();
    badge?.catch(() => {}); // not installed, so there is no icon
  }
}
