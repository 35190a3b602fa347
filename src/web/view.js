// What the user sees and touches. It reads the state, never changes it, and hands every wish to the chat.
// Whatever comes from others becomes text nodes, never markup.

import { GIFS, GIF_PIXELS } from './gifs.js';

/** Messages of one author that follow each other so closely stand together under one name. */
const TOGETHER_MS = 5 * 60_000;
/** More names than this help nobody, and a room may hold thousands. */
const MEMBERS_SHOWN = 200;
/** This close to the end of the log counts as reading along. */
const NEAR_END_PIXELS = 40;

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const fullTime = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' });
const wide = matchMedia('(min-width: 44rem)');
const stillPictures = matchMedia('(prefers-reduced-motion: reduce)');

const byId = (id) => document.getElementById(id);

/** `<tag class="…">` holding the children: elements, or words that stay words. */
function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** Fits the children to the items by id. What stays is kept in place, and so keeps the focus. */
function reconcile(parent, items, create, update) {
  const wanted = new Set(items.map((item) => String(item.id)));
  const kept = new Map();
  for (const child of [...parent.children]) {
    if (wanted.has(child.dataset.id)) kept.set(child.dataset.id, child);
    else child.remove();
  }
  let next = parent.firstElementChild;
  for (const item of items) {
    let child = kept.get(String(item.id));
    if (!child) {
      child = create(item);
      child.dataset.id = item.id;
    }
    update(child, item);
    if (child === next) next = next.nextElementSibling;
    else parent.insertBefore(child, next);
  }
}

/** Writing what stands there already would make a screen reader say it again. */
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

const countOf = (number, one, many) => `${number} ${number === 1 ? one : many}`;

export class View {
  #state;
  #chat;
  #scheduled = false;
  #shownRoom = null;
  #shownName = null;
  #lastKey = 0;
  #readingAlong = true;
  #heardBefore = 0;
  #focusRoomList = false;

  constructor(state) {
    this.#state = state;
  }

  // ---- what the chat calls

  /** Draws with the next frame of the screen: a hundred changes cost one drawing, a hidden tab none. */
  changed() {
    if (document.hidden) this.#drawTitle();
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => {
      this.#scheduled = false;
      this.#draw();
    });
  }

  /** Puts a text that was not sent back before what has been typed since. */
  giveBack(text) {
    const box = byId('text');
    box.value = box.value === '' ? text : `${text}\n${box.value}`;
  }

  /** The room asked for is there: its title is needed no more, and the way in is one key away. */
  created({ id, title }) {
    const box = byId('title');
    if (box.value.trim() !== title) return;
    box.value = '';
    if (document.activeElement === box || byId('create').contains(document.activeElement)) {
      requestAnimationFrame(() => byId('rooms').querySelector(`[data-id="${id}"] button`)?.focus());
    }
  }

  // ---- what the user does

  listen(chat, retry) {
    this.#chat = chat;
    const onClick = (id, act) => byId(id).addEventListener('click', act);
    const onSubmit = (id, act) => byId(id).addEventListener('submit', (event) => {
      event.preventDefault();
      act();
    });
    onClick('retry', retry);
    onClick('dismiss', () => chat.dismiss());
    onClick('refresh', () => chat.refresh());
    onClick('to-rooms', () => this.#showPane('rooms'));
    onClick('to-room', () => this.#showPane('room'));
    onClick('leave', () => this.#leave());
    onClick('members-toggle', () => this.#toggle('members'));
    onClick('gifs-toggle', () => this.#toggle('gifs'));
    onClick('to-latest', () => this.#toLatest());
    onSubmit('create', () => chat.create(byId('title').value));
    onSubmit('rename', () => chat.rename(byId('name').value));
    onSubmit('composer', () => this.#say());
    byId('text').addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#say();
    });
    this.#offerGifs();
    this.#watchLog();
    document.addEventListener('visibilitychange', () => this.#drawTitle());
  }

  #say() {
    if (this.#chat.say(byId('text').value)) byId('text').value = '';
    byId('text').focus();
  }

  #leave() {
    this.#focusRoomList = true;
    this.#chat.leave();
  }

  #offerGifs() {
    for (const { id, alt } of GIFS) {
      const button = element('button', '', picture(`gifs/${id}.gif`, alt));
      button.type = 'button';
      button.addEventListener('click', () => {
        this.#chat.gif(id);
        this.#toggle('gifs', false);
        byId('gifs-toggle').focus();
      });
      byId('gifs').append(button);
    }
    byId('gifs').addEventListener('keydown', (event) => {
      if (event.key !== 'Escape') return;
      this.#toggle('gifs', false);
      byId('gifs-toggle').focus();
    });
  }

  #watchLog() {
    const log = byId('log');
    log.addEventListener('scroll', () => {
      this.#readingAlong = log.scrollHeight - log.clientHeight - log.scrollTop < NEAR_END_PIXELS;
      if (this.#readingAlong) byId('to-latest').hidden = true;
    });
    // The log shrinks when a keyboard or the pictures come up: the end stays in sight.
    new ResizeObserver(() => {
      if (this.#readingAlong) log.scrollTop = log.scrollHeight;
    }).observe(log);
  }

  #toLatest() {
    byId('log').scrollTop = byId('log').scrollHeight;
    byId('text').focus();
  }

  #toggle(id, open = byId(id).dataset.open === undefined) {
    const panel = byId(id);
    if (open) panel.dataset.open = '';
    else delete panel.dataset.open;
    if (id === 'gifs') panel.hidden = !open;
    byId(`${id}-toggle`).setAttribute('aria-expanded', String(open));
  }

  /** On a narrow screen one of the two is seen; on a wide one both are. */
  #showPane(pane) {
    document.body.dataset.pane = pane;
    if (pane === 'room') byId('room-title').focus();
    else byId('to-room').focus();
  }

  // ---- drawing

  #draw() {
    this.#drawStatus();
    this.#drawRooms();
    this.#drawRoom();
    this.#drawEntries();
    this.#drawTitle();
  }

  #drawTitle() {
    const { room, heard } = this.#state;
    if (!document.hidden) this.#heardBefore = heard;
    const unread = heard - this.#heardBefore;
    document.title = `${unread > 0 ? `(${unread}) ` : ''}${room ? `${room.title} – ` : ''}wschat`;
  }

  #drawStatus() {
    const { phase, lostReason, notice, me } = this.#state;
    const words = {
      connecting: 'Connecting…',
      online: 'Connected',
      waiting: `Connection lost${lostReason ? ` (${lostReason})` : ''}. Trying again…`,
    };
    byId('status').dataset.phase = phase;
    setText(byId('status'), words[phase]);
    byId('retry').hidden = phase !== 'waiting';
    byId('notice').hidden = notice === '';
    setText(byId('notice-text'), notice);
    if (me && me.name !== this.#shownName) {
      this.#shownName = me.name;
      byId('name').value = me.name;
    }
  }

  #drawRooms() {
    const { rooms, room, phase } = this.#state;
    byId('lobby').classList.toggle('faded', phase !== 'online');
    reconcile(byId('rooms'), [...rooms.values()], ({ id }) => {
      const title = element('bdi', 'title');
      const count = element('span', 'count');
      const button = element('button', '', title, count);
      button.type = 'button';
      button.addEventListener('click', () => this.#choose(id));
      return element('li', '', button);
    }, (item, { id, title, members }) => {
      const button = item.firstElementChild;
      setText(button.querySelector('.title'), title);
      const count = button.querySelector('.count');
      if (count.dataset.count !== String(members.size)) {
        count.dataset.count = members.size;
        const words = element('span', 'unseen', members.size === 1 ? ' member' : ' members');
        count.replaceChildren(String(members.size), words);
      }
      if (room?.id === id) button.setAttribute('aria-current', 'true');
      else button.removeAttribute('aria-current');
    });
  }

  #choose(id) {
    if (this.#state.room?.id === id) this.#showPane('room');
    this.#chat.enter(id);
  }

  #drawRoom() {
    const { room, phase, inRoom, members, me } = this.#state;
    byId('room').hidden = !room;
    byId('no-room').hidden = Boolean(room);
    byId('to-room').hidden = !room;
    byId('room').classList.toggle('faded', phase !== 'online' || !inRoom);
    if (room?.id !== this.#shownRoom) this.#changeRoom(room);
    if (!room) return;
    setText(byId('room-title'), room.title);
    setText(byId('members-toggle'), countOf(members.size, 'member', 'members'));
    const shown = [...members].slice(0, MEMBERS_SHOWN).map(([id, name]) => ({ id, name }));
    reconcile(byId('member-list'), shown, ({ id }) => {
      const mark = id === me.id ? [element('span', 'mark', ' (you)')] : [];
      return element('li', '', avatar(id), element('bdi', ''), ...mark);
    }, (item, { name }) => {
      setText(item.querySelector('bdi'), name);
      setText(item.querySelector('.avatar'), initial(name));
    });
    const more = members.size - shown.length;
    byId('members-more').hidden = more === 0;
    setText(byId('members-more'), `and ${more} more`);
  }

  #changeRoom(room) {
    this.#shownRoom = room?.id;
    this.#toggle('gifs', false);
    this.#toggle('members', false);
    document.body.dataset.pane = room ? 'room' : 'rooms';
    if (room) {
      this.#readingAlong = true;
      byId('to-latest').hidden = true;
      // On a small screen the focus would bring up the keyboard over the messages.
      byId(wide.matches ? 'text' : 'room-title').focus();
    } else if (this.#focusRoomList) {
      byId('rooms').querySelector('button')?.focus();
    }
    this.#focusRoomList = false;
  }

  #drawEntries() {
    const { entries } = this.#state;
    const list = byId('entries');
    const log = byId('log');
    const firstKey = entries[0]?.key ?? Infinity;
    while (list.firstElementChild && Number(list.firstElementChild.dataset.key) < firstKey) {
      list.firstElementChild.remove();
    }
    const start = entries.findIndex((entry) => entry.key > this.#lastKey);
    if (start < 0) return;
    const fresh = entries.slice(start);
    this.#lastKey = fresh.at(-1).key;
    list.append(...fresh.map((entry, i) => entryElement(entry, entries[start + i - 1])));
    if (this.#readingAlong || fresh.some((entry) => entry.own)) log.scrollTop = log.scrollHeight;
    else byId('to-latest').hidden = false;
  }
}

// ---- the lines of the log

function entryElement(entry, before) {
  const item = entry.kind === 'line' ? lineElement(entry) : saidElement(entry, before);
  item.dataset.key = entry.key;
  return item;
}

function lineElement({ name, what, newName, time }) {
  const item = element('li', 'line');
  if (name !== undefined) item.append(element('bdi', '', name), ' ');
  item.append(what);
  if (newName !== undefined) item.append(' ', element('bdi', '', newName));
  item.append(' ', timeElement(time));
  return item;
}

function saidElement(entry, before) {
  const { from, own, time } = entry;
  const together = before?.from?.id === from.id && before.from.name === from.name && time - before.time < TOGETHER_MS;
  const who = element('p', 'who', element('bdi', '', from.name), ...(own ? [element('span', 'mark', ' (you)')] : []));
  const body = element('div', 'bubble', contentElement(entry), timeElement(time));
  const item = element('li', `said ${entry.kind}`, avatar(from.id, from.name), who, body);
  item.classList.toggle('own', own);
  item.classList.toggle('together', Boolean(together));
  return item;
}

function contentElement(entry) {
  const gif = entry.kind === 'gif' && GIFS.find(({ id }) => id === entry.gifId);
  if (gif) return picture(`gifs/${gif.id}.gif`, gif.alt);
  const content = element('p', 'content', entry.kind === 'gif' ? `GIF ${entry.gifId}` : entry.text);
  content.dir = 'auto';
  return content;
}

function timeElement(time) {
  const shown = element('time', '', clock.format(time));
  shown.dateTime = new Date(time).toISOString();
  shown.title = fullTime.format(time);
  return shown;
}

/** The first letter of the name on a colour that goes with the member, for the eye alone. */
function avatar(id, name = '') {
  const circle = element('span', 'avatar', initial(name));
  circle.setAttribute('aria-hidden', 'true');
  circle.style.setProperty('--hue', String((id * 137.5) % 360)); // neighbours lie far apart
  return circle;
}

function initial(name) {
  return ([...name.trim()][0] ?? '·').toUpperCase();
}

/** A GIF, or its first frame alone for those who do not want things to move. */
function picture(source, alt) {
  const image = element('img');
  image.alt = alt;
  image.width = GIF_PIXELS;
  image.height = GIF_PIXELS;
  image.src = source;
  if (stillPictures.matches) image.decode().then(() => image.replaceWith(still(image))).catch(() => {});
  return image;
}

function still(image) {
  const canvas = element('canvas');
  canvas.width = GIF_PIXELS;
  canvas.height = GIF_PIXELS;
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', image.alt);
  canvas.getContext('2d').drawImage(image, 0, 0);
  return canvas;
}
