// What the owner of this server has chosen for the page: title, welcome, language and icons.

let current = read();
const listeners = new Set();

function read() {
  try {
    return { title: 'wschat', welcome: '', language: null, icon: 'icon.svg', unreadIcon: 'icon-unread.svg',
      ...JSON.parse(document.getElementById('owner')?.textContent ?? '{}') };
  } catch {
    return { title: 'wschat', welcome: '', language: null, icon: 'icon.svg', unreadIcon: 'icon-unread.svg' };
  }
}

/** `{ title, welcome, language, icon, unreadIcon }`. */
export const owner = () => current;

/** Calls `listener()` after every change. */
export function subscribe(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
