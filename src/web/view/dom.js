// Small helpers for making and changing elements. Whatever comes from others becomes text nodes, never markup.

import { icons } from './icons.js';

const SVG = 'http://www.w3.org/2000/svg';

export const byId = (id) => document.getElementById(id);

/** `<tag class="…">` holding the children: elements, or words that stay words. */
export function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** A button that says with words, which may be hidden from the eye, what it does. */
export function button(className, label, act, iconName) {
  const made = element('button', className);
  made.type = 'button';
  if (iconName) {
    made.append(icon(iconName));
    made.setAttribute('aria-label', label);
    made.title = label;
  } else {
    made.append(label);
  }
  made.addEventListener('click', act);
  return made;
}

/** One of the drawings of icons.js; for the eye alone. */
export function icon(name) {
  const drawing = document.createElementNS(SVG, 'svg');
  drawing.setAttribute('viewBox', '0 0 24 24');
  drawing.setAttribute('class', 'icon');
  drawing.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', icons[name]);
  drawing.append(path);
  return drawing;
}

/** Writing what stands there already would make a screen reader say it again. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Likewise for an attribute; `null` takes it away. */
export function setAttribute(node, name, value) {
  if (value === null) node.removeAttribute(name);
  else if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

/** Fits the children to the items by id. What stays is kept in place, and so keeps the focus. */
export function reconcile(parent, items, create, update) {
  const wanted = new Set(items.map((item) => String(item.id)));
  const kept = new Map();
  for (const child of [...parent.children]) {
    if (wanted.has(child.dataset.id)) kept.set(child.dataset.id, child);
    else child.remove();
  }
  let next = parent.firstElementChild;
  for (const item of items) {
    let child = kept.get(String(item.id));
    if (!child) {
      child = create(item);
      child.dataset.id = item.id;
    }
    update(child, item);
    if (child === next) next = next.nextElementSibling;
    else parent.insertBefore(child, next);
  }
}

/** Whether the user is writing somewhere, so that a letter is not a shortcut. */
export const isWriting = (node) => node instanceof HTMLTextAreaElement
  || (node instanceof HTMLInputElement && node.type !== 'radio' && node.type !== 'checkbox');

/** Whether the key belongs to a word that is still being composed. Safari says so by the code alone. */
export const isComposing = (event) => event.isComposing || event.keyCode === 229;
