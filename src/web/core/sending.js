// Sends the messages in the outbox one at a time, each after the acknowledgement of the one before. This keeps the
// order through refusals and lost connections, and at most one message can be in doubt.

const RATE_WAIT_MS = 1_000;
const FIRST_SAVE_WAIT_MS = 3_000;
const LONGEST_SAVE_WAIT_MS = 30_000;
/** The server may say that we are not in the room it has put us in. This many times we enter again. */
const MAX_STRAYS = 3;
/** The connection was closed because the message was too big. A retry would fail the same way. */
const TOO_BIG = 1009;

export class Sending {
  #outbox;
  #state;
  #requests;
  #clock;
  #pages;
  #goOn;
  /** The ref of the message in flight. */
  #saying = null;
  #isProving = false;
  #pauseTimer = null;
  #saveFailures = 0;
  #strays = 0;

  /** `pages` loads history; `goOn()` is called when sending may continue. */
  constructor({ outbox, state, requests, clock, pages, goOn }) {
    this.#outbox = outbox;
    this.#state = state;
    this.#requests = requests;
    this.#clock = clock;
    this.#pages = pages;
    this.#goOn = goOn;
    outbox.failWhatNobodyKnows();
  }

  /** While the server cannot save, nobody has to wait for it in the room of the message. */
  get holdsBack() {
    return this.#state.pauseReason === 'not_saved';
  }

  /** Call this in the room of the first message, after every change. */
  next() {
    const { pausedUntil, session } = this.#state;
    const head = this.#outbox.head;
    if (head === null || this.#saying !== null || this.#isProving || pausedUntil !== null) return;
    // In the same session the server recognises a repeated ref. In another one, the history tells whether it was said.
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
    // The first attempt may have arrived. If the server was restored from an older history, a repeat comes after fewer
    // messages.
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

  /** `before` is what was known before this attempt, which had no effect. */
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

  /**
   * Searches the history from `cursor` back to where the message was sent. If it is there, it is acknowledged; if not,
   * it is safe to send.
   */
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
