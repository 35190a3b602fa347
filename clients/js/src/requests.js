// Requests in flight: matches answers to requests by ref, enforces the timeout, and retries those that were rate
// limited.

/** Without an answer for this long, the connection is given up. */
const ANSWER_MS = 15_000;
/** The timeout doubles up to this, so that a slow connection is not given up again and again. */
const LONGEST_ANSWER_MS = 60_000;
const RETRY_MS = 1_000;

export class Requests {
  #send;
  #clock;
  #giveUp;
  #open = new Map();
  #retries = new Set();
  #timer = null;
  #timeoutMs = ANSWER_MS;
  #prefix;
  #count = 0;

  /** `send(request)` returns whether there was a connection; `giveUp()` is called on a timeout. */
  constructor({ send, giveUp, clock }) {
    this.#send = send;
    this.#giveUp = giveUp;
    this.#clock = clock;
    this.#prefix = `q${Math.floor(clock.random() * 2 ** 32).toString(36)}`;
  }

  /**
   * Sends a request, under a new ref if it has none. Exactly one of `answered(frame)`, `refused(error)` and `lost()` is
   * called. A request with `retriesWhenLimited`, or without `refused`, is retried when it is rate limited.
   */
  ask(request, { answered, refused, lost, retriesWhenLimited = refused === undefined } = {}) {
    this.#count += 1;
    const ref = request.ref ?? `${this.#prefix}-${this.#count}`;
    const askedAt = this.#clock.now();
    const open = { request: { ...request, ref }, answered, refused, lost, retriesWhenLimited, askedAt };
    this.#open.set(ref, open);
    if (this.#send(open.request)) this.#startTimer();
  }

  /** Whether a request of this type waits for its answer or its retry. */
  isOpen(type) {
    return [...this.#open.values(), ...this.#retries].some(({ request }) => request.type === type);
  }

  /** For a frame with a ref. */
  answer(frame) {
    this.#close(frame.ref)?.answered?.(frame);
  }

  /** Returns whether the error belonged to one of these requests and was handled. */
  refuse(error) {
    const open = this.#close(error.ref);
    if (!open) return false;
    // A code that this client does not know is to be retried if it says when.
    const isLimited = error.code === 'rate_limited' || error.retryAfterMs !== undefined;
    if (isLimited && open.retriesWhenLimited) this.#retryLater(open, error.retryAfterMs ?? RETRY_MS);
    else if (open.refused) open.refused(error);
    else return false;
    return true;
  }

  /** The connection is gone, and with it all answers. */
  lost() {
    this.#clock.clearTimeout(this.#timer);
    this.#timer = null;
    const all = [...this.#open.values(), ...this.#retries];
    for (const { retryTimer } of this.#retries) this.#clock.clearTimeout(retryTimer);
    this.#open.clear();
    this.#retries.clear();
    for (const { lost } of all) lost?.();
  }

  /** The connection has been stable for a while: back to the normal timeout. */
  resetTimeout() {
    this.#timeoutMs = ANSWER_MS;
  }

  #retryLater(open, waitMs) {
    open.retryTimer = this.#clock.setTimeout(() => {
      this.#retries.delete(open);
      this.ask(open.request, open);
    }, waitMs);
    this.#retries.add(open);
  }

  #close(ref) {
    const open = this.#open.get(ref);
    this.#open.delete(ref);
    return open;
  }

  /** Sets the timer for the oldest request, which is the first in the map. */
  #startTimer() {
    if (this.#timer !== null || this.#open.size === 0) return;
    const [{ askedAt }] = this.#open.values();
    const waitMs = Math.max(0, askedAt + this.#timeoutMs - this.#clock.now());
    this.#timer = this.#clock.setTimeout(() => {
      this.#timer = null;
      const oldest = this.#open.values().next().value;
      if (oldest && this.#clock.now() - oldest.askedAt >= this.#timeoutMs) {
        this.#timeoutMs = Math.min(2 * this.#timeoutMs, LONGEST_ANSWER_MS);
        this.#giveUp();
      } else {
        this.#startTimer();
      }
    }, waitMs);
  }
}
