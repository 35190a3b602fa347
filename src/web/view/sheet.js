// What all dialogs have: a heading that stays, a button that closes at the top, and a click beside them that closes too.

import { button, element } from './dom.js';
import { t } from './words.js';

/** The top of the dialog. The heading has the focus first: the dialog is read from its beginning. */
export function top(dialog, title) {
  const heading = element('h2', '', title);
  heading.id = dialog.getAttribute('aria-labelledby');
  heading.dir = 'auto';
  heading.tabIndex = -1;
  heading.autofocus = true;
  return element('div', 'top', heading, button('plain', t('close'), () => dialog.close(), 'close'));
}

export function showSheet(dialog) {
  dialog.addEventListener('click', closeBeside);
  dialog.showModal();
  dialog.scrollTop = 0;
}

function closeBeside(event) {
  const { currentTarget: dialog, target, clientX: x, clientY: y } = event;
  const { left, right, top: upper, bottom } = dialog.getBoundingClientRect();
  // Enter on a button is a click without a place.
  if (target === dialog && event.detail > 0 && (x < left || x > right || y < upper || y > bottom)) dialog.close();
}
