// A short, soft tone for a mention. Off until the user turns it on.

const KEY = 'sound';
const PAUSE_MS = 2_000;
/** Two notes, a fourth apart, each fading out. */
const NOTES = [{ hertz: 660, at: 0 }, { hertz: 880, at: 0.11 }];
const LOUDNESS = 0.06;
const FADE_SECONDS = 0.3;

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
    this.#context.resume().then(() => { for (const note of NOTES) this.#sound(note); }, () => {});
  }

  #sound({ hertz, at }) {
    const context = this.#context;
    const begin = context.currentTime + at;
    const tone = new OscillatorNode(context, { frequency: hertz });
    const volume = new GainNode(context, { gain: 0 });
    volume.gain.setValueAtTime(0, begin);
    volume.gain.linearRampToValueAtTime(LOUDNESS, begin + 0.015);
    volume.gain.exponentialRampToValueAtTime(0.0001, begin + FADE_SECONDS);
    tone.connect(volume).connect(context.destination);
    tone.start(begin);
    tone.stop(begin + FADE_SECONDS);
  }
}
