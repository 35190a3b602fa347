// The base protocol, loaded when a server turns out to speak nothing else. Frames wait for it in their order.

export class LateBase {
  #make;
  #failed;
  #base = null;
  /** Null while nothing is on its way. */
  #waiting = null;

  /** `make()` makes what translates, or promises it; `failed()` is called when it cannot be loaded. */
  constructor(make, failed) {
    this.#make = make;
    this.#failed = failed;
  }

  receive(frame) {
    if (this.#base) return this.#base.receive(frame);
    if (this.#waiting) return this.#waiting.push(frame);
    const made = this.#make();
    this.#waiting = [frame];
    if (made instanceof Promise) made.then((base) => this.#begin(base), () => this.#fail());
    else this.#begin(made);
  }

  /** Before the welcome there is nothing to send. */
  send(request) {
    return this.#base?.send(request);
  }

  reset() {
    this.#base?.reset();
    this.#waiting?.splice(0);
  }

  #begin(base) {
    this.#base = base;
    for (const frame of this.#waiting.splice(0)) base.receive(frame);
  }

  #fail() {
    this.#waiting = null;
    this.#failed();
  }
}
