// The keys that work wherever one is on the page; the list that `?` opens is in dialogs.js.

import { byId, isWriting } from './dom.js';

export function listenToKeys({ composer, gifs, rooms, shortcuts, talk }) {
  const byKey = {
    ArrowUp: () => rooms.step(-1),
    ArrowDown: () => rooms.step(1),
    KeyG: () => isInRoom() && gifs.toggle(),
    KeyM: () => isInRoom() && byId('log').focus(),
  };
  document.addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.isComposing || document.querySelector('dialog[open]')) return;
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

const isInRoom = () => !byId('room').hidden;
