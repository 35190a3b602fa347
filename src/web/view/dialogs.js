// The keyboard shortcuts and the formatting, in a dialog. Loaded when it is wanted.

import { byId, element } from './dom.js';
import { commandSign } from './keys.js';
import { showSheet, top } from './sheet.js';
import { t } from './words.js';

export function openShortcuts() {
  const dialog = byId('shortcuts');
  if (dialog.childElementCount === 0) fill(dialog);
  showSheet(dialog);
}

function fill(dialog) {
  const ctrl = commandSign() ?? t('key_ctrl');
  const [enter, shift, alt, tab, escape, end] = ['enter', 'shift', 'alt', 'tab', 'escape', 'end'].map((key) => t(`key_${key}`));
  const keys = [
    ['shortcut_help', ['?']],
    ['shortcut_send', [enter]],
    ['shortcut_send_always', [ctrl, enter]],
    ['shortcut_line', [shift, enter]],
    ['shortcut_recall', ['↑']],
    ['shortcut_complete', [tab]],
    ['shortcut_rooms', [alt, '↑ ↓']],
    ['switcher', [t('key_ctrl'), 'K']],
    ['shortcut_gifs', [alt, 'G']],
    ['shortcut_log', [alt, 'M']],
    ['shortcut_move', ['↑ ↓']],
    ['shortcut_newest', [end]],
    ['shortcut_copy', ['C']],
    ['shortcut_escape', [escape]],
  ].map(([what, pressed]) => [pressed.map((key) => element('kbd', '', key)), t(what)]);
  const marks = [
    ['**…**', element('strong', '', t('format_bold')), [ctrl, 'B']],
    ['*…*', element('em', '', t('format_italic')), [ctrl, 'I']],
    ['~~…~~', element('s', '', t('format_strike')), [ctrl, shift, 'X']],
    ['||…||', element('span', 'spoiler', t('format_spoiler'))],
    ['`…`', element('code', '', t('format_code')), [ctrl, 'E']],
    ['```', t('format_block')],
    ['>', t('format_quote')],
    ['- 1.', t('format_list')],
    ['[…](https://…)', t('format_link')],
  ].map(([mark, what, pressed = []]) => (
    [[element('kbd', '', mark)], what, ...pressed.map((key) => element('kbd', '', key))]));
  dialog.replaceChildren(
    top(dialog, t('shortcuts')),
    list(keys),
    element('h3', '', t('formatting')),
    list(marks),
  );
}

/** A list of terms and definitions. */
function list(pairs) {
  const made = element('dl');
  const spaced = (parts) => parts.flatMap((part, index) => (index === 0 ? [part] : [' ', part]));
  for (const [terms, ...meaning] of pairs) {
    made.append(element('dt', '', ...spaced(terms)), element('dd', '', ...spaced(meaning)));
  }
  return made;
}
