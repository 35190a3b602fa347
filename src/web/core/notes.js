// What the page keeps for the user beside the talk: what is half written in each room, and which rooms are mute.

export class Notes {
  #local;
  #session;

  constructor({ local, session }) {
    this.#local = local;
    this.#session = session;
  }

  draft(roomId) {
    return this.#drafts()[roomId] ?? '';
  }

  setDraft(roomId, text) {
    const { [roomId]: _, ...others } = this.#drafts();
    this.#session.set('drafts', text === '' ? others : { ...others, [roomId]: text });
  }

  /** After a restart of the server a room may have another id. */
  moveDraft(from, to) {
    const text = this.draft(from);
    this.setDraft(from, '');
    if (text !== '') this.setDraft(to, text);
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
    return this.#session.get('drafts') ?? {};
  }

  #muted() {
    return this.#local.get('muted') ?? [];
  }
}
