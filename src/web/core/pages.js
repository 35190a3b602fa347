// Loads history page by page: older messages, gaps, and the context of a linked message.

const OLDER_PAGE = 50;
const MAX_PAGE = 100;

export class Pages {
  #state;
  #client;
  /** The `seq` of a message to show as soon as we are in its room. */
  #seqToShow = null;

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

  /** Loads one page, from the end of the gap. */
  loadGap({ key }) {
    const { inRoom, room, timeline } = this.#state;
    const gap = timeline.gap(key);
    if (!inRoom || gap?.status !== 'open') return;
    timeline.setGap(key, 'loading');
    const open = () => timeline.setGap(key, 'open');
    const done = (events, more) => {
      const isFilling = events.some(({ seq }) => seq > gap.after && seq < gap.before);
      timeline.setGap(key, more && isFilling ? 'open' : 'gone');
    };
    this.#client.page(room.id, { before: gap.before }, { done, refused: open, lost: open });
  }

  /** Highlights a message of the current room, and loads it with its context if needed. */
  show(seq) {
    const { inRoom, room, timeline } = this.#state;
    this.#seqToShow = null;
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
    if (this.#seqToShow !== null && this.#state.inRoom) this.show(this.#seqToShow);
  }

  /** Call this when another room is shown. */
  forget() {
    this.#seqToShow = null;
  }
}
