// Runs before the first paint, so that nothing flashes: applies the chosen appearance, and hides a page in another
// language than English until its texts have loaded.
{
  const root = document.documentElement;
  try {
    // The name as in core/storage.js.
    const { pathname } = new URL('./', document.baseURI);
    const theme = JSON.parse(localStorage.getItem(pathname === '/' ? 'wschat.theme' : `wschat${pathname}.theme`));
    if (theme === 'light' || theme === 'dark') root.dataset.theme = theme;
  } catch {
    // No storage: follow the system.
  }
  if (!/^en\b/i.test(navigator.language)) {
    root.dataset.wait = '';
    // If loading the texts fails, a page in English is better than none.
    setTimeout(() => delete root.dataset.wait, 3_000);
  }
}
