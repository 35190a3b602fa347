// The room's header with its buttons, and which pane a narrow screen shows.

import { visible } from '../text/names.js';
import { t } from './words.js';
import { byId, element, icon, setAttribute, setText } from './dom.js';
import { closeMenu, openMenu } from './menus.js';
import { toast } from './toast.js';

/** Two panes side by side; and three. */
const isWide = matchMedia('(min-width: 44rem)');
const isVeryWide = matchMedia('(min-width: 68rem)');

/** Where the user's wish to do without the list of members is kept. */
const KEY = 'members';

export class TalkView {
  #chat;
  #storage;
  #shownRoom = null;
  #shownCount = null;
  /** The user has left the room: the button that had the focus is gone, and the focus goes to the list of rooms. */
  #toLobby = false;
  /** What had the focus when the message box should have got it, but was not there yet. */
  #focusDue = null;

  /** `share()` opens the invitation to the room. */
  constructor(chat, storage, share) {
    this.#chat = chat;
    this.#storage = storage;
    const onClick = (id, act) => byId(id).addEventListener('click', act);
    onClick('to-rooms', () => this.show('rooms'));
    onClick('members-close', () => this.closeMembers());
    onClick('skip', () => this.show('room'));
    onClick('members-toggle', () => this.#toggleMembers());
    onClick('share', share);
    onClick('room-menu', () => this.#openMenu());
    // On a tablet the members lie over the talk, and a tap beside them closes them.
    onClick('room', ({ target }) => {
      if (this.isMembersOver && !target.closest('#members-toggle')) this.closeMembers();
    });
    document.body.dataset.members = storage.get(KEY) === false ? 'closed' : 'open';
    for (const wide of [isWide, isVeryWide]) wide.addEventListener('change', () => this.draw());
  }

  /** Whether the members hide the talk, or a part of it. */
  get isMembersOver() {
    return document.body.dataset.pane === 'members' && !isVeryWide.matches;
  }

  /** A narrow screen shows one pane, a wide one all of them; there `members` can be closed. */
  show(pane) {
    document.body.dataset.pane = pane;
    if (pane === 'rooms') (byId('rooms').querySelector('[aria-current]') ?? byId('rooms').querySelector('a'))?.focus();
    else if (pane === 'members') byId('members-close').focus();
    else this.#focusTalk();
    this.#drawToggle();
  }

  /** Where one came from: from the members to the talk, and from there to the rooms. */
  back() {
    const { pane } = document.body.dataset;
    if (pane === 'members') this.closeMembers();
    else if (pane === 'room' && !isWide.matches) this.show('rooms');
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

  leave() {
    this.#toLobby = true;
    this.#chat.leave();
  }

  draw() {
    const { room, peopleCount: count, inRoom } = this.#chat.state;
    byId('room').hidden = !room;
    byId('skip').hidden = !room;
    if (room?.id !== this.#shownRoom) this.#changeRoom(room);
    if (!room) return;
    setText(byId('room-title'), visible(room.title));
    setAttribute(byId('room-title'), 'title', visible(room.title));
    // Before the message box is there, nothing can be said either.
    byId('room').classList.toggle('away', !inRoom || byId('composer').inert);
    this.#drawToggle();
    if (this.#shownCount === count) return;
    this.#shownCount = count;
    const words = t('member_count', { count });
    const number = element('span', 'number', String(count));
    byId('members-toggle').replaceChildren(icon('people'), number, element('span', 'word', words));
    byId('members-toggle').setAttribute('aria-label', words);
    byId('members-toggle').title = words;
  }

  #drawToggle() {
    const { pane, members } = document.body.dataset;
    const isOpen = isVeryWide.matches ? members === 'open' : pane === 'members';
    setAttribute(byId('members-toggle'), 'aria-expanded', String(isOpen));
    const close = byId('members-close');
    const name = isWide.matches ? 'close' : 'back';
    if (close.dataset.icon === name && close.dataset.isDrawn) return;
    Object.assign(close.dataset, { icon: name, isDrawn: 'yes' });
    close.replaceChildren(icon(name));
  }

  #changeRoom(room) {
    this.#shownRoom = room?.id;
    closeMenu();
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
    const to = byId(isWide.matches ? 'text' : 'room-title');
    this.#focusDue = to.closest('[inert]') ? document.activeElement : null;
    to.focus();
  }

  /** The message box is there now. It gets the focus if it should have had it, and the user has not moved it since. */
  begin() {
    const { activeElement, body } = document;
    // What had it may be gone.
    if (this.#focusDue !== null && [this.#focusDue, body].includes(activeElement)) this.#focusTalk();
  }

  #toggleMembers() {
    const { dataset } = document.body;
    if (isVeryWide.matches) {
      dataset.members = dataset.members === 'open' ? 'closed' : 'open';
      this.#storage.set(KEY, dataset.members === 'open');
      this.#drawToggle();
    } else {
      this.show(dataset.pane === 'members' ? 'room' : 'members');
      if (dataset.pane !== 'members') byId('members-toggle').focus();
    }
  }

  #openMenu() {
    const { id } = this.#chat.state.room;
    const isMuted = this.#chat.isMuted(id);
    openMenu(byId('room-menu'), t('room_more'), [
      { label: t(isMuted ? 'unmute' : 'mute'), iconName: isMuted ? 'bell' : 'bellOff', act: () => this.#mute(id) },
      { label: t('leave'), iconName: 'leave', act: () => this.leave() },
    ]);
  }

  #mute(id) {
    this.#chat.mute(id, !this.#chat.isMuted(id));
    toast(t(this.#chat.isMuted(id) ? 'muted' : 'unmuted'));
  }
}
