// Says to screen readers what has just been said in the room: politely, and not every word of a crowd.

import { visible } from '../text/names.js';
import { t } from './words.js';
import { byId, element } from './dom.js';

/** What comes in this time is said together. */
const GATHER_MS = 400;
/** More than this at once is told as a number. */
const SAID_IN_FULL = 3;
/** What has been read out is of no use to anybody who comes across it later. */
const KEEP_MS = 10_000;

export class Announcer {
  #waiting = [];
  #timer;

  /** A message of somebody else's. */
  message(entry) {
    this.#waiting.push(entry);
    this.#timer ??= setTimeout(() => this.#say(), GATHER_MS);
  }

  #say() {
    this.#timer = undefined;
    const entries = this.#waiting.splice(0);
    const lines = entries.length > SAID_IN_FULL
      ? [t('new_messages', { count: entries.length })]
      : entries.map(words);
    for (const line of lines) {
      const said = element('p', '', line);
      byId('announcer').append(said);
      setTimeout(() => said.remove(), KEEP_MS);
    }
  }
}

/** A message in one line of words. `alt` says what a GIF shows. */
export function words({ kind, from, text, alt }) {
  const name = visible(from.name);
  return kind === 'gif' ? t('says_gif', { name, alt }) : t('says', { name, text });
}
