// Loads history page by page: older messages, gaps, and what is around a linked message or the first unread one.

const OLDER_PAGE = 50;
const MAX_PAGE = 100;

export class Pages {
  #state;
  #client;
  /** The `seq` of a message to show as soon as we are in its room. */
  #seqToShow = null;
  /** The timeline whose first unread message has been asked for. */
  #sought = null;

  constructor({ state, client }) {
    this.#state = state;
    this.#client = client;
  }

  loadOlder() {
    const { inRoom, room, timeline, loadingOlder, limits } = this.#state;
    if (!inRoom || loadingOlder || !timeline.hasOlder || timeline.isFull) return false;
    this.#state.loadingOlder = true;
    const done = () => { if (this.#state.timeline === timeline) this.#state.loadingOlder = false; };
    const before = timeline.oldestSeq ?? timeline.endSeq + 1;
    const limit = Math.min(OLDER_PAGE, limits.historyMaxPage ?? OLDER_PAGE);
    this.#client.page(room.id, { before, limit }, { done, refused: done, lost: done });
    return true;
  }

  /** Loads one page: from the end of the gap, or with `isFromStart` from its beginning. */
  loadGap({ key }, { isFromStart = false } = {}) {
    const { inRoom, room, timeline, features } = this.#state;
    const gap = timeline.gap(key);
    if (!inRoom || gap?.status !== 'open') return;
    timeline.setGap(key, 'loading');
    const open = () => timeline.setGap(key, 'open');
    const isAfter = isFromStart && features.includes('history.after');
    const done = (events, more) => {
      const isFilling = events.some(({ seq }) => seq > gap.after && seq < gap.before);
      // What is left behind a page from the beginning is a gap of its own.
      timeline.setGap(key, more && isFilling && !isAfter ? 'open' : 'gone');
    };
    const query = isAfter ? { after: gap.after } : { before: gap.before };
    this.#client.page(room.id, query, { done, refused: open, lost: open });
  }

  /** Highlights a message of the current room, and loads it with its context if needed. */
  show(seq) {
    const { inRoom, room, timeline } = this.#state;
    this.#seqToShow = null;
    this.#state.landed();
    if (timeline.has(seq)) {
      this.#state.target = { seq };
    } else if (!inRoom) {
      this.#seqToShow = seq;
    } else {
      const isStillShown = () => this.#state.timeline === timeline;
      const none = () => { if (isStillShown()) this.#state.notice = { key: 'no_such_message' }; };
      const done = () => {
        if (!timeline.has(seq)) none();
        else if (isStillShown()) this.#state.target = { seq };
      };
      const lost = () => { if (isStillShown()) this.#seqToShow = seq; };
      this.#client.page(room.id, { before: seq + MAX_PAGE / 2 }, { done, refused: none, lost });
    }
  }

  proceed() {
    const { inRoom, seeking } = this.#state;
    if (!inRoom) return;
    if (this.#seqToShow !== null) this.show(this.#seqToShow);
    else if (seeking !== null) this.#seek(seeking);
  }

  /** Loads the first unread message and those around it. */
  #seek(seq) {
    const { room, timeline, features } = this.#state;
    if (this.#sought === timeline) return;
    this.#sought = timeline;
    const done = () => {
      if (this.#sought === timeline) this.#sought = null;
      if (this.#state.timeline === timeline) this.#state.seeking = null;
    };
    const query = features.includes('history.around') ? { around: seq } : { before: seq + MAX_PAGE / 2 };
    this.#client.page(room.id, query, { done, refused: done, lost: done });
  }

  /** Call this when another room is shown. */
  forget() {
    this.#seqToShow = null;
  }
}
