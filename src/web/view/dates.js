// Formats times and dates in the language of the page, as usual in the user's country.

import { locale } from './words.js';

let formats;

/** Created on first use, because the language is not known earlier. */
function made() {
  formats ??= {
    clock: new Intl.DateTimeFormat(locale(), { hour: '2-digit', minute: '2-digit' }),
    full: new Intl.DateTimeFormat(locale(), { dateStyle: 'full', timeStyle: 'medium' }),
    day: new Intl.DateTimeFormat(locale(), { weekday: 'long', day: 'numeric', month: 'long' }),
    dayAndYear: new Intl.DateTimeFormat(locale(), { dateStyle: 'full' }),
    near: new Intl.RelativeTimeFormat(locale(), { numeric: 'auto' }),
  };
  return formats;
}

/** The start of the local day that contains a time, in milliseconds. */
export const dayOf = (time) => new Date(time).setHours(0, 0, 0, 0);

/** Today, yesterday, or the date. */
export function dayName(time, now) {
  // Rounded, because a day may have 23 or 25 hours.
  const days = Math.round((dayOf(time) - dayOf(now)) / 86_400_000);
  const { near, day, dayAndYear } = made();
  const words = days === 0 || days === -1 ? near.format(days, 'day')
    : (new Date(time).getFullYear() === new Date(now).getFullYear() ? day : dayAndYear).format(time);
  // Intl writes "today" in lower case; here it stands alone.
  return words.charAt(0).toLocaleUpperCase(locale()) + words.slice(1);
}

/** Hours and minutes. */
export const clockTime = (time) => made().clock.format(time);

export const fullTime = (time) => made().full.format(time);
