// Links to rooms and messages: `#room=3&seq=17`, where the room is an id or a title.

const WHOLE = /^[1-9]\d{0,15}$/;

const number = (text) => (WHOLE.test(text ?? '') && Number.isSafeInteger(Number(text)) ? Number(text) : null);

/** `{ room: id or title, seq? }`, or null if the hash names no room. */
export function parseLink(hash) {
  const values = new URLSearchParams(hash.replace(/^#/, ''));
  const room = values.get('room')?.trim();
  if (!room) return null;
  const seq = number(values.get('seq'));
  return { room: number(room) ?? room, ...(seq !== null && { seq }) };
}

/** The hash for such a link. A title made of digits would be taken for an id: use the id then. */
export function formatLink({ room, seq }) {
  const values = new URLSearchParams({ room });
  if (seq !== undefined) values.set('seq', seq);
  return `#${values}`;
}
