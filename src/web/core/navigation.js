// Which room the user wants to be in, and how to get there: entering, leaving, creating, following links, and rooms
// that no longer exist.

const KEY = 'room';

export class Navigation {
  #state;
  #requests;
  #store;
  #outbox;
  #pages;
  #proceed;
  /** The title of the room to create and enter. */
  #creating = null;
  /** A link to follow once the list of rooms has arrived. */
  #link = null;

  /** `proceed()` is called when there may be something to do. */
  constructor({ state, requests, store, outbox, pages, proceed }) {
    this.#state = state;
    this.#requests = requests;
    this.#store = store;
    this.#outbox = outbox;
    this.#proceed = proceed;
    this.#pages = pages;
  }

  // ---- what the user wants

  /** Returns to the room from before the reload, unless a link says otherwise. */
  begin() {
    const before = this.#store.get(KEY);
    const isElsewhere = this.#link !== null && !leadsTo(this.#link, before);
    if (this.#state.wanted !== null || isElsewhere) return;
    // The stored room has a title too; an id alone might mean another room after a server restart.
    if (this.#link?.seq === undefined) this.#link = null;
    this.#state.wanted = before;
    this.#state.show(before);
  }

  enter(id) {
    const { rooms, wanted, room: shown } = this.#state;
    const room = rooms.get(id);
    if (!room) this.#noticeNoSuchRoom(id);
    else if (wanted?.id !== id || shown?.id !== id) this.want(room);
  }

  /** `null` means no room. */
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
    const room = rooms.get(link.room) ?? this.#findByTitle(String(link.room));
    if (!room) return this.#noticeNoSuchRoom(link.room);
    this.enter(room.id);
    if (link.seq !== undefined) this.#pages.show(link.seq);
  }

  /** Works offline too: the room is created after connecting. */
  create(title) {
    if (title === '') return;
    this.#state.notice = null;
    this.#creating = title;
    if (this.#state.isListed) this.#requestRoom(title);
  }

  // ---- getting there

  /** Whether the server has us in this room and sends us its events. */
  isAt(room) {
    const { hereId, isSubscribed } = this.#state;
    return room === null ? hereId === null : isSubscribed && hereId === room.id;
  }

  isMoving() {
    return this.#requests.isOpen('enter_room') || this.#requests.isOpen('leave_room');
  }

  /** The title is compared too: after a server restart the id may mean another room. */
  go(room) {
    if (room === null) this.#leave();
    else if (this.#state.rooms.get(room.id)?.title === room.title) this.#enter(room);
    else this.#roomGone(room);
  }

  #enter(room) {
    const since = this.#state.since(room.id);
    this.#requests.ask({ type: 'enter_room', roomId: room.id, ...(since && { since }) }, {
      retriesWhenLimited: true,
      refused: ({ code, message }) => this.#roomGone(room, code === 'unknown_room' ? null : { code, message }),
    });
  }

  #leave() {
    this.#requests.ask({ type: 'leave_room' }, {
      retriesWhenLimited: true,
      refused: () => { this.#state.hereId = null; }, // not being in a room is what we wanted
    });
  }

  #requestRoom(title) {
    this.#requests.ask({ type: 'create_room', title }, {
      answered: ({ room }) => this.#created(room),
      refused: ({ code, message }) => {
        this.#creating = null;
        // Trying again later will help, so the title is kept for a button.
        const again = code === 'rate_limited' ? { action: 'create', title } : {};
        this.#state.notice = { code, message, ...again };
      },
    });
  }

  #created(room) {
    this.#creating = null;
    this.want(room);
  }

  // ---- what the server says

  /** Ids may have changed after a server restart: rooms are matched by title. */
  listed() {
    const state = this.#state;
    const find = (room) => this.find(room);
    this.#outbox.relocate(find);
    state.relocate(find);
    if (this.#creating !== null && !this.#requests.isOpen('create_room')) {
      // It may have been created before the connection was lost.
      const made = this.#findByTitle(this.#creating);
      if (made) this.#created(made);
      else this.#requestRoom(this.#creating);
    }
    if (this.#link) this.open(this.#link);
  }

  titleChanged({ id, title }) {
    this.#outbox.relocate((room) => (room.id === id ? { id, title } : null));
    this.#state.relocate((room) => (room.id === id ? { id, title } : room));
  }

  /** We have left `roomId`: on the way to another room, at our request, or because the server said so. */
  left(roomId, frame) {
    if (this.#requests.isOpen('enter_room')) return;
    if (this.#requests.isOpen('leave_room')) this.#requests.answerOldest('leave_room', frame);
    else if (this.#state.wanted?.id === roomId) this.want(null);
  }

  /** The current room for a remembered one, or null. */
  find({ id, title }) {
    const room = this.#state.rooms.get(id);
    return room?.title === title ? room : this.#findByTitle(title);
  }

  #findByTitle(title) {
    return [...this.#state.rooms.values()].find((room) => room.title === title) ?? null;
  }

  /** Unsent messages stay on the page. */
  #roomGone(room, notice = null) {
    const state = this.#state;
    this.#outbox.failRoom(room, 'room_gone');
    if (state.wanted?.id === room.id && state.wanted.title === room.title) {
      const here = state.isSubscribed ? state.rooms.get(state.hereId) : null;
      const hasFailed = this.#outbox.of(room).length > 0;
      if (here || !hasFailed) this.want(here ?? null);
      else state.wanted = null;
      if (!here) this.#store.remove(KEY);
    }
    if (notice) state.notice = notice;
    else this.#noticeNoSuchRoom(room.title);
    this.#proceed();
  }

  #noticeNoSuchRoom(room) {
    const canBeMade = typeof room === 'string';
    this.#state.notice = { key: 'no_such_room', vars: { room }, ...(canBeMade && { action: 'create', title: room }) };
  }
}

const leadsTo = (link, room) => room !== null && (link.room === room.id || link.room === room.title);
