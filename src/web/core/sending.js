// Says what is in the outbox, one after the other: each waits until the one before is acknowledged, so that the
// order holds through refusals and lost connections, and only the first can be one of which nobody knows
// whether it was said.

const RATE_WAIT_MS = 1_000;
const FIRST_SAVE_WAIT_MS = 3_000;
const LONGEST_SAVE_WAIT_MS = 30_000;
/** The server says we are not in the room in which it has put us: that is not asked for ever. */
const MAX_STRAYS = 3;
/** Closed because of a message that was too big: sent again it would do the same again. */
const TOO_BIG = 1009;

export class Sending {
  #outbox;
  #state;
  #requests;
  #clock;
  #pages;
  #goOn;
  /** The ref on its way. */
  #saying = null;
  #isProving = false;
  #pauseTimer = null;
  #saveFailures = 0;
  #strays = 0;

  /** `pages` asks for history; `goOn()` is called when there may be something to do again. */
  constructor({ outbox, state, requests, clock, pages, goOn }) {
    this.#outbox = outbox;
    this.#state = state;
    this.#requests = requests;
    this.#clock = clock;
    this.#pages = pages;
    this.#goOn = goOn;
    outbox.failWhatNobodyKnows();
  }

  /** Nothing can be saved for some time: nobody needs to wait for it in the room it is for. */
  get holdsBack() {
    return this.#state.pauseReason === 'not_saved';
  }

  /** To be called in the room of the first message, and often. */
  next() {
    const { pausedUntil, session } = this.#state;
    const head = this.#outbox.head;
    if (head === null || this.#saying !== null || this.#isProving || pausedUntil !== null) return;
    // In the session in which it was sent the server knows whether it was said; in another, only the history does.
    if (head.sent !== null && head.sent.session !== session) this.#prove(head, this.#timeline(head).wholeFrom());
    else this.#say(head);
  }

  lost({ code, reason }) {
    if (code === TOO_BIG && this.#saying !== null) this.#outbox.fail(this.#saying, reason);
    this.#saying = null;
    this.#isProving = false;
    this.#strays = 0;
    this.#outbox.failWhatNobodyKnows();
    this.#resume();
  }

  #say({ ref, kind, text, gifId, room, sent: before }) {
    const { session, me } = this.#state;
    // It may have been heard the first time; but with an older history in place it comes after less now.
    const seq = Math.min(before?.seq ?? Infinity, this.#timeline({ room }).endSeq);
    const sent = { session, user: me.id, seq };
    this.#outbox.setSent(ref, sent);
    this.#saying = ref;
    this.#requests.ask({ type: kind, ...(kind === 'text' ? { text } : { gifId }), ref }, {
      answered: () => this.#said(),
      refused: (error) => this.#refused(ref, before, error),
    });
  }

  #said() {
    this.#saying = null;
    this.#saveFailures = 0;
    this.#strays = 0;
  }

  /** `before`: what was known of it before this try, which has come to nothing. */
  #refused(ref, before, { code, message, retryAfterMs }) {
    this.#saying = null;
    switch (code) {
      case 'rate_limited':
        this.#outbox.setSent(ref, before);
        return this.#pause(code, retryAfterMs ?? RATE_WAIT_MS);
      case 'not_saved':
        this.#outbox.setSent(ref, before);
        return this.#waitForDisk();
      case 'not_readable': // it was said, and cannot be shown now
        return this.#waitForDisk();
      case 'already_said':
        this.#said();
        return this.#outbox.discard(ref);
      case 'not_in_room':
        this.#strays += 1;
        if (this.#strays > MAX_STRAYS) break;
        this.#outbox.setSent(ref, before);
        this.#state.hereId = null;
        return undefined;
    }
    return this.#outbox.fail(ref, message, code);
  }

  /** Reads from `cursor` back to where it was sent. What is found is acknowledged; what is not can be said. */
  #prove({ ref, room, sent }, cursor) {
    if (cursor <= sent.seq + 1) return this.#proved(ref);
    this.#isProving = true;
    this.#pages.ask(room.id, cursor, {
      done: (events, more) => {
        this.#isProving = false;
        if (!this.#outbox.find(ref)) return;
        const lowest = events[0]?.seq ?? cursor;
        if (lowest > sent.seq + 1 && (!more || lowest === cursor)) this.#outbox.fail(ref, '', 'unknown');
        else this.#prove({ ref, room, sent }, lowest);
      },
      refused: () => {
        this.#isProving = false;
        this.#waitForDisk();
      },
    });
  }

  #proved(ref) {
    this.#outbox.setSent(ref, null);
    this.next();
  }

  #waitForDisk() {
    const waitMs = Math.min(FIRST_SAVE_WAIT_MS * 2 ** this.#saveFailures, LONGEST_SAVE_WAIT_MS);
    this.#saveFailures += 1;
    this.#pause('not_saved', waitMs);
  }

  #pause(reason, waitMs) {
    this.#state.pausedUntil = this.#clock.now() + waitMs;
    this.#state.pauseReason = reason;
    this.#clock.clearTimeout(this.#pauseTimer);
    this.#pauseTimer = this.#clock.setTimeout(() => {
      this.#resume();
      this.#goOn();
    }, waitMs);
  }

  #resume() {
    this.#clock.clearTimeout(this.#pauseTimer);
    this.#state.pausedUntil = null;
    this.#state.pauseReason = null;
  }

  #timeline({ room }) {
    return this.#state.timelineOf(room.id);
  }
}
