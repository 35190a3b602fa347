// The keys that work wherever one is on the page; the list that `?` opens is in dialogs.js.

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
      if (byId('members-close').checkVisibility()) talk.closeMembers();
      else composer.focus();
    }
  });
}

/** Where a key has led, a line is drawn around it. Browsers do so only if that was so before, too. */
function followFocus() {
  const { classList } = document.documentElement;
  document.addEventListener('keydown', ({ ctrlKey, metaKey }) => {
    if (!ctrlKey && !metaKey) classList.add('by-keys');
  }, true);
  document.addEventListener('pointerdown', () => classList.remove('by-keys'), true);
}

const isInRoom = () => !byId('room').hidden;
