// The clipboard.

import { element } from './dom.js';

/** Copies the text. Returns whether that worked. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

/** The old way, which is the only one over plain http, except on localhost. */
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
