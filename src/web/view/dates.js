// Times and days in words, in the language of the page as the user's own country writes it.

import { locale } from './words.js';

let formats;

/** Made when the first is asked for: the language is not known before. */
function made() {
  formats ??= {
    clock: new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit' }),
    full: new Intl.DateTimeFormat(locale, { dateStyle: 'full', timeStyle: 'medium' }),
    day: new Intl.DateTimeFormat(locale, { weekday: 'long', day: 'numeric', month: 'long' }),
    dayAndYear: new Intl.DateTimeFormat(locale, { dateStyle: 'full' }),
<<<<<<< HEAD
    near: new Intl.RelativeTimeFormat(locale, { numeric: 'auto' }),
=======
    relative: new Intl.RelativeTimeFormat(locale, { numeric: 'auto' }),
>>>>>>> page
  };
  return formats;
}

/** The day that a time is in: its first millisecond, as the user's clock has it. */
export const dayOf = (time) => new Date(time).setHours(0, 0, 0, 0);

/** Today, yesterday, or the date. */
export function dayName(time, now) {
<<<<<<< HEAD
  // Rounded, since a day may have 23 or 25 hours.
  const days = Math.round((dayOf(time) - dayOf(now)) / 86_400_000);
  const { near, day, dayAndYear } = made();
  const words = days === 0 || days === -1 ? near.format(days, 'day')
    : (new Date(time).getFullYear() === new Date(now).getFullYear() ? day : dayAndYear).format(time);
  return words.charAt(0).toLocaleUpperCase(locale) + words.slice(1);
=======
  const day = dayOf(time);
  if (day === dayOf(now)) return relativeDay(0);
  // Noon of the day before: a day has 23 or 25 hours, too.
  if (day === dayOf(dayOf(now) - DAY_MS / 2)) return relativeDay(-1);
  const isThisYear = new Date(time).getFullYear() === new Date(now).getFullYear();
  return made()[isThisYear ? 'day' : 'dayAndYear'].format(time);
>>>>>>> page
}

/** Intl writes it as in the middle of a sentence; here it stands by itself. */
function relativeDay(days) {
  const name = made().relative.format(days, 'day');
  return name.charAt(0).toLocaleUpperCase(locale) + name.slice(1);
}

/** Hours and minutes. */
export const clockTime = (time) => made().clock.format(time);

export const fullTime = (time) => made().full.format(time);
