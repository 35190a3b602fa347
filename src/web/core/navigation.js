// Which room the user wants to be in: entering, leaving, creating, following links, and rooms that no longer exist. The
// client goes there.

const KEY = 'room';
/** Set in a tab that has been here before, maybe in no room. */
const BEGUN = 'begun';

export class Navigation {
  #state;
  #client;
  #store;
  #outbox;
  #pages;
  /**
   * `{ title, ref, before, session }` of the room to create and enter. With the same ref it is not created twice in one
   * session; `before` are the ids of the rooms when it was first asked for, in `session`.
   */
  #creating = null;
  /** A link to follow once the list of rooms has arrived. */
  #link = null;
  /** Nothing has been chosen in this tab. */
  #isNew = false;

  constructor({ state, client, store, outbox, pages }) {
    this.#state = state;
    this.#client = client;
    this.#store = store;
    this.#outbox = outbox;
    this.#pages = pages;
  }

  // ---- what the user wants

  /** Returns to the room from before the reload, unless a link says otherwise. */
  begin() {
    const before = this.#store.get(KEY);
    this.#isNew = this.#store.get(BEGUN) !== true && before === null;
    this.#store.set(BEGUN, true);
    const isElsewhere = this.#link !== null && !leadsTo(this.#link, before);
    if (this.#state.wanted !== null || isElsewhere) return;
    // The stored room has a title too; an id alone might mean another room after a server restart.
    if (this.#link?.seq === undefined) this.#link = null;
    this.#state.following = this.#link;
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
    this.#isNew = false;
    this.#link = null;
    state.following = null;
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
      this.#state.following = link;
      return;
    }
    this.#link = null;
    this.#state.following = null;
    const room = rooms.get(link.room) ?? this.#findByTitle(String(link.room));
    if (!room) return this.#noticeNoSuchRoom(link.room);
    this.enter(room.id);
    if (link.seq !== undefined) this.#pages.show(link.seq);
  }

  /** Works offline too: the room is created after connecting. */
  create(title) {
    if (title === '') return;
    this.#state.notice = null;
    this.#creating = { title, ref: `room-${Math.random()}`, before: null, session: null };
    if (this.#state.isListed) this.#requestRoom();
  }

  #requestRoom() {
    const { title, ref } = this.#creating;
    this.#creating.before ??= new Set(this.#state.rooms.keys());
    this.#creating.session = this.#state.session;
    this.#client.ask({ type: 'create_room', title, ref }, {
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
    this.#outbox.adopt(room, ({ id }) => !this.#state.rooms.has(id));
    this.want(room);
  }

  // ---- what the server says

  listed() {
    if (this.#creating !== null && !this.#client.isOpen('create_room')) {
      // It may have been created before the connection was lost. The same session is told which one it is.
      const { before, session, title } = this.#creating;
      const isAsked = before !== null && (session === null || session !== this.#state.session);
      const made = isAsked ? this.#findByTitle(title) : null;
      if (made && !before.has(made.id)) this.#created(made);
      else this.#requestRoom();
    }
    if (this.#link) this.open(this.#link);
    this.#stay();
  }

  /** A new tab takes over the session of another one, and with it the room. */
  #stay() {
    const { hereId, rooms, wanted } = this.#state;
    if (this.#isNew && wanted === null && rooms.has(hereId)) this.want(rooms.get(hereId));
    this.#isNew = false;
  }

  /** For after a reload: what is stored has to be what the id means by now. */
  relocated() {
    const { wanted } = this.#state;
    if (wanted !== null && this.#store.get(KEY) !== null) this.#store.set(KEY, wanted);
  }

  #findByTitle(title) {
    return this.#client.find({ id: null, title });
  }

  /** Unsent messages stay on the page. `here` is the room that we are still in, or null. */
  roomGone({ room, error, here, wasWanted }) {
    if (wasWanted) {
      const hasFailed = this.#outbox.of(room).length > 0;
      if (here || !hasFailed) this.want(here);
      else this.#store.remove(KEY);
    }
    if (error) this.#state.notice = { code: error.code, message: error.message };
    else this.#noticeNoSuchRoom(room.title);
  }

  #noticeNoSuchRoom(room) {
    const canBeMade = typeof room === 'string';
    this.#state.notice = { key: 'no_such_room', vars: { room }, ...(canBeMade && { action: 'create', title: room }) };
  }
}

const leadsTo = (link, room) => room !== null && (link.room === room.id || link.room === room.title);
