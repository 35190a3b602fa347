// A swipe from the edge goes back, as people know it from their phones. Loaded at the first touch.

/** The swipe begins this near to the edge, in pixels, and goes at least that far, rather sideways than up or down. */
const EDGE = 36;
const FAR = 70;
const SLOPE = 1.5;
/** A slower one is not a swipe. */
const LONGEST_MS = 700;

/** `back()` goes where one came from. */
export function listenToSwipes(place, back) {
  let start = null;
  // Where the browser itself goes back at such a swipe, the page does not do it again.
  addEventListener('popstate', () => { start = null; });
  place.addEventListener('touchstart', ({ touches, target }) => {
    const [{ clientX: x, clientY: y }] = touches;
    const isRtl = getComputedStyle(document.documentElement).direction === 'rtl';
    const fromEdge = isRtl ? innerWidth - x : x;
    const isSwipe = touches.length === 1 && fromEdge <= EDGE && !isTaken(target);
    start = isSwipe ? { x, y, at: performance.now(), sign: isRtl ? -1 : 1 } : null;
  }, { passive: true });
  place.addEventListener('touchcancel', () => { start = null; });
  place.addEventListener('touchend', ({ changedTouches }) => {
    const begun = start;
    start = null;
    if (begun === null || performance.now() - begun.at > LONGEST_MS || hasSelection()) return;
    const [{ clientX, clientY }] = changedTouches;
    const along = (clientX - begun.x) * begun.sign;
    if (along >= FAR && along > SLOPE * Math.abs(clientY - begun.y)) back();
  }, { passive: true });
}

const hasSelection = () => getSelection()?.isCollapsed === false;

/** Where the finger scrolls something sideways or marks text, it does that. */
function isTaken(target) {
  if (document.querySelector('dialog[open]') || hasSelection()) return true;
  for (let node = target; node instanceof Element; node = node.parentElement) {
    if (node.matches('input, textarea, select')) return true;
    if (node.scrollWidth > node.clientWidth + 1 && /auto|scroll/.test(getComputedStyle(node).overflowX)) return true;
  }
  return false;
}
