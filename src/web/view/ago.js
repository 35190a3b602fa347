// How long ago something was, in a few words: "now", "5 min ago", "yesterday", "12 Mar".

import { locale } from './words.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export function ago(time, now) {
  // A clock that is a little behind makes nothing happen in the future.
  const past = Math.max(0, now - time);
  const relative = new Intl.RelativeTimeFormat(locale(), { numeric: 'auto', style: 'short' });
  if (past < MINUTE) return relative.format(0, 'second');
  if (past < HOUR) return relative.format(-Math.floor(past / MINUTE), 'minute');
  if (past < DAY) return relative.format(-Math.floor(past / HOUR), 'hour');
  if (past < 7 * DAY) return relative.format(-Math.floor(past / DAY), 'day');
  return new Intl.DateTimeFormat(locale(), { day: 'numeric', month: 'short' }).format(time);
}
