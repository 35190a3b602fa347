// What the user sees of the log.

/** Whether anybody can be looking at the page: a window behind others is visible, too. */
export const isAttended = () => document.visibilityState === 'visible' && document.hasFocus();

/**
 * The `seq` of the newest message that has been seen, or null. A message counts when its end is on the screen, or when
 * it fills half of it: it may be longer than the screen.
 */
export function newestSeen(log, list) {
  const { top, bottom, height } = log.getBoundingClientRect();
  const isSeen = (row) => {
    const box = row.getBoundingClientRect();
    return box.bottom <= bottom + 1 || bottom - Math.max(box.top, top) > height / 2;
  };
  // Binary search, to measure few rows.
  const rows = list.children;
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isSeen(rows[middle])) low = middle + 1;
    else high = middle;
  }
  for (let i = low - 1; i >= 0; i -= 1) {
    const { seq } = rows[i].dataset;
    if (seq !== undefined) return Number(seq);
  }
  return null;
}
