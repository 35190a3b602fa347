// The words of the page in the user's language: which language, which plural form, what stands in the placeholders.

import english from './en.js';

/** English is always there, and stands in for what cannot be had; of the others only the chosen one is loaded. */
const OTHERS = {
  de: () => import('./de.js'),
  es: () => import('./es.js'),
  fr: () => import('./fr.js'),
};

/** A key such as `gif: A waving hand` is its own text when there is none. */
const OWN_TEXT = /^[a-z]+: /;

/** The first of the wanted languages that there is, and the user's own kind of it: `en-AU` has its own dates. */
export function chooseLanguage(wanted) {
  for (const tag of wanted) {
    const language = String(tag).toLowerCase().split('-')[0];
    if ((language === 'en' || Object.hasOwn(OTHERS, language)) && isLocale(tag)) return { language, locale: tag };
  }
  // For those who read English for want of their own language: day before month, and 24 hours.
  return { language: 'en', locale: 'en-GB' };
}

function isLocale(tag) {
  try {
    return Intl.getCanonicalLocales(tag).length === 1;
  } catch {
    return false;
  }
}

/** The texts in the language that the browser asks for. It never fails: where nothing can be had it is English. */
export async function loadTexts(wanted = navigator.languages) {
  const { language, locale } = chooseLanguage(wanted);
  if (language === 'en') return new Texts(english, locale);
  try {
    return new Texts((await OTHERS[language]()).default, locale);
  } catch {
    return new Texts(english, 'en-GB');
  }
}

export class Texts {
  /** What `lang` of the page and everything of Intl want. */
  locale;
  #texts;
  #plural;
  #number;
  #list;

  constructor(texts, locale) {
    this.locale = locale;
    this.#texts = texts;
    this.#plural = new Intl.PluralRules(locale);
    this.#number = new Intl.NumberFormat(locale);
    this.#list = new Intl.ListFormat(locale, { type: 'conjunction' });
  }

  /** The text of the key. Both functions may be handed around without the object. */
  t = (key, vars = {}) => this.parts(key, vars).join('');

  /**
   * The text in pieces: strings, and the values of `vars` as they are, so that elements can stand in a sentence.
   * An array becomes a list, as "Ada, Ben and Eve". `count` chooses the plural form and is written as a number.
   */
  parts = (key, vars = {}) => {
    const pieces = this.#form(key, vars.count).split(/\{(\w+)\}/);
    return pieces.flatMap((piece, i) => (i % 2 ? this.#value(piece, vars) : piece)).filter((piece) => piece !== '');
  };

  has = (key) => this.#text(key) !== undefined;

  #text(key) {
    if (Object.hasOwn(this.#texts, key)) return this.#texts[key];
    return Object.hasOwn(english, key) ? english[key] : undefined;
  }

  #form(key, count) {
    const text = this.#text(key);
    if (text === undefined) return key.replace(OWN_TEXT, '');
    if (typeof text === 'string') return text;
    return text[this.#plural.select(count ?? 2)] ?? text.other;
  }

  #value(name, vars) {
    if (!Object.hasOwn(vars, name)) return `{${name}}`; // a mistake, and better seen than a hole
    const value = vars[name];
    if (name === 'count' && typeof value === 'number') return this.#number.format(value);
    return Array.isArray(value) ? this.#listed(value) : [value];
  }

  /** Intl joins only strings: it is given the places, and the values are put there. */
  #listed(values) {
    const places = this.#list.formatToParts(values.map((_, i) => String(i)));
    return places.map(({ type, value }) => (type === 'element' ? values[Number(value)] : value));
  }
}
