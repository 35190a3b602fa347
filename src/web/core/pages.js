// Asks for what was said before, a page at a time: older messages, gaps, and the surroundings of one message.

const OLDER_PAGE = 50;
const MAX_PAGE = 100;

export class Pages {
  #state;
  #requests;
  #learn;
  /** The `seq` of a message of the room that is to be shown as soon as it can be. */
  #seqToShow = null;

  /** `learn(events)` looks for what of ours is among them. */
  constructor({ state, requests, learn }) {
    this.#state = state;
    this.#requests = requests;
    this.#learn = learn;
  }

  /** Takes a page into the room's timeline; then `done(events, more)`, `refused(error)` or `lost()`. */
  ask(roomId, before, { done, refused, lost, limit = MAX_PAGE }) {
    const timeline = this.#state.timelineOf(roomId);
    const page = Math.min(limit, this.#state.limits.historyMaxPage ?? limit);
    this.#requests.ask({ type: 'history', roomId, before, limit: page }, {
      isPatient: true,
      answered: ({ events, more }) => {
        this.#learn(events);
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

  /** A page of it, from its end. */
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

  /** Marks a message of the room shown, with what is around it. */
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

  goOn() {
    if (this.#seqToShow !== null && this.#state.inRoom) this.show(this.#seqToShow);
  }

  /** Another room is shown. */
  forget() {
    this.#seqToShow = null;
  }
}
