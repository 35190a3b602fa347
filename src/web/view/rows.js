// What stands in the log row by row, for a stretch of the timeline: days, the divider, messages that belong together.
// It knows no DOM: it says what each row looks like, and a row is drawn again only when that has changed.

import { dayOf } from './dates.js';

/** Messages of one author that follow each other so closely stand together under one name. */
const TOGETHER_MS = 5 * 60_000;

/** How many messages of others are newer than `seq`, and the index of the first of them, or -1. */
export function newerThan(entries, seq) {
  let first = -1;
  let count = 0;
  for (let i = entries.length - 1; i >= 0; i--) {
    const entry = entries[i];
    if (entry.seq === undefined) continue;
    if (entry.seq <= seq) break;
    if (entry.own) continue;
    first = i;
    count++;
  }
  return { first, count };
}

/**
 * The rows `{key, kind, entry?, isTogether?, time?, source?, looks}` of the entries from `start` to before `end`, and
 * of what is yet to be said when that is the end of the timeline. `firstNew` is the index that the divider stands
 * before; `head` is what stands above everything, or null.
 *
 * A row looks as it did when its `source` is the same object and its `looks` the same words.
 */
export function rowsOf({ entries, start, end, pending, firstNew, head, now }) {
  const rows = [];
  let before = entries[start - 1] ?? null;
  let day = lastDay(entries, start);
  const add = (entry, { isNew = false, isPending = false }) => {
    const key = isPending ? `pending ${entry.key}` : String(entry.key);
    if (entry.time !== undefined && dayOf(entry.time) !== day) {
      day = dayOf(entry.time);
      rows.push({ key: `day ${key}`, kind: 'day', time: entry.time, looks: `${day} ${dayOf(now)}` });
      before = null;
    }
    if (isNew) {
      rows.push({ key: 'divider', kind: 'divider', looks: '' });
      before = null;
    }
    const isTogether = belongTogether(before, entry);
    rows.push({ key, kind: entry.kind, entry, isTogether, ...appearance(entry, isTogether, isPending) });
    before = entry;
  };
  if (start === 0 && head) rows.push({ key: 'head', kind: 'head', looks: head });
  for (let i = start; i < end; i++) add(entries[i], { isNew: i === firstNew });
  if (end === entries.length) for (const entry of pending) add(entry, { isPending: true });
  return rows;
}

/** What is pending comes as other objects each time, and may look the same. */
function appearance(entry, isTogether, isPending) {
  const looks = isTogether ? 'together' : '';
  if (!isPending) return { source: entry, looks };
  return { looks: `${looks} ${entry.status} ${entry.problem} ${entry.reason} ${entry.from.name}` };
}

function belongTogether(before, entry) {
  return Boolean(before?.from && entry.from)
    && before.from.id === entry.from.id
    && before.from.name === entry.from.name
    && Math.abs(entry.time - before.time) < TOGETHER_MS;
}

/** The day of what stands before `end`: not every entry has a time. */
function lastDay(entries, end) {
  for (let i = end - 1; i >= 0; i--) {
    if (entries[i].time !== undefined) return dayOf(entries[i].time);
  }
  return null;
}
