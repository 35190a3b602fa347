// The pictures that the page offers: gifs/<id>.gif, drawn by gifs/generate.py. Other clients may send
// other ids, which the page shows as words.

export const GIFS = [
  { id: 1, alt: 'A waving hand' },
  { id: 2, alt: 'A party popper and confetti' },
  { id: 3, alt: 'A beating heart' },
  { id: 4, alt: 'Thumbs up' },
  { id: 5, alt: 'A steaming cup of coffee' },
];

/** All are square; said here so that a picture takes its place before it is loaded. */
export const GIF_PIXELS = 180;
