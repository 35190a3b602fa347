// What the server has been asked and has not answered: each request has a ref by which its answer is known,
// and its time. What comes too fast is asked again, when the server says it may be.

/** When no answer comes for so long, nobody is there. */
const ANSWER_MS = 15_000;
/** Where a connection is so slow that it would be given up each time, the next gets longer. */
const LONGEST_ANSWER_MS = 60_000;
const RETRY_MS = 1_000;

export class Requests {
  #send;
  #clock;
  #giveUp;
  #open = new Map();
  #retries = new Set();
  #timer = null;
  #patienceMs = ANSWER_MS;
  #prefix;
  #count = 0;

  /** `send(request)` says whether there was a connection; `giveUp()` is called when no answer comes. */
  constructor({ send, giveUp, clock }) {
    this.#send = send;
    this.#giveUp = giveUp;
    this.#clock = clock;
    this.#prefix = `q${Math.floor(clock.random() * 2 ** 32).toString(36)}`;
  }

  /**
   * Sends a request, with a ref of ours if it has none. `answered(frame)`, `refused(error)` or `lost()` is called,
   * once; one without `refused` is asked again when it was too fast, as is one with `isPatient`.
   */
  ask(request, { answered, refused, lost, isPatient = refused === undefined } = {}) {
    this.#count += 1;
    const ref = request.ref ?? `${this.#prefix}-${this.#count}`;
    const open = { request: { ...request, ref }, answered, refused, lost, isPatient, askedAt: this.#clock.now() };
    this.#open.set(ref, open);
    if (!this.#send(open.request)) return false;
    this.#watch();
    return true;
  }

  /** Whether something of that type waits for its answer, or for being asked again. */
  isOpen(type) {
    return [...this.#open.values(), ...this.#retries].some(({ request }) => request.type === type);
  }

  /** A frame with a ref. */
  answer(frame) {
    this.#close(frame.ref)?.answered?.(frame);
  }

  /** An answer that has no ref belongs to the oldest request of that type. */
  answerFirst(type, frame) {
    const found = [...this.#open.values()].find(({ request }) => request.type === type);
    if (found) this.answer({ ...frame, ref: found.request.ref });
  }

  /** Whether the error was about one of these requests, and is dealt with. */
  refuse(error) {
    const open = this.#close(error.ref);
    if (!open) return false;
    if (error.code === 'rate_limited' && open.isPatient) this.#askAgain(open, error.retryAfterMs ?? RETRY_MS);
    else if (open.refused) open.refused(error);
    else return false;
    return true;
  }

  /** Answers do not come over another connection. */
  lost() {
    this.#clock.clearTimeout(this.#timer);
    this.#timer = null;
    const all = [...this.#open.values(), ...this.#retries];
    for (const { retryTimer } of this.#retries) this.#clock.clearTimeout(retryTimer);
    this.#open.clear();
    this.#retries.clear();
    for (const { lost } of all) lost?.();
  }

  /** The connection has been good for a while. */
  calm() {
    this.#patienceMs = ANSWER_MS;
  }

  #askAgain(open, waitMs) {
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

  /** The first in the map is the oldest. */
  #watch() {
    if (this.#timer !== null || this.#open.size === 0) return;
    const [{ askedAt }] = this.#open.values();
    const waitMs = Math.max(0, askedAt + this.#patienceMs - this.#clock.now());
    this.#timer = this.#clock.setTimeout(() => {
      this.#timer = null;
      const oldest = this.#open.values().next().value;
      if (oldest && this.#clock.now() - oldest.askedAt >= this.#patienceMs) {
        this.#patienceMs = Math.min(2 * this.#patienceMs, LONGEST_ANSWER_MS);
        this.#giveUp();
      } else {
        this.#watch();
      }
    }, waitMs);
  }
}
