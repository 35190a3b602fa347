// Turns a range of the timeline into the rows of the log: days, the divider, groups of messages. Knows no DOM: it
// describes what each row looks like, and a row is redrawn only when that changes.

import { dayOf } from './dates.js';

/** Messages of one author within this time form a group under one name. */
const TOGETHER_MS = 5 * 60_000;

/** How many messages after `seq` are from others, and the index of the first of them, or -1. */
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
 * Returns the rows `{key, kind, entry?, isGrouped?, isLast?, mark?, time?, source?, looks}` for the entries from `start` up to `end`,
 * followed by the pending ones if that is the end of the timeline. `firstNew` is the index of the entry below the
 * divider; `head` is the row above everything, or null; `markOf(entry)` is what stands behind the author's name.
 *
 * `isLast` says that no row of the same group follows: there the time is always seen.
 *
 * A row is unchanged if its `source` is the same object and its `looks` the same string.
 */
export function rowsOf({ entries, start, end, pending, firstNew, head, now, markOf = () => '' }) {
  const rows = [];
  let before = entries[start - 1] ?? null;
  let day = lastDay(entries, start);
  const add = (entry, { isNew = false, isPending = false }) => {
    if (entry.kind === 'other') return; // erased, or from a later version of the protocol
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
    const isGrouped = belongTogether(before, entry);
    if (isGrouped && rows.length > 0) rows.at(-1).isLast = false;
    const mark = entry.from ? markOf(entry) : '';
    const looks = `${isGrouped ? 'together' : ''}${mark}`;
    rows.push({ key, kind: entry.kind, entry, isGrouped, isLast: true, mark, ...appearance(entry, looks, isPending) });
    before = entry;
  };
  if (start === 0 && head) rows.push({ key: 'head', kind: 'head', looks: head });
  for (let i = start; i < end; i++) add(entries[i], { isNew: i === firstNew });
  if (end === entries.length) for (const entry of pending) add(entry, { isPending: true });
  return rows;
}

/** Pending entries are new objects every time, so they are compared by value. */
function appearance(entry, looks, isPending) {
  if (!isPending) return { source: entry, looks };
  return { looks: `${looks} ${entry.status} ${entry.problem} ${entry.reason} ${entry.from.name}` };
}

function belongTogether(before, entry) {
  return Boolean(before?.from && entry.from)
    && before.from.id === entry.from.id
    && before.from.name === entry.from.name
    && Math.abs(entry.time - before.time) < TOGETHER_MS;
}

/** The day of the entries before `end`: not every entry has a time. */
function lastDay(entries, end) {
  for (let i = end - 1; i >= 0; i--) {
    if (entries[i].time !== undefined) return dayOf(entries[i].time);
  }
  return null;
}
