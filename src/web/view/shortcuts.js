// The keyboard shortcuts of the whole page. dialogs.js lists them.

import { byId, isComposing, isWriting } from './dom.js';

export function listenToKeys({ composer, gifs, rooms, shortcuts, talk }) {
  const byKey = {
    ArrowUp: () => rooms.step(-1),
    ArrowDown: () => rooms.step(1),
    KeyG: () => isInRoom() && gifs.toggle(),
    KeyM: () => isInRoom() && byId('log').focus(),
  };
  followFocus();
  document.addEventListener('keydown', (event) => {
    if (event.defaultPrevented || isComposing(event) || document.querySelector('dialog[open]')) return;
    const { altKey, code, ctrlKey, key, metaKey, target } = event;
    if (ctrlKey || metaKey) return;
    if (altKey) {
      const act = byKey[code];
      if (!act) return;
      event.preventDefault();
      act();
    } else if (key === '?' && !isWriting(target)) {
      event.preventDefault();
      shortcuts.open();
    } else if (key === 'Escape' && isInRoom()) {
      gifs.close();
      if (talk.isMembersOver) talk.closeMembers();
      else composer.focus();
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
