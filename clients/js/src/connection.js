// The connection: one WebSocket at a time, with automatic reconnects. It carries frames (JSON objects) both ways
// without knowing what they mean, and negotiates the subprotocol.

const V2 = 'wschat.v2';
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
/** A connection that lasted this long resets the backoff. */
const STEADY_MS = 10_000;
/** From opening the socket to the welcome. */
const WELCOME_MS = 15_000;

/** After a close code of this range the client must not reconnect by itself, such as 4001: another has the session. */
const isFinal = (code) => code >= 4000 && code < 4500;
/** Close codes that a quick retry would not help: see docs/protocol.md, "How a connection ends". */
const NOT_SOON = new Set([1002, 1003, 1007, 1008]);

const OPEN = 1;

/**
 * The delay before a reconnect attempt, counted from 0: exponential backoff with jitter of half the delay, so that the
 * clients of a restarted server do not all reconnect at once.
 */
export function backoffMs(attempt, random = Math.random) {
  const longest = Math.min(FIRST_WAIT_MS * 2 ** attempt, LONGEST_WAIT_MS);
  return longest * (0.5 + random() / 2);
}

export class Connection {
  #options;
  #clock;
  #handlers;
  #socket = null;
  #state = 'idle'; // connecting | open | waiting | stopped
  #attempt = 0;
  #openedAt = null;
  #retryTimer = null;
  #welcomeTimer = null;
  #version = V2;
  /** Whether the server has sent anything on this connection. */
  #isWelcome = false;

  /**
   * `secret()` returns the secret of the session to resume, or null. `handlers` are connecting(), frame(object,
   * version) and lost({ code, reason, retryAt }), where `retryAt` is null if there will be no retry. `versions` is for
   * programs that also speak the base protocol: next() returns 'wschat.v2' or 'base'; opened(version), whether to stay
   * with it; lost({ version, hadOpened, isWelcome }), whether to connect again at once.
   */
  constructor({ clock, handlers, ...options }) {
    this.#options = options;
    this.#clock = clock;
    this.#handlers = handlers;
  }

  /** Whether only `open` reconnects. */
  get isStopped() {
    return this.#state === 'stopped';
  }

  /** Connects, unless connected or connecting. */
  open() {
    // The attempt may have begun before the network was back: then the next one is soon.
    if (this.#state === 'connecting') this.#attempt = 0;
    if (this.#state === 'connecting' || this.#state === 'open') return;
    this.#connect();
  }

  /** Sends a request. Returns false if there is no open connection. */
  send(request) {
    if (this.#state !== 'open' || this.#socket.readyState !== OPEN) return false;
    this.#socket.send(JSON.stringify(request));
    return true;
  }

  /** The server does not answer: treats the connection as lost. */
  giveUp(reason) {
    const socket = this.#socket;
    if (socket === null) return;
    this.#lost(1006, reason);
    socket.close();
  }

  /** Closes the connection without reconnecting. */
  close() {
    const socket = this.#socket;
    this.#socket = null;
    this.#state = 'stopped';
    this.#clearTimers();
    socket?.close();
  }

  #connect() {
    this.#clearTimers();
    this.#state = 'connecting';
    this.#openedAt = null;
    this.#isWelcome = false;
    const { url, WebSocket, versions } = this.#options;
    this.#version = versions?.next() ?? V2;
    const secret = this.#options.secret();
    const protocols = this.#version === V2 ? [V2, ...(secret ? [`session.${secret}`] : [])] : [];
    const socket = new WebSocket(url, protocols);
    this.#socket = socket;
    // Events of an abandoned socket are ignored.
    const listen = (type, listener) =>
      socket.addEventListener(type, (event) => socket === this.#socket && listener(event));
    listen('open', () => this.#opened());
    listen('message', ({ data }) => this.#received(data));
    listen('close', ({ code, reason }) => this.#lost(code, reason ?? ''));
    // What went wrong comes with `close`; but the package ws throws an error that nobody listens to.
    socket.addEventListener('error', () => {});
    this.#welcomeTimer = this.#clock.setTimeout(() => this.giveUp('no answer'), WELCOME_MS);
    this.#handlers.connecting();
  }

  #opened() {
    const { versions } = this.#options;
    // The server ignored the offered subprotocol, and the browser accepted that.
    if (this.#version === V2 && this.#socket.protocol !== V2) {
      if (!versions) return this.giveUp('the server does not speak wschat.v2');
      this.#version = 'base';
    }
    if (versions && !versions.opened(this.#version)) {
      const socket = this.#socket;
      this.#connect();
      return socket.close();
    }
    this.#state = 'open';
    this.#openedAt = this.#clock.now();
  }

  #received(data) {
    if (this.#state !== 'open') return;
    this.#clock.clearTimeout(this.#welcomeTimer);
    this.#isWelcome = true;
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {
      return; // ignored, like a frame of an unknown type
    }
    if (typeof frame?.type === 'string') this.#handlers.frame(frame, this.#version);
  }

  #lost(code, reason) {
    const hadOpened = this.#openedAt !== null;
    this.#clearTimers();
    this.#socket = null;
    const ended = { version: this.#version, hadOpened, isWelcome: this.#isWelcome };
    if (this.#options.versions?.lost(ended)) return this.#connect();
    if (isFinal(code)) {
      this.#state = 'stopped';
      return this.#handlers.lost({ code, reason, retryAt: null });
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
