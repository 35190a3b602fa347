// The room's header with its buttons, and which pane a narrow screen shows.

import { visible } from '../text/names.js';
import { t } from './words.js';
import { byId, icon, setAttribute, setText } from './dom.js';
import { toast } from './toast.js';

const isWide = matchMedia('(min-width: 44rem)');
const isVeryWide = matchMedia('(min-width: 68rem)');

export class TalkView {
  #chat;
  #copy;
  #shownRoom = null;
  #shownCount = null;
  #shownMute = null;
  /** The user has left the room: the button that had the focus is gone, and the focus goes to the list of rooms. */
  #toLobby = false;

  /** `copy(link)` copies the link of the room. */
  constructor(chat, copy) {
    this.#chat = chat;
    this.#copy = copy;
    const onClick = (id, act) => byId(id).addEventListener('click', act);
    onClick('to-rooms', () => this.show('rooms'));
    onClick('members-close', () => this.closeMembers());
    onClick('skip', () => this.show('room'));
    onClick('members-toggle', () => this.#toggleMembers());
    onClick('leave', () => this.#leave());
    onClick('mute', () => this.#mute());
    onClick('copy-room', () => this.#copy({ room: this.#chat.state.room.id }));
    isVeryWide.addEventListener('change', () => this.draw());
  }

  /** A narrow screen shows one pane, a wide one all of them; there `members` can be closed. */
  show(pane) {
    document.body.dataset.pane = pane;
    if (pane === 'rooms') (byId('rooms').querySelector('[aria-current]') ?? byId('rooms').querySelector('a'))?.focus();
    else if (pane === 'members') byId('members-close').focus();
    else this.#focusTalk();
    this.#drawToggle();
  }

  /** Moves the focus to where the user is, after the element that had it is gone. */
  focus() {
    const { pane } = document.body.dataset;
    if (pane === 'members' && isWide.matches) this.#focusTalk();
    else this.show(pane);
  }

  /** Returns the focus to the button that opened the panel. */
  closeMembers() {
    this.show('room');
    byId('members-toggle').focus();
  }

  draw() {
    const { room, entering, peopleCount: count, inRoom } = this.#chat.state;
    byId('room').hidden = !room;
    byId('no-room').hidden = Boolean(room);
    byId('skip').hidden = !room;
    setText(byId('no-room'), entering ? t('entering', { room: visible(entering.title) }) : t('rooms_choose'));
    if (room?.id !== this.#shownRoom) this.#changeRoom(room);
    if (!room) return;
    setText(byId('room-title'), visible(room.title));
    setAttribute(byId('room-title'), 'title', visible(room.title));
    byId('room').classList.toggle('away', !inRoom);
    this.#drawToggle();
    if (this.#shownCount !== count) {
      this.#shownCount = count;
      byId('members-toggle').replaceChildren(icon('people'), String(count));
      byId('members-toggle').setAttribute('aria-label', t('member_count', { count }));
    }
    this.#drawMute(room);
  }

  #drawToggle() {
    setAttribute(byId('members-toggle'), 'aria-expanded', String(document.body.dataset.pane === 'members'));
  }

  #drawMute({ id }) {
    const isMuted = this.#chat.isMuted(id);
    if (this.#shownMute === isMuted) return;
    this.#shownMute = isMuted;
    byId('mute').replaceChildren(icon(isMuted ? 'bellOff' : 'bell'));
    byId('mute').setAttribute('aria-pressed', String(isMuted));
    byId('mute').setAttribute('aria-label', t('mute'));
    byId('mute').title = t(isMuted ? 'unmute' : 'mute');
  }

  #changeRoom(room) {
    this.#shownRoom = room?.id;
    const { pane } = document.body.dataset;
    if (room) {
      // An open dialog keeps the focus, and a user who has gone back to the list of rooms stays there.
      if (pane !== 'members' || !isWide.matches) document.body.dataset.pane = 'room';
      if (!document.querySelector('dialog[open]')) this.#focusTalk();
    } else {
      document.body.dataset.pane = 'rooms';
      if (this.#toLobby) this.show('rooms');
    }
    this.#toLobby = false;
  }

  #focusTalk() {
    // On a small screen, focusing the box would open the keyboard over the messages.
    byId(isWide.matches ? 'text' : 'room-title').focus();
  }

  #toggleMembers() {
    this.show(document.body.dataset.pane === 'members' ? 'room' : 'members');
    if (isWide.matches) byId('members-toggle').focus();
  }

  #leave() {
    this.#toLobby = true;
    this.#chat.leave();
  }

  #mute() {
    const { id } = this.#chat.state.room;
    this.#chat.mute(id, !this.#chat.isMuted(id));
    toast(t(this.#chat.isMuted(id) ? 'muted' : 'unmuted'));
  }
}
