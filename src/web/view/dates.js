// Times and days in words, in the language of the page as the user's own country writes it.

import { locale } from './words.js';

const DAY_MS = 86_400_000;
let formats;

function made() {
  formats ??= {
    clock: new Intl.DateTimeFormat(locale(), { hour: '2-digit', minute: '2-digit' }),
    full: new Intl.DateTimeFormat(locale(), { dateStyle: 'full', timeStyle: 'medium' }),
    day: new Intl.DateTimeFormat(locale(), { weekday: 'long', day: 'numeric', month: 'long' }),
    dayAndYear: new Intl.DateTimeFormat(locale(), { dateStyle: 'full' }),
    relative: new Intl.RelativeTimeFormat(locale(), { numeric: 'auto' }),
  };
  return formats;
}

/** The day that a time is in: its first millisecond, as the user's clock has it. */
export const dayOf = (time) => new Date(time).setHours(0, 0, 0, 0);

/** Today, yesterday, or the date. */
export function dayName(time, now) {
  const day = dayOf(time);
  if (day === dayOf(now)) return relativeDay(0);
  // Noon of the day before: a day has 23 or 25 hours, too.
  if (day === dayOf(dayOf(now) - DAY_MS / 2)) return relativeDay(-1);
  const isThisYear = new Date(time).getFullYear() === new Date(now).getFullYear();
  return made()[isThisYear ? 'day' : 'dayAndYear'].format(time);
}

/** Intl writes it as in the middle of a sentence; here it stands by itself. */
function relativeDay(days) {
  const name = made().relative.format(days, 'day');
  return name.charAt(0).toLocaleUpperCase(locale()) + name.slice(1);
}

/** Hours and minutes. */
export const clockTime = (time) => made().clock.format(time);

export const fullTime = (time) => made().full.format(time);
