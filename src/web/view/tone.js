// A short, soft tone. Loaded when it is first heard.

/** Two notes, a fourth apart, each fading out. */
const NOTES = [{ hertz: 660, at: 0 }, { hertz: 880, at: 0.11 }];
const LOUDNESS = 0.06;
const FADE_SECONDS = 0.3;

export function playTone(context) {
  for (const note of NOTES) play(context, note);
}

function play(context, { hertz, at }) {
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
