// Finds rooms by a part of their titles, whatever the case and the accents. Knows no DOM.

/** Letters without case and accents. */
const fold = (text) => text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase().trim();

/** How well a title answers what was typed: 0 is best, null not at all. */
export function matchOf(title, typed) {
  const [whole, wanted] = [fold(title), fold(typed)];
  if (whole === wanted) return 0;
  if (whole.startsWith(wanted)) return 1;
  const words = wanted.split(/\s+/);
  const parts = whole.split(/[^\p{L}\p{N}]+/u);
  if (words.every((word) => parts.some((part) => part.startsWith(word)))) return 2;
  if (words.every((word) => whole.includes(word))) return 3;
  return null;
}

/** The rooms that answer what was typed, the best first; of those that are alike, in the order of `rooms`. */
export function find(rooms, typed) {
  if (fold(typed) === '') return rooms;
  const found = rooms.map((room) => ({ room, match: matchOf(room.title, typed) })).filter(({ match }) => match !== null);
  return found.sort((a, b) => a.match - b.match).map(({ room }) => room);
}

/** Likewise, in the order of `rooms` only. */
export function filter(rooms, typed) {
  return fold(typed) === '' ? rooms : rooms.filter(({ title }) => matchOf(title, typed) !== null);
}
