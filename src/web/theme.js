// Runs before anything is painted, so that nothing flashes: the chosen appearance is there from the first
// picture on, and a page in another language than English is seen when its words are there.
{
  const root = document.documentElement;
  try {
    const theme = JSON.parse(localStorage.getItem('wschat.theme'));
    if (theme === 'light' || theme === 'dark') root.dataset.theme = theme;
  } catch {
    // Then it is as the system has it.
  }
  if (!/^en\b/i.test(navigator.language)) {
    root.dataset.wait = '';
    // Whatever keeps the words from coming, the page is better in English than not at all.
    setTimeout(() => delete root.dataset.wait, 3_000);
  }
}
