// Formats times and dates in the language of the page, as usual in the user's country.

import { locale } from './words.js';

let formats;

/** The language and the zone that the formats are made for: a traveller's page stays open. */
const place = () => `${locale()} ${new Intl.DateTimeFormat().resolvedOptions().timeZone}`;

/**
 * Makes the formats anew if the zone or the language has changed since. Returns both as a key. Called once for each
 * drawing, because asking for the zone takes a while.
 */
export function refreshDates() {
  const key = place();
  if (formats?.key !== key) formats = made(key);
  return key;
}

function made(key) {
  return {
    key,
    clock: new Intl.DateTimeFormat(locale(), { hour: '2-digit', minute: '2-digit' }),
    full: new Intl.DateTimeFormat(locale(), { dateStyle: 'full', timeStyle: 'medium' }),
    day: new Intl.DateTimeFormat(locale(), { weekday: 'long', day: 'numeric', month: 'long' }),
    dayAndYear: new Intl.DateTimeFormat(locale(), { dateStyle: 'full' }),
    near: new Intl.RelativeTimeFormat(locale(), { numeric: 'auto' }),
  };
}

/** Created on first use, because the language is not known earlier. */
function current() {
  if (!formats) refreshDates();
  return formats;
}

/** Midnight and a change of the zone come without an event, so this often the page looks. */
const LOOK_MS = 20_000;

/** Calls `listener()` when the day or the zone has changed: at the latest when somebody looks at the page again. */
export function onCalendarChange(listener) {
  const calendar = () => `${refreshDates()} ${dayOf(Date.now())}`;
  let known = calendar();
  const look = () => {
    const now = calendar();
    if (now === known) return;
    known = now;
    listener();
  };
  setInterval(look, LOOK_MS);
  addEventListener('focus', look);
  document.addEventListener('visibilitychange', look);
}

/** The start of the local day that contains a time, in milliseconds. */
export const dayOf = (time) => new Date(time).setHours(0, 0, 0, 0);

/** Today, yesterday, or the date. */
export function dayName(time, now) {
  // Rounded, because a day may have 23 or 25 hours.
  const days = Math.round((dayOf(time) - dayOf(now)) / 86_400_000);
  const { near, day, dayAndYear } = current();
  const words = days === 0 || days === -1 ? near.format(days, 'day')
    : (new Date(time).getFullYear() === new Date(now).getFullYear() ? day : dayAndYear).format(time);
  // Intl writes "today" in lower case; here it stands alone.
  return words.charAt(0).toLocaleUpperCase(locale()) + words.slice(1);
}

/** Hours and minutes. */
export const clockTime = (time) => current().clock.format(time);

export const fullTime = (time) => current().full.format(time);
