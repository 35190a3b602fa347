// Emoji in messages by their short names: `:wave:`. The table of emoji is loaded when a message has such a name for the
// first time. Until then the message shows the name.

/** The length of the longest name, which bounds the search. */
const NAME = /:([a-z0-9_+-]{1,40}):/y;

const listeners = new Set();
let emoji = null;
let isAsked = false;

/** Calls `listener()` when the table has come: what has been parsed before may look different now. */
export const onEmoji = (listener) => listeners.add(listener);

/** Whether a text may have the short name of an emoji. */
export const mayNameEmoji = (text) => /:[a-z0-9_+-]{1,40}:/.test(text);

/** Where the table cannot be loaded, the next short name asks again. */
export async function loadEmoji() {
  isAsked = true;
  try {
    ({ EMOJI: emoji } = await import('./emoji.js'));
  } catch {
    isAsked = false;
    return;
  }
  for (const listener of listeners) listener();
}

/** Resolves when the short names in a text can be read as emoji, or cannot for now. */
export async function emojiOf(text) {
  if (emoji === null && mayNameEmoji(text)) await loadEmoji();
}

/** The emoji whose `:name:` starts at `index`, or null. */
export function emojiAt(text, index) {
  NAME.lastIndex = index;
  const name = NAME.exec(text)?.[1];
  if (name !== undefined && !isAsked) loadEmoji();
  const character = emoji?.get(name);
  return character === undefined ? null : { name, character, end: index + name.length + 2 };
}
