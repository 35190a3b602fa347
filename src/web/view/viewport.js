// Keeps the page above a keyboard of glass. Most browsers make the page smaller by themselves (interactive-widget in
// index.html); the others cover it, and tell only the size of what is still visible.

/** Less than this is a bar of the browser, not a keyboard. */
const KEYBOARD_PIXELS = 120;

export function followKeyboard(visible = globalThis.visualViewport) {
  if (!visible) return;
  const { style } = document.documentElement;
  const follow = () => {
    // Whoever has zoomed in sees a part of the page, which does not change.
    const isCovered = visible.scale < 1.05 && innerHeight - visible.height > KEYBOARD_PIXELS;
    if (!isCovered) return style.removeProperty('--visible-height');
    style.setProperty('--visible-height', `${Math.round(visible.height)}px`);
    // The browser has scrolled the page to show the box, which is in view anyway now.
    scrollTo(0, 0);
  };
  visible.addEventListener('resize', follow);
  visible.addEventListener('scroll', follow);
}
