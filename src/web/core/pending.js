// The messages of the page that the server has not acknowledged. They are shown, and those that failed can be sent again.

import { Outbox } from '../../../clients/js/src/outbox.js';

const SAID = 'said';
/** More than can be said while two tabs have the same message. */
const MAX_SAID = 200;

export class Pending extends Outbox {
  #shared;

  /** `shared` is the store of all tabs: a duplicated tab has copies of what the first has not sent. */
  constructor({ shared, ...options }) {
    super(options);
    this.#shared = shared;
    this.forgetSaid();
    this.failUnverifiable();
  }

  said(entry, event) {
    this.#shared.set(SAID, [...this.#said(), entry.ref].slice(-MAX_SAID));
    super.said(entry, event);
  }

  /** Drops what another tab has sent. */
  forgetSaid() {
    const said = new Set(this.#said());
    for (const { ref } of this.entries) if (said.has(ref)) this.discard(ref);
  }

  #said() {
    const said = this.#shared.get(SAID);
    return Array.isArray(said) ? said : [];
  }

  /** The entries of a room. */
  of({ id, title }) {
    return this.entries.filter(({ room }) => room.title === title && room.id === id);
  }

  /** The user has made a room in place of those that are gone: what could not be sent to them shows in it. */
  adopt({ id, title }, isGone) {
    this.relocate((room) => (room.title === title && isGone(room) ? { id, title } : null));
  }

  /**
   * Over the base protocol nobody can tell whether a message arrived before the connection was lost: the user decides.
   */
  failUnverifiable() {
    for (const { ref, failed, sent } of this.entries) {
      if (sent?.session === null && !failed) this.fail(ref, '', 'unknown');
    }
  }

  /** Moves the entry to the end, under a new ref: the server may still know the old one. */
  retry(ref, room) {
    const entry = this.find(ref);
    if (!entry?.failed) return;
    const { kind, text, gifId } = entry;
    this.discard(ref);
    this.add(kind === 'text' ? { kind, text } : { kind, gifId }, room ?? entry.room);
  }
}
