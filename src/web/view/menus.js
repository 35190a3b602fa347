// Opens menus. How they work is loaded with the first one.

import { addStyles } from './styles.js';
import { toast } from './toast.js';
import { t } from './words.js';

let loaded = null;
let wanted = null;

/** Also one that is still being loaded: it is about what has been left. */
export function closeMenu() {
  wanted = null;
  loaded?.closeMenu();
}

/** Opens a menu, or closes it if it is open. The parameters are those of menu.js. */
export async function openMenu(opener, ...content) {
  const own = {};
  wanted = own;
  try {
    [loaded] = await Promise.all([import('./menu.js'), addStyles('style/menu.css')]);
  } catch {
    toast(t('not_loaded'));
    return;
  }
  if (wanted === own && opener.checkVisibility()) loaded.openMenu(opener, ...content);
}
