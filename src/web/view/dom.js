// Small helpers to create and change elements. Text from others becomes text nodes, never markup.

import { icons } from './icons.js';

const SVG = 'http://www.w3.org/2000/svg';

export const byId = (id) => document.getElementById(id);

/** Creates `<tag class="…">` with these children: elements, or strings, which become text. */
export function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** Creates a button with a label, or with an icon and the label for screen readers. */
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

/** One of the icons in icons.js. Hidden from screen readers. */
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

/** Sets the text only if it differs: a screen reader would announce it again. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Likewise for an attribute; `null` removes it. */
export function setAttribute(node, name, value) {
  if (value === null) node.removeAttribute(name);
  else if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

/** Makes the children match the items by id. Those that stay are not touched, and so keep the focus. */
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

/** Whether the user is typing here, so that a letter is not a shortcut. */
export const isWriting = (node) => node instanceof HTMLTextAreaElement
  || (node instanceof HTMLInputElement && node.type !== 'radio' && node.type !== 'checkbox');

/** Whether the key belongs to an input method's composition. Safari tells only by the key code. */
export const isComposing = (event) => event.isComposing || event.keyCode === 229;
