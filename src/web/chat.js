// What the user wants, made into requests: enter, say, rename and so on; what to ask after a reconnect; and
// what a refusal means for what was typed. It changes the state and sends, and knows nothing of the DOM.

/** The list of rooms grows with the server: ask for it at most this often. */
const LIST_INTERVAL_MS = 1_000;

/** Refusals that never concern a text on its way. The others may: then the text goes back to its writer. */
const NOT_ABOUT_TEXT = new Set(['unknown_room', 'bad_name', 'bad_title', 'too_many_rooms']);

const OFFLINE = 'Not connected at the moment. Nothing you typed is lost.';

export class Chat {
  #state;
  #send;
  #memory;
  #view;
  /** Texts not yet confirmed. The first is on its way, and each waits for the one before: so a refusal tells whose it is. */
  #outgoing = [];
  #creating = null;
  #listedAt = -Infinity;
  #listTimer;

  /**
   * `send(request)` says whether there was a connection; `memory` keeps the chosen name with load() and
   * save(name or null); `view` has changed(), giveBack(text) and created(room, title).
   */
  constructor({ state, send, memory, view }) {
    this.#state = state;
    this.#send = send;
    this.#memory = memory;
    this.#view = view;
  }

  // ---- what the user wants

  enter(id) {
    const { room, inRoom, rooms } = this.#state;
    const target = rooms.get(id);
    if (!target || (inRoom && room.id === id)) return;
    if (this.#ask({ type: 'enter_room', roomId: id })) {
      this.#state.entering = { id, title: target.title };
    }
  }

  leave() {
    if (this.#state.inRoom) {
      this.#ask({ type: 'leave_room' });
    } else {
      this.#state.room = null; // and so the next connection does not enter it again
      this.#view.changed();
    }
  }

  /** Whether the text was taken; if not, it is still the writer's. */
  say(text) {
    if (text.trim() === '') return false;
    if (!this.#state.inRoom) return this.#tell(OFFLINE);
    this.#tell('');
    this.#outgoing.push(text);
    if (this.#outgoing.length === 1) this.#sendNextText();
    return true;
  }

  gif(gifId) {
    return this.#ask({ type: 'gif', gifId });
  }

  rename(name) {
    this.#rename(name.trim(), this.#memory.load());
    if (!this.#state.inRoom) this.refresh(); // nobody is told outside a room, but the list comes after it
  }

  create(title) {
    title = title.trim();
    if (title === '' || !this.#ask({ type: 'create_room', title })) return;
    this.#creating = { title, before: new Set(this.#state.rooms.keys()) };
  }

  /** Asks for the list of rooms, now or as soon as it may. */
  refresh() {
    if (this.#listTimer !== undefined) return;
    const waitMs = this.#listedAt + LIST_INTERVAL_MS - Date.now();
    if (waitMs > 0) this.#refreshIn(waitMs);
    else if (this.#send({ type: 'list_rooms' })) this.#listedAt = Date.now();
  }

  dismiss() {
    this.#tell('');
  }

  // ---- what the connection brings

  connecting() {
    this.#state.phase = 'connecting';
    this.#view.changed();
  }

  lost(reason) {
    this.#giveBackTexts();
    this.#creating = null;
    clearTimeout(this.#listTimer);
    this.#listTimer = undefined;
    this.#listedAt = -Infinity;
    this.#state.disconnected(reason);
    this.#view.changed();
  }

  receive(frame) {
    this.#state.apply(frame);
    switch (frame.type) {
      case 'welcome': this.#welcomed(); break;
      case 'list_rooms': this.#listed(); break;
      case 'text': if (frame.from.id === this.#state.me.id) this.#textConfirmed(); break;
      case 'leave_room': if (!this.#state.inRoom) this.#giveBackTexts(); break;
      case 'error': this.#refused(frame); break;
    }
    if (this.#state.stale) this.refresh();
    this.#view.changed();
  }

  #welcomed() {
    const name = this.#memory.load();
    // A name that the server refuses must not come back with every connection: it is forgotten then.
    if (name !== null && name !== this.#state.me.name) this.#rename(name, null);
    this.refresh();
  }

  #listed() {
    const { room, inRoom, entering, rooms } = this.#state;
    if (room && !inRoom && !entering) this.#enterAgain(room);
    const { title, before } = this.#creating ?? {};
    const made = [...rooms.values()].find((one) => one.title === title && !before.has(one.id));
    if (made) {
      this.#creating = null;
      this.#view.created(made);
    }
  }

  /** After a restart the id may be gone or be another room's: the title tells. */
  #enterAgain({ id, title }) {
    const { rooms } = this.#state;
    const again = rooms.get(id)?.title === title
      ? rooms.get(id)
      : [...rooms.values()].find((one) => one.title === title);
    if (again) {
      this.enter(again.id);
    } else {
      this.#state.room = null;
      this.#tell(`The room “${title}” is gone.`);
    }
  }

  #refused({ code, message }) {
    const state = this.#state;
    this.#tell(message);
    if (!NOT_ABOUT_TEXT.has(code)) this.#giveBackTexts();
    if (code === 'unknown_room' || code === 'rate_limited') {
      state.entering = null;
      state.stale = true;
    }
    if (state.renaming && (code === 'bad_name' || code === 'rate_limited')) {
      this.#memory.save(state.renaming.remembered);
      state.renaming = null;
    }
    if (code === 'bad_title' || code === 'too_many_rooms' || code === 'rate_limited') this.#creating = null;
    if (code === 'rate_limited') this.#refreshIn(LIST_INTERVAL_MS); // at once it would be refused, too
  }

  // ---- helpers

  /** Sends what the user asked for; the last notice has then had its time. */
  #ask(request) {
    const sent = this.#state.phase === 'online' && this.#send(request);
    this.#tell(sent ? '' : OFFLINE);
    return sent;
  }

  #rename(name, remembered) {
    if (name === '' || name === this.#state.me?.name || !this.#ask({ type: 'change_name', name })) return;
    this.#state.renaming = { to: name, remembered };
    this.#memory.save(name);
  }

  #sendNextText() {
    if (this.#outgoing.length > 0) this.#send({ type: 'text', text: this.#outgoing[0] });
  }

  #textConfirmed() {
    this.#outgoing.shift();
    this.#sendNextText();
  }

  #giveBackTexts() {
    if (this.#outgoing.length > 0) this.#view.giveBack(this.#outgoing.join('\n'));
    this.#outgoing = [];
  }

  #refreshIn(waitMs) {
    clearTimeout(this.#listTimer);
    this.#listTimer = setTimeout(() => {
      this.#listTimer = undefined;
      this.refresh();
    }, waitMs);
  }

  #tell(notice) {
    this.#state.notice = notice;
    this.#view.changed();
    return false;
  }
}
