// Which protocol to offer to a server: wschat.v2, or the base protocol where that fails.

const V2 = 'wschat.v2';

export class Versions {
  /** The protocol this server speaks, once a connection has opened. */
  #known = null;
  #isBaseNext = false;
  #isChecking = false;

  next() {
    return this.#known ?? (this.#isBaseNext && !this.#isChecking ? 'base' : V2);
  }

  /** Whether to stay with this version, now that a connection has opened. */
  opened(version) {
    if (version === 'base' && this.#known === null && this.#isBaseNext && !this.#isChecking) {
      // wschat.v2 failed, but perhaps only because the network was down. Now that the server is known to be reachable,
      // it is tried once more before settling for the base protocol.
      this.#isChecking = true;
      return false;
    }
    this.#known = version;
    this.#isChecking = false;
    return true;
  }

  /** Whether to connect again at once. */
  lost({ version, hadOpened, isWelcome }) {
    if (!hadOpened && this.#isChecking) {
      this.#isChecking = false;
      this.#known = 'base';
      return true;
    }
    // A connection that never worked may have used the wrong protocol. A server that has spoken wschat.v2 always will.
    if (!isWelcome && this.#known !== V2) {
      this.#known = null;
      this.#isBaseNext = version === V2;
    }
    return false;
  }
}
