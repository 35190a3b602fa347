// The browser's history and address. The address names the room, so that a reload, a bookmark or a friend finds it. Back
// leads where one came from: on a wide screen to the room before, and from the first one to the welcome, which leaves the
// room; on a phone, which shows one pane at a time, from the members to the talk and from there to the list of rooms.
//
// The page changes panes and rooms as it likes, and the history follows. Each entry knows its pane and those of the
// entries before it: whoever goes back to one of those by a button of the page goes back in the history too, so that the
// same pane is not there twice.

import { formatLink, parseLink } from '../core/link.js';

/** Nobody goes back further. */
const MOST_STEPS = 30;

const isPhone = matchMedia('(max-width: 43.99rem)');
const UP = { members: 'room', room: 'rooms' };

export class Route {
  #chat;
  #show;
  #leave;
  #roomChanged;
  #isDrawn = false;
  #shown = { pane: 'rooms', room: undefined };
  /** The entry of the history that we are at: `{ pane, path }`, with the panes of the entries before it. */
  #entry = { pane: 'rooms', path: [] };
  /** The page has gone back by a button, and the browser follows in a moment. */
  #isGoing = false;

  /**
   * `show(pane)` shows a pane of a phone; `leave()` leaves the room; `roomChanged()` is called when another room is shown.
   */
  constructor(chat, { show, leave, roomChanged }) {
    this.#chat = chat;
    this.#show = show;
    this.#leave = leave;
    this.#roomChanged = roomChanged;
    addEventListener('popstate', () => this.#arrived());
    // On a phone a change of pane is not always one of the chat.
    new MutationObserver(() => this.draw()).observe(document.body, { attributes: true, attributeFilter: ['data-pane'] });
  }

  /** Follows the link by which the page was opened. */
  begin() {
    const link = parseLink(location.hash);
    const { hash, pathname, search } = location;
    if (history.state) {
      this.#entry = history.state;
    } else if (link && isPhone.matches) {
      // Whoever comes by a link gets to the list of rooms by Back.
      this.#replace({ pane: 'rooms', path: [] }, pathname + search);
      this.#push({ pane: 'room', path: ['rooms'] }, hash);
    } else {
      this.#replace({ pane: link ? 'room' : 'rooms', path: [] }, location.href);
    }
    if (link) this.#chat.open(link);
  }

  /** Shows a pane of a phone. */
  open(pane) {
    this.#show(pane);
  }

  /** From the members to the talk, and from the talk to the list of rooms. */
  back() {
    const to = UP[document.body.dataset.pane];
    if (to) this.#show(to);
  }

  /** Makes the history follow what the page shows. */
  draw() {
    const isFirst = !this.#isDrawn;
    this.#isDrawn = true;
    const { room } = this.#chat.state;
    const now = { pane: isPhone.matches ? document.body.dataset.pane : room ? 'room' : 'rooms', room: room?.id };
    if (now.pane === this.#shown.pane && now.room === this.#shown.room) return;
    const isOtherRoom = now.room !== this.#shown.room;
    this.#shown = now;
    if (!this.#isGoing) this.#follow(now, room, isFirst);
    if (isOtherRoom) this.#roomChanged();
  }

  /** `isFirst`: the page has shown nothing before. A room that it begins with is not one to go back from. */
  #follow({ pane }, room, isFirst) {
    const { pane: before, path } = this.#entry;
    const named = parseLink(location.hash)?.room;
    const isHere = pane === 'rooms' || named === room.id;
    // A wide screen shows the members beside the talk.
    if (isHere && (pane === before || (!isPhone.matches && before === 'members'))) return;
    if (isPhone.matches && isHere && UP[before] && path.includes(pane)) {
      this.#isGoing = true;
      history.go(path.lastIndexOf(pane) - path.length);
    } else if (pane === 'rooms') {
      this.#replace({ pane, path }, location.pathname + location.search);
    } else if (named === room.title || (isFirst && !isPhone.matches)) {
      this.#replace({ pane, path }, formatLink({ room: room.id ?? room.title }));
    } else {
      this.#push({ pane, path: [...path, before].slice(-MOST_STEPS) }, formatLink({ room: room.id ?? room.title }));
    }
  }

  #replace(entry, address) {
    this.#entry = entry;
    history.replaceState(entry, '', address);
  }

  #push(entry, address) {
    this.#entry = entry;
    history.pushState(entry, '', address);
  }

  /** The browser has gone to another entry, or the user has typed another address. */
  #arrived() {
    const link = parseLink(location.hash);
    const { pane: before, path } = this.#entry;
    if (history.state) this.#entry = history.state;
    else this.#replace({ pane: link ? 'room' : 'rooms', path: [...path, before].slice(-MOST_STEPS) }, location.href);
    const { pane } = this.#entry;
    if (this.#isGoing) {
      // The page is there already, unless the user was quicker.
      this.#isGoing = false;
      this.#shown = { ...this.#shown, pane };
      return this.draw();
    }
    const { room, following } = this.#chat.state;
    if (link) this.#chat.open(link);
    else if (!isPhone.matches && (room || following)) this.#leave();
    const isShown = pane === 'rooms' || this.#chat.state.room;
    if (isPhone.matches && isShown && document.body.dataset.pane !== pane) {
      this.#shown = { ...this.#shown, pane };
      this.#show(pane);
    }
    this.draw();
  }
}
