// Per-room data that stays in the browser: drafts, and which rooms are muted.

export class Notes {
  #local;
  #session;

  constructor({ local, session }) {
    this.#local = local;
    this.#session = session;
  }

  /** By title, because ids may change when the server restarts. */
  draft(title) {
    return new Map(this.#drafts()).get(title) ?? '';
  }

  setDraft(title, text) {
    const drafts = new Map(this.#drafts());
    if (text === '') drafts.delete(title);
    else drafts.set(title, text);
    this.#session.set('drafts', [...drafts]);
  }

  isMuted(title) {
    return this.#muted().includes(title);
  }

  mute(title, isMuted) {
    if (title === undefined) return;
    const others = this.#muted().filter((one) => one !== title);
    this.#local.set('muted', isMuted ? [...others, title] : others);
  }

  #drafts() {
    const drafts = this.#session.get('drafts');
    return Array.isArray(drafts) ? drafts : [];
  }

  #muted() {
    return this.#local.get('muted') ?? [];
  }
}
