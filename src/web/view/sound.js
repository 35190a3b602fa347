// The sound for a mention. Off until the user turns it on, so what it is (tone.js) is loaded when it is first heard.

const KEY = 'sound';
const PAUSE_MS = 2_000;

export class Sound {
  #storage;
  #context = null;
  #playedAt = -Infinity;

  constructor(storage) {
    this.#storage = storage;
  }

  get isOn() {
    return this.#storage.get(KEY) === true;
  }

  /** Lets the user hear what it is. */
  turn(isOn) {
    this.#storage.set(KEY, isOn);
    if (isOn) this.#play();
  }

  /** Sounds at most once in two seconds. */
  ping() {
    const now = performance.now();
    if (!this.isOn || now - this.#playedAt < PAUSE_MS) return;
    this.#playedAt = now;
    this.#play();
  }

  #play() {
    // Before the user has touched the page, browsers allow no sound, and complain.
    if (!('AudioContext' in globalThis) || navigator.userActivation?.hasBeenActive === false) return;
    this.#context ??= new AudioContext();
    // A sound that cannot be loaded or played is not worth a word: the title and the icon tell the same.
    Promise.all([import('./tone.js'), this.#context.resume()]).then(([{ playTone }]) => playTone(this.#context), () => {});
  }
}
