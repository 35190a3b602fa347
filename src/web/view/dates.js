// Times and days in words, in the language of the page as the user's own country writes it.

import { locale } from './words.js';

let formats;

/** Made when the first is asked for: the language is not known before. */
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

/** The day that a time is in: its first millisecond, as the user's clock has it. */
export const dayOf = (time) => new Date(time).setHours(0, 0, 0, 0);

/** Today, yesterday, or the date. */
export function dayName(time, now) {
  // Rounded, since a day may have 23 or 25 hours.
  const days = Math.round((dayOf(time) - dayOf(now)) / 86_400_000);
  const { near, day, dayAndYear } = made();
  const words = days === 0 || days === -1 ? near.format(days, 'day')
    : (new Date(time).getFullYear() === new Date(now).getFullYear() ? day : dayAndYear).format(time);
  // Intl writes them as in the middle of a sentence; here they stand by themselves.
  return words.charAt(0).toLocaleUpperCase(locale()) + words.slice(1);
}

/** Hours and minutes. */
export const clockTime = (time) => made().clock.format(time);

export const fullTime = (time) => made().full.format(time);
