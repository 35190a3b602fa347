// What a key means here: whether it writes a character, which modifier is for commands, and what Enter does.

import { isWriting } from './dom.js';

const isApple = () => /Mac|iPhone|iPad|iPod/.test(
  `${navigator.userAgentData?.platform ?? ''} ${navigator.platform} ${navigator.userAgent}`,
);

/** Whether the command modifier is held, and no other but Shift: ⌘ on a Mac, where Ctrl moves the caret; Ctrl elsewhere. */
export function isCommand({ altKey, ctrlKey, metaKey }) {
  const [command, other] = isApple() ? [metaKey, ctrlKey] : [ctrlKey, metaKey];
  return command && !other && !altKey;
}

/** How the command modifier is called: a sign on a Mac, or null for the name in the language of the page. */
export const commandSign = () => (isApple() ? '⌘' : null);

/**
 * The name of the key that is pressed with Alt for a shortcut, as in `g` or `ArrowUp`; null if the key belongs to the
 * text. On a Mac, ⌥ writes signs (⌥G is ©) and moves the caret (⌥↑), and AltGr writes on other keyboards. Where letters
 * are not Latin, the place of the key says which one is meant; so it does outside of a text, where nothing is written.
 */
export function shortcutKey(event) {
  const { altKey, code, ctrlKey, key, metaKey, target } = event;
  if (!altKey || ctrlKey || metaKey) return null;
  const isText = isWriting(target) || target.isContentEditable === true;
  if (isText && (isApple() || event.getModifierState('AltGraph'))) return null;
  const place = /^Key[A-Z]$/.test(code) ? code.slice(3).toLowerCase() : null;
  if (/^[a-z]$/i.test(key)) return key.toLowerCase();
  if (place !== null && (!isText || isForeign(key))) return place;
  return key;
}

/** A letter of a script that has no `g`. */
const isForeign = (key) => [...key].length === 1 && /\p{L}/u.test(key) && !/[\p{sc=Latin}\p{sc=Common}]/u.test(key);

const withPointer = matchMedia('(pointer: fine), (any-pointer: fine) and (any-hover: hover)');

/**
 * Whether Enter sends. With nothing but a finger it begins a line: a keyboard on the screen has no Shift+Enter. A mouse
 * or a trackpad means a keyboard with all keys beside it.
 */
export const entersSend = () => withPointer.matches;

/** Calls `listener()` when that changes, as when a tablet is put into its keyboard. */
export function onEntering(listener) {
  withPointer.addEventListener('change', listener);
}
