// Writes into a text box so that Undo takes it back.

/** Replaces the text from `start` to `end`; the caret goes behind it. The box gets the focus and an `input` event. */
export function insertText(box, text, start = box.selectionStart, end = box.selectionEnd) {
  box.focus();
  box.setSelectionRange(start, end);
  // Nothing newer leaves the browser's own undo intact.
  const isDone = text === '' ? start === end || document.execCommand('delete') : document.execCommand('insertText', false, text);
  if (isDone) return;
  box.setRangeText(text, start, end, 'end');
  box.dispatchEvent(new Event('input'));
}
