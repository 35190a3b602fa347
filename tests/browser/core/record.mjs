// What the fake server answers from a room's record.

/** At most `limit` messages before or after one, or around it. */
export function historyPage(record, { before = Infinity, after, around, limit = 50 }, most) {
  const size = Math.min(limit, most);
  const index = (seq) => record.filter((event) => event.seq < seq).length;
  let start = Math.max(0, index(before) - size);
  let end = index(before);
  if (after !== undefined) [start, end] = [index(after + 1), index(after + 1) + size];
  if (around !== undefined) {
    start = Math.max(0, Math.min(index(around) - Math.floor(size / 2), record.length - size));
    end = start + size;
  }
  return { events: record.slice(start, end), more: start > 0, newer: end < record.length };
}
