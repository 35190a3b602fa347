// Style sheets that are loaded on demand. They stand behind the page's own, and before the owner's.

const added = new Map();
let last = document.querySelector('link[rel="stylesheet"]');

/** Waits until these style sheets apply. One that cannot be loaded is done without: what it is for still works. */
export const addStyles = (...names) => Promise.all(names.map((name) => {
  if (!added.has(name)) added.set(name, add(name));
  return added.get(name);
}));

const add = (name) => new Promise((resolve) => {
  const link = document.createElement('link');
  Object.assign(link, { rel: 'stylesheet', href: name, onload: resolve, onerror: resolve });
  last.after(link);
  last = link;
});
