// Sends the messages in the outbox one at a time, each after the acknowledgement of the one before. This keeps the
// order through refusals and lost connections, and at most one message can be in doubt.

const RATE_WAIT_MS = 1_000;
const FIRST_SAVE_WAIT_MS = 3_000;
const LONGEST_SAVE_WAIT_MS = 30_000;
/** The server may say that we are not in the room it has put us in. This many times we enter again. */
const MAX_REENTRIES = 3;
/** The connection was closed because the message was too big. A retry would fail the same way. */
const TOO_BIG = 1009;

export class Sender {
  #client;
  #outbox;
  #state;
  #clock;
  /** The ref of the message in flight. */
  #inFlight = null;
  #isVerifying = false;
  #pauseTimer = null;
  #saveFailures = 0;
  #reentries = 0;

  /** `client` is the Engine. */
  constructor({ client, clock }) {
    this.#client = client;
    this.#outbox = client.outbox;
    this.#state = client.state;
    this.#clock = clock;
  }

  /** While the server cannot save, nobody has to wait for it in the room of the message. */
  get isStalled() {
    return this.#state.pauseReason === 'not_saved';
  }

  /** Call this in the room of the first message, after every change. */
  next() {
    const { pausedUntil, session } = this.#state;
    const head = this.#outbox.head;
    if (head === null || this.#inFlight !== null || this.#isVerifying || pausedUntil !== null) return;
    // In the same session the server recognises a repeated ref. In another one, the history tells whether it was said.
    if (head.sent !== null && head.sent.session !== session) this.#verify(head, this.#position(head).completeFrom());
    else this.#send(head);
  }

  lost({ code, reason }) {
    if (code === TOO_BIG && this.#inFlight !== null) this.#outbox.fail(this.#inFlight, reason);
    this.#inFlight = null;
    this.#isVerifying = false;
    this.#reentries = 0;
    this.#resume();
  }

  #send({ ref, kind, text, gifId, room, sent: before }) {
    const { session, me } = this.#state;
    // The first attempt may have arrived. If the server was restored from an older history, a repeat comes after fewer
    // messages.
    const seq = Math.min(before?.seq ?? Infinity, this.#position({ room }).endSeq);
    const sent = { session, user: me.id, seq };
    this.#outbox.setSent(ref, sent);
    this.#inFlight = ref;
    // With its room, so that it is never said in another one.
    this.#client.ask({ type: kind, ...(kind === 'text' ? { text } : { gifId }), roomId: room.id, ref }, {
      answered: () => this.#acknowledged(),
      refused: (error) => this.#refused(ref, before, error),
    });
  }

  #acknowledged() {
    this.#inFlight = null;
    this.#saveFailures = 0;
    this.#reentries = 0;
  }

  /** `before` is what was known before this attempt, which had no effect. */
  #refused(ref, before, error) {
    const { code, message, retryAfterMs } = error;
    this.#inFlight = null;
    switch (code) {
      case 'not_saved':
        this.#outbox.setSent(ref, before);
        return this.#retryLater();
      case 'not_readable': // it was said, and cannot be shown now
        return this.#retryLater();
      case 'already_said':
        this.#acknowledged();
        return this.#outbox.said(this.#outbox.find(ref), error);
      case 'not_in_room':
        this.#reentries += 1;
        if (this.#reentries > MAX_REENTRIES) break;
        this.#outbox.setSent(ref, before);
        this.#state.hereId = null;
        return undefined;
    }
    // A code that this client does not know is to be retried if it says when.
    if (code === 'rate_limited' || retryAfterMs !== undefined) {
      this.#outbox.setSent(ref, before);
      return this.#pause('rate_limited', retryAfterMs ?? RATE_WAIT_MS);
    }
    return this.#outbox.fail(ref, message, code);
  }

  /**
   * Searches the history from `cursor` back to where the message was sent. If it is there, it is acknowledged; if not,
   * it is safe to send.
   */
  #verify({ ref, room, sent }, cursor) {
    if (cursor <= sent.seq + 1) {
      this.#outbox.setSent(ref, null);
      return this.next();
    }
    this.#isVerifying = true;
    this.#client.page(room.id, { before: cursor }, {
      done: (events, more) => {
        this.#isVerifying = false;
        if (!this.#outbox.find(ref)) return;
        const lowest = events[0]?.seq ?? cursor;
        // What was erased may have been this one.
        const isGone = events.some(({ type, seq }) => type === 'gone' && seq > sent.seq);
        if (isGone || (lowest > sent.seq + 1 && (!more || lowest === cursor))) this.#outbox.fail(ref, '', 'unknown');
        else this.#verify({ ref, room, sent }, lowest);
      },
      refused: ({ code }) => {
        this.#isVerifying = false;
        // A message that is longer than our frames may be this one.
        if (code === 'too_long') this.#outbox.fail(ref, '', 'unknown');
        else this.#retryLater();
      },
    });
  }

  #retryLater() {
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
      this.#client.proceed();
    }, waitMs);
  }

  #resume() {
    this.#clock.clearTimeout(this.#pauseTimer);
    this.#state.pausedUntil = null;
    this.#state.pauseReason = null;
  }

  #position({ room }) {
    return this.#state.position(room.id);
  }
}
