// The clipboard.

import { element } from './dom.js';

/** Whether the text is in the clipboard now. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

/** The old way: over plain http, except on one's own machine, browsers have no other. */
function copyBySelection(text) {
  const box = element('textarea', 'unseen', text);
  const focused = document.activeElement;
  document.body.append(box);
  box.select();
  try {
    return document.execCommand('copy');
  } catch {
    return false;
  } finally {
    box.remove();
    focused?.focus();
  }
}
