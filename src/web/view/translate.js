// Puts texts and icons into the elements of index.html.
//
// `data-t` is the key of an element's text, `data-label` of its accessible name, `data-title` of its tooltip,
// `data-placeholder` of an input's placeholder; `data-icon` names the icon of a button whose label is for screen
// readers, and stands beside the icon in wide windows with `data-word`.

import { element, icon } from './dom.js';
import { locale, t } from './words.js';

export function translate(page) {
  page.documentElement.lang = locale();
  for (const node of page.querySelectorAll('[data-t]')) node.textContent = t(node.dataset.t);
  for (const node of page.querySelectorAll('[data-label]')) node.setAttribute('aria-label', t(node.dataset.label));
  for (const node of page.querySelectorAll('[data-title]')) node.title = t(node.dataset.title);
  for (const node of page.querySelectorAll('[data-placeholder]')) node.placeholder = t(node.dataset.placeholder);
  for (const node of page.querySelectorAll('[data-icon]')) {
    node.replaceChildren(icon(node.dataset.icon));
    node.title = t(node.dataset.label);
    if (node.dataset.word !== undefined) node.append(element('span', 'word', t(node.dataset.label)));
  }
}
