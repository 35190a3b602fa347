// The keyboard shortcuts of the whole page. dialogs.js lists them.

import { byId, isComposing, isWriting } from './dom.js';
import { shortcutKey } from './keys.js';

export function listenToKeys({ inside, openShortcuts, openSwitcher, rooms, talk }) {
  const byKey = {
    ArrowUp: () => rooms.step(-1),
    ArrowDown: () => rooms.step(1),
    g: () => isInRoom() && inside.view?.picker.toggle('gifs'),
    m: () => isInRoom() && byId('log').focus(),
  };
  followFocus();
  document.addEventListener('keydown', (event) => {
    if (event.defaultPrevented || isComposing(event) || document.querySelector('dialog[open]')) return;
    const { altKey, ctrlKey, key, metaKey, target } = event;
    if ((ctrlKey || metaKey) && !altKey && key.toLowerCase() === 'k') {
      event.preventDefault();
      openSwitcher();
    }
    if (ctrlKey || metaKey) return;
    if (altKey) {
      const act = byKey[shortcutKey(event)];
      if (!act) return;
      event.preventDefault();
      act();
    } else if (key === '?' && !isWriting(target)) {
      event.preventDefault();
      openShortcuts();
    } else if (key === 'Escape' && isInRoom()) {
      inside.view?.picker.close();
      if (talk.isMembersOver) talk.closeMembers();
      else inside.view?.composer.focus();
    }
  });
}

/**
 * Shows a focus ring where a shortcut has moved the focus. By themselves browsers show it only if one was visible
 * before.
 */
function followFocus() {
  const { classList } = document.documentElement;
  document.addEventListener('keydown', ({ ctrlKey, metaKey }) => {
    if (!ctrlKey && !metaKey) classList.add('by-keys');
  }, true);
  document.addEventListener('pointerdown', () => classList.remove('by-keys'), true);
}

const isInRoom = () => !byId('room').hidden;
