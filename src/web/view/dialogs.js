// The keyboard shortcuts and the formatting, in a dialog.

import { byId, element } from './dom.js';
import { showSheet, top } from './sheet.js';
import { t } from './words.js';

/** Keyboard shortcuts and formatting. */
export class ShortcutsDialog {
  #dialog = byId('shortcuts');

  open() {
    if (this.#dialog.childElementCount === 0) this.#fill();
    showSheet(this.#dialog);
  }

  #fill() {
    const [enter, shift, alt, tab, escape, end] = ['enter', 'shift', 'alt', 'tab', 'escape', 'end'].map((key) => t(`key_${key}`));
    const keys = [
      ['shortcut_help', ['?']],
      ['shortcut_send', [enter]],
      ['shortcut_line', [shift, enter]],
      ['shortcut_recall', ['↑']],
      ['shortcut_complete', [tab]],
      ['shortcut_rooms', [alt, '↑ ↓']],
      ['shortcut_gifs', [alt, 'G']],
      ['shortcut_log', [alt, 'M']],
      ['shortcut_move', ['↑ ↓']],
      ['shortcut_newest', [end]],
      ['shortcut_copy', ['C']],
      ['shortcut_escape', [escape]],
    ].map(([what, pressed]) => [pressed.map((key) => element('kbd', '', key)), t(what)]);
    const marks = [
      ['**…**', element('strong', '', t('format_bold'))],
      ['*…*', element('em', '', t('format_italic'))],
      ['`…`', element('code', '', t('format_code'))],
      ['```', t('format_block')],
      ['>', t('format_quote')],
    ].map(([mark, what]) => [[element('kbd', '', mark)], what]);
    this.#dialog.replaceChildren(
      top(this.#dialog, t('shortcuts')),
      list(keys),
      element('h3', '', t('formatting')),
      list(marks),
    );
  }
}

/** A list of terms and definitions. */
function list(pairs) {
  const made = element('dl');
  for (const [terms, meaning] of pairs) {
    const spaced = terms.flatMap((term, index) => (index === 0 ? [term] : [' ', term]));
    made.append(element('dt', '', ...spaced), element('dd', '', meaning));
  }
  return made;
}
