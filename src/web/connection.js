// The connection: one WebSocket at a time, opened again whenever it is lost. It carries frames (JSON
// objects) both ways and knows nothing of what they mean, nor of the DOM.

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
/** A connection that lived this long was a good one: the next loss starts with the shortest wait again. */
const STEADY_MS = 10_000;
/** Every connection and every request is answered by some frame. When none comes for so long, nobody is there. */
const ANSWER_MS = 15_000;

/**
 * How long to wait before the given attempt, counted from 0: twice as long each time, and then between half
 * and all of that by chance, so that the clients of a restarted server do not all come back at once.
 */
export function backoffMs(attempt, random = Math.random) {
  const longest = Math.min(FIRST_WAIT_MS * 2 ** attempt, LONGEST_WAIT_MS);
  return longest * (0.5 + random() / 2);
}

export class Connection {
  #url;
  #handlers;
  #socket = null;
  #attempt = 0;
  #openedAt = 0;
  #retryTimer;
  #answerTimer;

  /** `handlers`: connecting(), frame(object) and lost(reason), where the reason may be empty. */
  constructor(url, handlers) {
    this.#url = url;
    this.#handlers = handlers;
  }

  open() {
    clearTimeout(this.#retryTimer);
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    // Nothing counts any more from a socket that was given up.
    const listen = (type, listener) =>
      socket.addEventListener(type, (event) => socket === this.#socket && listener(event));
    listen('open', () => { this.#openedAt = Date.now(); });
    listen('message', (event) => this.#received(event.data));
    listen('close', (event) => this.#lost(event.reason));
    this.#expectAnswer();
    this.#handlers.connecting();
  }

  /** Opens at once if it is waiting to; otherwise does nothing. */
  retry() {
    if (this.#socket === null) this.open();
  }

  /** Sends a request, or says with `false` that there is no connection to send it over. */
  send(request) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(request));
    this.#expectAnswer();
    return true;
  }

  #received(data) {
    this.#answered();
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {
      return; // not ours to understand, like a frame of an unknown type
    }
    this.#handlers.frame(frame);
  }

  #expectAnswer() {
    this.#answerTimer ??= setTimeout(() => this.#giveUp(), ANSWER_MS);
  }

  #answered() {
    clearTimeout(this.#answerTimer);
    this.#answerTimer = undefined;
  }

  #giveUp() {
    const socket = this.#socket;
    this.#lost('no answer');
    socket.close();
  }

  #lost(reason) {
    this.#answered();
    this.#socket = null;
    if (this.#openedAt && Date.now() - this.#openedAt >= STEADY_MS) this.#attempt = 0;
    this.#openedAt = 0;
    this.#retryTimer = setTimeout(() => this.open(), backoffMs(this.#attempt));
    this.#attempt += 1;
    this.#handlers.lost(reason);
  }
}
