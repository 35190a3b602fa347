// One person is one user: the tabs of a browser share a session, which one of them has at a time.

/** Tells the other tabs that one of them has connected, and has no other use. */
const KEY = 'tab';

export class Tabs {
  #local;
  #state;
  #client;
  #outbox;
  /** Another tab has connected since our attempt began: if that fails, we give way. */
  #isOvertaken = false;

  constructor({ storage, state, client, outbox }) {
    this.#local = storage.local;
    this.#state = state;
    this.#client = client;
    this.#outbox = outbox;
    storage.onChange?.((key) => {
      if (key === 'said') this.#forgetSaid();
      else if (key === KEY || key === 'session') this.#giveWay();
    });
  }

  /** We have the session now. Base protocol connections have none, and are users of their own. */
  welcomed() {
    this.#isOvertaken = false;
    this.#outbox.forgetSaid();
    if (this.#state.session !== null) this.#local.set(KEY, Math.random());
  }

  disconnected() {
    if (this.#isOvertaken && this.#state.phase === 'waiting') this.#stop();
    this.#isOvertaken = false;
  }

  #stop() {
    this.#client.stop(4001, 'replaced');
  }

  #forgetSaid() {
    this.#outbox.forgetSaid();
    this.#client.proceed();
  }

  /**
   * Another tab has connected. If it has our session, the server decides which of us keeps it, so that it is always
   * one: only a tab that waits for its next attempt, or whose attempt fails, gives way by itself. If two tabs have begun
   * at the same time, each with a session of its own, the one that was stored last stays.
   */
  #giveWay() {
    const { phase, session, version } = this.#state;
    const stored = this.#local.get('session');
    if (version === 'base' || stored === null) return;
    const isWaiting = phase === 'waiting';
    this.#isOvertaken = phase === 'connecting';
    const isDouble = phase === 'online' && stored !== session;
    if (isDouble && this.#state.hereId !== null) this.#client.ask({ type: 'leave_room' });
    if (isWaiting || isDouble) this.#stop();
  }
}
