// Light or dark: what the user has chosen. theme.js applies it before the first paint, and colours the browser's bar.

const KEY = 'theme';

/** `system`, `light` or `dark`. */
export const chosenAppearance = (storage) => storage.get(KEY) ?? 'system';

export function chooseAppearance(storage, chosen) {
  if (chosen === 'system') {
    storage.remove(KEY);
    delete document.documentElement.dataset.theme;
  } else {
    storage.set(KEY, chosen);
    document.documentElement.dataset.theme = chosen;
  }
  document.dispatchEvent(new Event('appearance'));
}
