// A GIF. With reduced motion it shows its first frame until the user plays it.

import { element, icon } from './dom.js';
import { t } from './words.js';

const PIXELS = 180;
const lessMotion = matchMedia('(prefers-reduced-motion: reduce)');

/** Whether GIFs stand still. */
const isStill = () => lessMotion.matches;

/** Calls `listener()` when that changes. */
export function onStillness(listener) {
  lessMotion.addEventListener('change', listener);
}

/** The GIF with its alternative text. A thumbnail sits on a button and gets no play button. */
export function picture(source, alt, { isThumbnail = false } = {}) {
  if (!isStill()) return moving(source, alt);
  const frame = element('span', 'picture', still(source, alt));
  if (!isThumbnail) frame.append(playButton(frame, source, alt));
  return frame;
}

function moving(source, alt) {
  const image = element('img');
  image.loading = 'lazy';
  image.alt = alt;
  image.width = PIXELS;
  image.height = PIXELS;
  image.src = source;
  return image;
}

/** The first frame. */
function still(source, alt) {
  const canvas = element('canvas');
  canvas.width = PIXELS;
  canvas.height = PIXELS;
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', alt);
  const image = new Image();
  image.addEventListener('load', () => {
    // Other proportions are fitted into the square, centred.
    const scale = Math.min(PIXELS / image.naturalWidth, PIXELS / image.naturalHeight);
    const [width, height] = [image.naturalWidth * scale, image.naturalHeight * scale];
    canvas.getContext('2d').drawImage(image, (PIXELS - width) / 2, (PIXELS - height) / 2, width, height);
  });
  image.src = source;
  return canvas;
}

function playButton(frame, source, alt) {
  const button = element('button', 'play');
  button.type = 'button';
  let isPlaying = false;
  const draw = () => {
    const words = t(isPlaying ? 'gif_stop' : 'gif_play');
    button.replaceChildren(icon(isPlaying ? 'stop' : 'play'), words);
    button.setAttribute('aria-label', `${words}: ${alt}`);
  };
  button.addEventListener('click', () => {
    isPlaying = !isPlaying;
    frame.firstElementChild.replaceWith(isPlaying ? moving(source, alt) : still(source, alt));
    draw();
  });
  draw();
  return button;
}
