// The texts of the page in the user's language: chooses the language and the plural form, and fills in placeholders.

/** Only the chosen language is loaded. theme.js asks for it ahead of time. */
const LANGUAGES = {
  en: () => import('./en.js'),
  de: () => import('./de.js'),
  es: () => import('./es.js'),
  fr: () => import('./fr.js'),
};

/** A key such as `gif: A waving hand` has its own text as the default. */
const OWN_TEXT = /^[a-z]+: /;

/** The first wanted language that the page has, with the user's regional variant: `en-AU` has its own dates. */
export function chooseLanguage(wanted) {
  for (const tag of wanted) {
    const language = String(tag).toLowerCase().split('-')[0];
    if (Object.hasOwn(LANGUAGES, language) && isLocale(tag)) return { language, locale: tag };
  }
  // For readers of other languages: day before month, and the 24-hour clock.
  return { language: 'en', locale: 'en-GB' };
}

function isLocale(tag) {
  try {
    return Intl.getCanonicalLocales(tag).length === 1;
  } catch {
    return false;
  }
}

/** Loads the texts in the browser's language, or else in English. Fails if neither can be loaded. */
export async function loadTexts(wanted = navigator.languages) {
  const { language, locale } = chooseLanguage(wanted);
  try {
    return new Texts((await LANGUAGES[language]()).default, locale);
  } catch {
    return new Texts((await LANGUAGES.en()).default, 'en-GB');
  }
}

export class Texts {
  /** For the `lang` attribute and for Intl. */
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

  /** Returns the text for a key. `t` and `parts` can be passed around without the object. */
  t = (key, vars = {}) => this.parts(key, vars).join('');

  /**
   * Returns the text in pieces: strings, and the values of `vars` unchanged, so that elements can be part of a
   * sentence. An array becomes a list, as in "Ada, Ben and Eve". `count` selects the plural form and is formatted as a
   * number.
   */
  parts = (key, vars = {}) => {
    const pieces = this.#form(key, vars.count).split(/\{(\w+)\}/);
    return pieces.flatMap((piece, i) => (i % 2 ? this.#value(piece, vars) : piece)).filter((piece) => piece !== '');
  };

  has = (key) => this.#text(key) !== undefined;

  #text(key) {
    return Object.hasOwn(this.#texts, key) ? this.#texts[key] : undefined;
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

  /** Intl joins only strings, so it joins the indices, which are then replaced by the values. */
  #listed(values) {
    const places = this.#list.formatToParts(values.map((_, i) => String(i)));
    return places.map(({ type, value }) => (type === 'element' ? values[Number(value)] : value));
  }
}
