// Per-room data that stays in the browser: drafts, and which rooms are muted.

const isSame = (room) => ({ id, title }) => id === room.id && title === room.title;
/** Of an earlier version, which knew rooms by their titles. It is found when there is only one room of that title. */
const byTitle = (title) => ({ id: null, title });

export class Notes {
  #local;
  #session;

  constructor({ local, session }) {
    this.#local = local;
    this.#session = session;
  }

  draft(room) {
    return (room && this.#drafts().find(isSame(room))?.text) ?? '';
  }

  setDraft({ id, title }, text) {
    const others = this.#drafts().filter((draft) => !isSame({ id, title })(draft));
    this.#session.set('drafts', text === '' ? others : [...others, { id, title, text }]);
  }

  isMuted(room) {
    return room !== undefined && this.#muted().some(isSame(room));
  }

  mute(room, isMuted) {
    if (room === undefined) return;
    const { id, title } = room;
    const others = this.#muted().filter((one) => !isSame(room)(one));
    this.#local.set('muted', isMuted ? [...others, { id, title }] : others);
  }

  /** The server's rooms may have other ids or titles by now: `find(room)` returns the current room, or null. */
  relocate(find) {
    relocate(this.#session, 'drafts', this.#drafts(), find);
    relocate(this.#local, 'muted', this.#muted(), find);
  }

  #drafts() {
    const drafts = this.#session.get('drafts');
    if (!Array.isArray(drafts)) return [];
    return drafts.map((draft) => (Array.isArray(draft) ? { ...byTitle(draft[0]), text: draft[1] } : draft));
  }

  #muted() {
    const muted = this.#local.get('muted');
    return Array.isArray(muted) ? muted.map((one) => (typeof one === 'string' ? byTitle(one) : one)) : [];
  }
}

function relocate(store, key, notes, find) {
  const found = notes.map((note) => {
    const { id, title } = find(note) ?? note;
    return { ...note, id, title };
  });
  if (found.some((note, i) => !isSame(note)(notes[i]))) store.set(key, found);
}
