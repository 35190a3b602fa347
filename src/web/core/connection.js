// The connection: one WebSocket at a time, opened again whenever it is lost. It carries frames (JSON
// objects) both ways and knows nothing of what they mean; it does know which subprotocol to offer.

const V2 = 'wschat.v2';
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
/** A connection that lived this long was a good one: the next loss starts with the shortest wait again. */
const STEADY_MS = 10_000;
/** From the first packet to the welcome. */
const WELCOME_MS = 15_000;

/** Another one has taken the session: coming back would take it from that one. */
const REPLACED = 4001;
/** Closed for something that will not be better soon: see docs/protocol.md, "How a connection ends". */
const NOT_SOON = new Set([1002, 1003, 1007, 1008]);

const OPEN = 1;

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
  #WebSocket;
  #clock;
  #secret;
  #handlers;
  #socket = null;
  #state = 'idle'; // connecting | open | waiting | replaced
  #attempt = 0;
  #openedAt = null;
  #retryTimer = null;
  #welcomeTimer = null;
  #version = null;
  /** Which protocol this server is known to speak, once one has opened. */
  #known = null;
  #isBaseNext = false;
  #isChecking = false;
  /** Whether the server has said something on this connection. */
  #isWelcome = false;

  /**
   * `secret()` is that of the session to resume, or null. `handlers`: connecting(), frame(object, version),
   * lost({ code, reason, retryAt }) and replaced().
   */
  constructor({ url, WebSocket, clock, secret, handlers }) {
    this.#url = url;
    this.#WebSocket = WebSocket;
    this.#clock = clock;
    this.#secret = secret;
    this.#handlers = handlers;
  }

  get isReplaced() {
    return this.#state === 'replaced';
  }

  /** Opens, unless it is open or about to be. */
  open() {
    if (this.#state === 'connecting' || this.#state === 'open') return;
    this.#connect();
  }

  /** Sends a request, or says with `false` that there is no connection to send it over. */
  send(request) {
    if (this.#state !== 'open' || this.#socket.readyState !== OPEN) return false;
    this.#socket.send(JSON.stringify(request));
    return true;
  }

  /** Nobody is there: as good as lost. */
  giveUp(reason) {
    const socket = this.#socket;
    if (socket === null) return;
    this.#lost(1006, reason);
    socket.close();
  }

  /** Ends it for good. */
  close() {
    const socket = this.#socket;
    this.#socket = null;
    this.#state = 'idle';
    this.#clearTimers();
    socket?.close();
  }

  #connect() {
    this.#clearTimers();
    this.#state = 'connecting';
    this.#openedAt = null;
    this.#isWelcome = false;
    this.#version = this.#known ?? (this.#isBaseNext && !this.#isChecking ? 'base' : V2);
    const secret = this.#secret();
    const protocols = this.#version === V2 ? [V2, ...(secret ? [`session.${secret}`] : [])] : [];
    const socket = new this.#WebSocket(this.#url, protocols);
    this.#socket = socket;
    // Nothing counts any more from a socket that was given up.
    const listen = (type, listener) =>
      socket.addEventListener(type, (event) => socket === this.#socket && listener(event));
    listen('open', () => this.#opened());
    listen('message', ({ data }) => this.#received(data));
    listen('close', ({ code, reason }) => this.#lost(code, reason ?? ''));
    this.#welcomeTimer = this.#clock.setTimeout(() => this.giveUp('no answer'), WELCOME_MS);
    this.#handlers.connecting();
  }

  #opened() {
    // A server that takes no subprotocol, with a client that does not mind.
    if (this.#version === V2 && this.#socket.protocol !== V2) this.#version = 'base';
    if (this.#version === 'base' && this.#known === null && this.#isBaseNext && !this.#isChecking) {
      return this.#checkOnce();
    }
    this.#known = this.#version;
    this.#isChecking = false;
    this.#state = 'open';
    this.#openedAt = this.#clock.now();
  }

  /**
   * wschat.v2 has failed, but perhaps for want of a network. Now that the server is known to be there, it is
   * asked once more, before the page does without memory for as long as it is open.
   */
  #checkOnce() {
    const socket = this.#socket;
    this.#isChecking = true;
    this.#connect();
    socket.close();
  }

  #received(data) {
    if (this.#state !== 'open') return;
    this.#clock.clearTimeout(this.#welcomeTimer);
    this.#isWelcome = true;
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {
      return; // not ours to understand, like a frame of an unknown type
    }
    this.#handlers.frame(frame, this.#version);
  }

  #lost(code, reason) {
    const hadOpened = this.#openedAt !== null;
    this.#clearTimers();
    this.#socket = null;
    if (!hadOpened && this.#isChecking) {
      this.#isChecking = false;
      this.#known = 'base';
      return this.#connect();
    }
    // What has never worked may be the wrong protocol; but wschat.v2, once spoken, is always spoken.
    if (!this.#isWelcome && this.#known !== V2) {
      this.#known = null;
      this.#isBaseNext = this.#version === V2;
    }
    if (code === REPLACED) {
      this.#state = 'replaced';
      return this.#handlers.replaced(reason);
    }
    this.#state = 'waiting';
    if (hadOpened && this.#clock.now() - this.#openedAt >= STEADY_MS) this.#attempt = 0;
    const waitMs = backoffMs(NOT_SOON.has(code) ? Infinity : this.#attempt, this.#clock.random);
    this.#attempt += 1;
    this.#retryTimer = this.#clock.setTimeout(() => this.#connect(), waitMs);
    this.#handlers.lost({ code, reason, retryAt: this.#clock.now() + waitMs });
  }

  #clearTimers() {
    this.#clock.clearTimeout(this.#retryTimer);
    this.#clock.clearTimeout(this.#welcomeTimer);
  }
}
