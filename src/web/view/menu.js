// A small menu below a button: opened by it, and closed by a choice, Escape, Tab, or a click elsewhere.
// Loaded with the first one.

import { element, icon } from './dom.js';

/** Room that a menu keeps to the edges of the window. */
const MARGIN = 8;

let current = null;

export function closeMenu({ refocus = false } = {}) {
  if (current === null) return;
  const { menu, opener, stop } = current;
  current = null;
  stop.abort();
  menu.remove();
  opener.setAttribute('aria-expanded', 'false');
  if (refocus) opener.focus();
}

/**
 * Opens a menu with these items, each `{ label, iconName, act }`, below the button. `label` is the name of the menu, `head`
 * an element above the items.
 */
export function openMenu(opener, label, items, head = null) {
  const wasOpen = current?.opener === opener;
  closeMenu();
  if (wasOpen) return;
  const menu = element('div', 'menu');
  menu.setAttribute('role', 'menu');
  menu.setAttribute('aria-label', label);
  if (head) menu.append(head);
  menu.append(...items.map(itemOf));
  (opener.closest('nav, main, aside') ?? document.body).append(menu);
  place(menu, opener.getBoundingClientRect());
  const stop = new AbortController();
  current = { menu, opener, stop };
  opener.setAttribute('aria-expanded', 'true');
  menu.querySelector('[role="menuitem"]').focus();
  listen(menu, opener, stop.signal);
}

function itemOf({ label, iconName, act }) {
  const item = element('button', '', icon(iconName), element('span', '', label));
  item.type = 'button';
  item.tabIndex = -1;
  item.setAttribute('role', 'menuitem');
  item.addEventListener('click', () => {
    closeMenu({ refocus: true });
    act();
  });
  return item;
}

/** Below the button and ending where it ends; above it where there is no room below. */
function place(menu, at) {
  const { offsetWidth: width, offsetHeight: height } = menu;
  const isRtl = getComputedStyle(document.body).direction === 'rtl';
  const left = isRtl ? at.left : at.right - width;
  const below = at.bottom + MARGIN / 2;
  const top = below + height > innerHeight - MARGIN ? at.top - height - MARGIN / 2 : below;
  menu.style.left = `${Math.max(MARGIN, Math.min(left, innerWidth - width - MARGIN))}px`;
  menu.style.top = `${Math.max(MARGIN, top)}px`;
}

function listen(menu, opener, signal) {
  menu.addEventListener('keydown', (event) => {
    const items = [...menu.querySelectorAll('[role="menuitem"]')];
    const at = items.indexOf(document.activeElement);
    const to = {
      ArrowDown: (at + 1) % items.length,
      ArrowUp: (at + items.length - 1) % items.length,
      Home: 0,
      End: items.length - 1,
    }[event.key];
    if (to !== undefined) items[to].focus();
    else if (event.key === 'Escape') closeMenu({ refocus: true });
    else if (event.key === 'Tab') return closeMenu({ refocus: true }); // and on to the next control
    else return;
    event.preventDefault();
    event.stopPropagation();
  }, { signal });
  const closeOutside = ({ target }) => {
    if (!menu.contains(target) && !opener.contains(target)) closeMenu();
  };
  document.addEventListener('pointerdown', closeOutside, { capture: true, signal });
  document.addEventListener('focusin', closeOutside, { signal });
  addEventListener('resize', () => closeMenu(), { signal });
  document.addEventListener('scroll', closeOutside, { capture: true, signal });
}
