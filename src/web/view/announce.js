// Says to screen readers what has just been said in the room: politely, and not every word of a crowd.

import { visible } from '../text/names.js';
import { byId, element } from './dom.js';
import { notSent } from './refusals.js';
import { t } from './words.js';

/** What comes in this time is said together. */
const GATHER_MS = 400;
/** More than this at once is told as a number. */
const SAID_IN_FULL = 3;
/** What has been read out is of no use to anybody who comes across it later. */
const KEEP_MS = 10_000;

export class Announcer {
  #chat;
  #waiting = [];
  #timer;
  #room = null;
  #failed = new Set();

  constructor(chat) {
    this.#chat = chat;
  }

  /** A message of somebody else's. */
  message(entry) {
    this.#waiting.push(entry);
    this.#timer ??= setTimeout(() => this.#say(), GATHER_MS);
  }

  /** Where one has got to, which the focus does not tell; and what has not been sent, far from where one writes. */
  draw() {
    const { inRoom, members, pending, room } = this.#chat.state;
    if (!room && this.#room) this.say(t('left_room', { room: visible(this.#room.title) }));
    if (!room) this.#room = null;
    if (inRoom && room.id !== this.#room?.id) {
      this.#room = room;
      this.say(t('entered_room', { room: visible(room.title), count: members.size }));
    }
    const failed = pending.filter(({ status }) => status === 'failed');
    for (const entry of failed) if (!this.#failed.has(entry.key)) this.say(notSent(entry));
    this.#failed = new Set(failed.map(({ key }) => key));
  }

  #say() {
    this.#timer = undefined;
    const entries = this.#waiting.splice(0);
    const lines = entries.length > SAID_IN_FULL
      ? [t('new_messages', { count: entries.length })]
      : entries.map(words);
    for (const line of lines) this.say(line);
  }

  /** At once. */
  say(line) {
    const said = element('p', '', line);
    byId('announcer').append(said);
    setTimeout(() => said.remove(), KEEP_MS);
  }
}

/** A message in one line of words. `alt` says what a GIF shows. */
export function words({ kind, from, text, alt }) {
  const name = visible(from.name);
  return kind === 'gif' ? t('says_gif', { name, alt }) : t('says', { name, text });
}
