// Where the user wants to be, and how to get there: entering, leaving, making a room, following a link; and what
// has become of a room that is not there any more.

const KEY = 'room';

export class Places {
  #state;
  #requests;
  #store;
  #outbox;
  #pages;
  #goOn;
  /** The title of a room that is to be made and entered. */
  #creating = null;
  /** To be followed when the rooms are known. */
  #link = null;

  /** `goOn()` is called when there may be something to do. */
  constructor({ state, requests, store, outbox, pages, goOn }) {
    this.#state = state;
    this.#requests = requests;
    this.#store = store;
    this.#outbox = outbox;
    this.#goOn = goOn;
    this.#pages = pages;
  }

  // ---- what the user wants

  /** Where the user was before the page was loaded again, unless a link says otherwise. */
  begin() {
    const before = this.#store.get(KEY);
    const isElsewhere = this.#link !== null && !leadsTo(this.#link, before);
    if (this.#state.wanted !== null || isElsewhere) return;
    // We know the room's title as well: a link with the id alone might lead elsewhere after a restart.
    if (this.#link?.seq === undefined) this.#link = null;
    this.#state.wanted = before;
    this.#state.show(before);
  }

  enter(id) {
    const { rooms, wanted, room: shown } = this.#state;
    const room = rooms.get(id);
    if (!room) this.#tellNoSuch(id);
    else if (wanted?.id !== id || shown?.id !== id) this.want(room);
  }

  /** `null` is nowhere. */
  want(room) {
    const state = this.#state;
    state.wanted = room && { id: room.id, title: room.title };
    if (room) this.#store.set(KEY, state.wanted);
    else this.#store.remove(KEY);
    state.notice = null;
    this.#pages.forget();
    state.show(state.wanted);
  }

  open(link) {
    const { rooms, isListed } = this.#state;
    if (rooms.size === 0 && !isListed) {
      this.#link = link;
      return;
    }
    this.#link = null;
    const room = rooms.get(link.room) ?? this.#titled(String(link.room));
    if (!room) return this.#tellNoSuch(link.room);
    this.enter(room.id);
    if (link.seq !== undefined) this.#pages.show(link.seq);
  }

  /** Also while there is no connection: then it is made when there is one. */
  create(title) {
    if (title === '') return;
    this.#state.notice = null;
    this.#creating = title;
    if (this.#state.isListed) this.#askFor(title);
  }

  // ---- getting there

  /** Whether we are there, and hear what happens. */
  isAt(room) {
    const { hereId, hears } = this.#state;
    return room === null ? hereId === null : hears && hereId === room.id;
  }

  isMoving() {
    return this.#requests.isOpen('enter_room') || this.#requests.isOpen('leave_room');
  }

  /** An id alone may be another room's, if this one is gone. */
  go(room) {
    if (room === null) this.#leave();
    else if (this.#state.rooms.get(room.id)?.title === room.title) this.#enter(room);
    else this.#gone(room);
  }

  #enter(room) {
    const since = this.#state.since(room.id);
    this.#requests.ask({ type: 'enter_room', roomId: room.id, ...(since && { since }) }, {
      isPatient: true,
      refused: ({ code, message }) => this.#gone(room, code === 'unknown_room' ? null : { code, message }),
    });
  }

  #leave() {
    this.#requests.ask({ type: 'leave_room' }, {
      isPatient: true,
      refused: () => { this.#state.hereId = null; }, // not in a room is what was wanted
    });
  }

  #askFor(title) {
    this.#requests.ask({ type: 'create_room', title }, {
      answered: ({ room }) => this.#made(room),
      refused: ({ code, message }) => {
        this.#creating = null;
        // The title need not be typed again for what is a matter of time.
        const again = code === 'rate_limited' ? { action: 'create', title } : {};
        this.#state.notice = { code, message, ...again };
      },
    });
  }

  #made(room) {
    this.#creating = null;
    this.want(room);
  }

  // ---- what the server says

  /** Ids may be other rooms' after a restart: the title tells. */
  listed() {
    const state = this.#state;
    const find = (room) => this.find(room);
    this.#outbox.relocate(find);
    state.relocate(find);
    if (this.#creating !== null && !this.#requests.isOpen('create_room')) {
      // Before the connection was lost it may have been made.
      const made = this.#titled(this.#creating);
      if (made) this.#made(made);
      else this.#askFor(this.#creating);
    }
    if (this.#link) this.open(this.#link);
  }

  titleChanged({ id, title }) {
    this.#outbox.relocate((room) => (room.id === id ? { id, title } : null));
    this.#state.relocate((room) => (room.id === id ? { id, title } : room));
  }

  /** We have left `roomId`: on the way to another room, or as we asked, or for a reason of the server's. */
  left(roomId, frame) {
    if (this.#requests.isOpen('enter_room')) return;
    if (this.#requests.isOpen('leave_room')) this.#requests.answerFirst('leave_room', frame);
    else if (this.#state.wanted?.id === roomId) this.want(null);
  }

  /** The room of today for one of yesterday, or null. */
  find({ id, title }) {
    const room = this.#state.rooms.get(id);
    return room?.title === title ? room : this.#titled(title);
  }

  #titled(title) {
    return [...this.#state.rooms.values()].find((room) => room.title === title) ?? null;
  }

  /** What was to be said there stays, for the user to see. */
  #gone(room, notice = null) {
    const state = this.#state;
    this.#outbox.failRoom(room, 'room_gone');
    if (state.wanted?.id === room.id && state.wanted.title === room.title) {
      const here = state.hears ? state.rooms.get(state.hereId) : null;
      const hasFailed = this.#outbox.of(room).length > 0;
      if (here || !hasFailed) this.want(here ?? null);
      else state.wanted = null;
      if (!here) this.#store.remove(KEY);
    }
    if (notice) state.notice = notice;
    else this.#tellNoSuch(room.title);
    this.#goOn();
  }

  #tellNoSuch(room) {
    const canBeMade = typeof room === 'string';
    this.#state.notice = { key: 'no_such_room', vars: { room }, ...(canBeMade && { action: 'create', title: room }) };
  }
}

const leadsTo = (link, room) => room !== null && (link.room === room.id || link.room === room.title);
