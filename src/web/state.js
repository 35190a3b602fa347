// What the page knows: who we are, the rooms and their members, and the lines of the room we are in. It
// follows the server's frames and asks nothing; chat.js does the asking, view.js the showing. No DOM.

/** Older lines are forgotten, so that a page left open for weeks stays as quick as a new one. */
export const MAX_ENTRIES = 500;

export class State {
  /** `connecting`, `online` or `waiting` (for the next attempt), and why the connection was lost. */
  phase = 'connecting';
  lostReason = '';
  /** `{ id, name }` once the server has greeted us. */
  me = null;
  /** id → `{ id, title, members }`, and there id → name. */
  rooms = new Map();
  /** `{ id, title }` of the room that is shown: kept while the connection is away, to enter it again. */
  room = null;
  /** Whether the server has us in it. */
  inRoom = false;
  /** `{ id, title }` of the room we have asked to enter, until the answer. */
  entering = null;
  /** `{ to, remembered }`: the name we have asked for, and the one to go back to, until the answer. */
  renaming = null;
  /** The room's lines, oldest first: `{ key, time, kind, … }`, where keys count up. */
  entries = [];
  /** How many messages of others have been shown, ever. */
  heard = 0;
  /** What went wrong, in words for the user. */
  notice = '';
  /** A frame left a doubt that only a list of rooms can settle. */
  stale = false;

  #nextKey = 1;
  #entriesRoom = null;

  /** Members of the room that is shown: id → name. */
  get members() {
    return this.rooms.get(this.room?.id)?.members ?? new Map();
  }

  disconnected(reason) {
    this.phase = 'waiting';
    this.lostReason = reason;
    if (this.inRoom) this.#add({ kind: 'line', what: 'The connection was lost' });
    this.inRoom = false;
    this.entering = null;
    this.renaming = null;
  }

  apply(frame) {
    switch (frame.type) {
      case 'welcome': return this.#welcome(frame.user);
      case 'list_rooms': return this.#listRooms(frame.rooms);
      case 'enter_room': return this.#enterRoom(frame.user);
      case 'leave_room': return this.#leaveRoom(frame.user);
      case 'change_name': return this.#changeName(frame.oldName, frame.newName);
      case 'text': return this.#said(frame.from, { kind: 'text', text: frame.text });
      case 'gif': return this.#said(frame.from, { kind: 'gif', gifId: frame.gifId });
    }
  }

  #welcome(user) {
    this.phase = 'online';
    this.lostReason = '';
    this.me = user;
  }

  /** The list is the truth: what was kept up from events gives way to it. */
  #listRooms(rooms) {
    this.rooms = new Map(Object.values(rooms).map(({ id, title, users }) => {
      const members = new Map(Object.values(users).map((user) => [user.id, user.name]));
      return [id, { id, title, members }];
    }));
    this.stale = false;
    const here = [...this.rooms.values()].find((room) => room.members.has(this.me.id));
    if (here) {
      this.me.name = here.members.get(this.me.id);
      this.#arrive(here);
    } else if (this.renaming && !this.inRoom) {
      // Outside a room nobody confirms a name: it holds, since no refusal came before this list.
      this.me.name = this.renaming.to;
      this.renaming = null;
    }
  }

  /** The frame does not name the room: it is the one we asked for. */
  #enterRoom(user) {
    if (user.id === this.me.id) {
      this.me = user;
      this.renaming = null; // what was asked before is in this name
      this.stale = true;
      const room = this.entering ?? this.room;
      if (!room) return; // the list will tell which
      this.#arrive(room);
    }
    this.members.set(user.id, user.name);
    this.#add({ kind: 'line', name: user.name, what: 'entered the room' });
  }

  #leaveRoom(user) {
    this.members.delete(user.id);
    this.#add({ kind: 'line', name: user.name, what: 'left the room' });
    if (user.id !== this.me.id) return;
    this.stale = true;
    this.inRoom = false;
    if (!this.entering) this.room = null;
  }

  /** The frame does not say who: it is us if we asked, else the one member of that name, if only one bears it. */
  #changeName(oldName, newName) {
    this.#add({ kind: 'line', name: oldName, what: 'is now called', newName });
    if (this.renaming && this.me.name === oldName) {
      this.renaming = null;
      this.me.name = newName;
      this.members.set(this.me.id, newName);
      return;
    }
    const ids = [...this.members].filter(([id, name]) => name === oldName && id !== this.me.id);
    if (ids.length === 1) this.members.set(ids[0][0], newName);
    else this.stale = true;
  }

  #said(from, what) {
    const own = from.id === this.me.id;
    if (!own) this.heard += 1;
    this.#add({ ...what, from, own });
  }

  #arrive({ id, title }) {
    if (this.#entriesRoom !== `${id} ${title}`) {
      this.#entriesRoom = `${id} ${title}`;
      this.entries = [];
    }
    this.room = { id, title };
    this.inRoom = true;
    if (this.entering?.id === id) this.entering = null;
  }

  #add(entry) {
    this.entries.push({ key: this.#nextKey, time: Date.now(), ...entry });
    this.#nextKey += 1;
    if (this.entries.length > MAX_ENTRIES) this.entries.shift();
  }
}
