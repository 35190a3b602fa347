// What the owner of this server says of the place. It comes with the page, and is asked for again while the page is open.

const BUILT_IN = {
  title: 'wschat', welcome: '', language: null, icon: 'icon.svg', unreadIcon: 'icon-unread.svg', style: 'owner.css',
};

const listeners = new Set();

/** What index.html has; without it, what is built in. */
function given() {
  try {
    return { ...BUILT_IN, ...JSON.parse(document.getElementById('owner').textContent) };
  } catch {
    return BUILT_IN;
  }
}

let current = given();

/**
 * `{ title, welcome, language, icon, unreadIcon, style }`: the welcome is Markdown, or empty; the language is null if the
 * browser's counts; the last three are addresses, which change with what is there.
 */
export const owner = () => current;

/** Calls `listener()` after every change. Returns the function that unsubscribes. */
export function subscribe(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

async function load() {
  const response = await fetch('page.json');
  return response.ok ? response.json() : null;
}

/** Asks the server again. If it does not answer, or something else does, all stays as it is. */
export async function refresh(ask = load) {
  const answer = await ask().catch(() => null);
  if (typeof answer?.title !== 'string') return;
  const said = { ...BUILT_IN, ...answer };
  if (Object.keys(BUILT_IN).every((key) => said[key] === current[key])) return;
  current = said;
  for (const listener of listeners) listener();
}
