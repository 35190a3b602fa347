// Loads history page by page: older messages, gaps, and the context of a linked message.

const OLDER_PAGE = 50;
const MAX_PAGE = 100;

export class Pages {
  #state;
  #requests;
  #acknowledge;
  /** The `seq` of a message to show as soon as we are in its room. */
  #seqToShow = null;

  /** `acknowledge(events)` looks for our own messages among the events. */
  constructor({ state, requests, acknowledge }) {
    this.#state = state;
    this.#requests = requests;
    this.#acknowledge = acknowledge;
  }

  /** Adds a page to the room's timeline. Then calls `done(events, more)`, `refused(error)` or `lost()`. */
  ask(roomId, before, { done, refused, lost, limit = MAX_PAGE }) {
    const timeline = this.#state.timelineOf(roomId);
    const page = Math.min(limit, this.#state.limits.historyMaxPage ?? limit);
    this.#requests.ask({ type: 'history', roomId, before, limit: page }, {
      retriesWhenLimited: true,
      answered: ({ events, more }) => {
        this.#acknowledge(events);
        timeline.addPage(events, more, before);
        done(events, more);
      },
      refused,
      lost,
    });
  }

  loadOlder() {
    const { inRoom, room, timeline, loadingOlder } = this.#state;
    if (!inRoom || loadingOlder || !timeline.hasOlder || timeline.isFull) return false;
    this.#state.loadingOlder = true;
    const done = () => { if (this.#state.timeline === timeline) this.#state.loadingOlder = false; };
    const before = timeline.oldestSeq ?? timeline.endSeq + 1;
    this.ask(room.id, before, { done, refused: done, lost: done, limit: OLDER_PAGE });
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
    this.ask(room.id, gap.before, { done, refused: open, lost: open });
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
      this.ask(room.id, seq + MAX_PAGE / 2, { done, refused: none, lost });
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
