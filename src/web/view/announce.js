// Announces new messages to screen readers: politely, and as a number when there are many.

import { parse } from '../text/markdown.js';
import { emojiOf } from '../text/named.js';
import { visible } from '../text/names.js';
import { plainText } from '../text/plain.js';
import { byId, element } from './dom.js';
import { notSent } from './refusals.js';
import { t } from './words.js';

/** Messages that arrive within this time are announced together. */
const GATHER_MS = 400;
/** More messages than this are announced as a number. */
const MAX_IN_FULL = 3;
/** Announced texts are removed, so that nobody comes across them later. */
const KEEP_MS = 10_000;
/** A longer text is told only so far: it is there to be read. */
const MAX_CHARACTERS = 300;

export class Announcer {
  #chat;
  #waiting = [];
  #timer;
  #room = null;
  #failed = new Set();

  constructor(chat) {
    this.#chat = chat;
  }

  /** Announces a message from somebody else, soon. */
  message(entry) {
    this.#waiting.push(entry);
    this.#timer ??= setTimeout(() => this.#say(), GATHER_MS);
  }

  /** Announces a change of room, which the focus does not tell, and messages that could not be sent. */
  draw() {
    const { inRoom, peopleCount: count, pending, room } = this.#chat.state;
    if (!room && this.#room) this.say(t('left_room', { room: visible(this.#room.title) }));
    if (!room) this.#room = null;
    if (inRoom && room.id !== this.#room?.id) {
      this.#room = room;
      this.say(t('entered_room', { room: visible(room.title), count }));
    }
    const failed = pending.filter(({ status }) => status === 'failed');
    for (const entry of failed) if (!this.#failed.has(entry.key)) this.say(notSent(entry));
    this.#failed = new Set(failed.map(({ key }) => key));
  }

  async #say() {
    this.#timer = undefined;
    const entries = this.#waiting.splice(0);
    await emojiOf(entries.map(({ text = '' }) => text).join(' '));
    const lines = entries.length > MAX_IN_FULL
      ? [t('new_messages', { count: entries.length })]
      : entries.map(words);
    for (const line of lines) this.say(line);
  }

  /** Announces a line at once. */
  say(line) {
    const said = element('p', '', line);
    byId('announcer').append(said);
    setTimeout(() => said.remove(), KEEP_MS);
  }
}

/** A message as one line of plain text. `alt` describes a GIF. */
export function words({ kind, from, text, alt }) {
  const name = visible(from.name);
  return kind === 'gif' ? t('says_gif', { name, alt }) : t('says', { name, text: plainText(parse(text), MAX_CHARACTERS) });
}
