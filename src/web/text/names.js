// How names and titles are displayed: nothing hidden in them, no stacks of combining marks, and a colour for each user.
//
// Right-to-left names stay as they are: <bdi> keeps them from affecting the text around them.

/** Characters that are invisible, change the text direction, or break the line. */
const HIDDEN = String.raw`[[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}` +
  // Letters and symbols that are drawn blank, such as the empty Braille cell and fillers.
  String.raw`\u2800\u{1D159}\u{16FE4}\u{13441}\u{13442}]` +
  // Arabic number and abbreviation signs are Cf, but visible.
  String.raw`--[\u0600-\u0605\u06DD\u070F\u0890\u0891\u08E2\u{110BD}\u{110CD}]]`;

/** Scripts in which joiners and non-joiners between letters are part of the spelling. */
const JOINED = `[${['Arabic', 'Syriac', 'Devanagari', 'Bengali', 'Gurmukhi', 'Gujarati', 'Oriya', 'Tamil', 'Telugu',
  'Kannada', 'Malayalam', 'Sinhala', 'Khmer', 'Myanmar'].map((script) => `\\p{scx=${script}}`).join('')}]`;

/** Where an invisible character is legitimate, and stays. */
const IN_PLACE = [
  String.raw`\p{RGI_Emoji}`,
  // Emoji sequences that this browser does not know yet, and those without the variation selector.
  String.raw`\p{ExtPict}[\uFE0E\uFE0F]?\p{EMod}?(?:\u200D\p{ExtPict}\uFE0F?\p{EMod}?)*`,
  String.raw`(?<=${JOINED})[\u200C\u200D](?=${JOINED})`,
  String.raw`\p{scx=Han}\p{Variation_Selector}`,
  String.raw`(?<=\p{scx=Mongolian})[\u180B-\u180F]`,
].join('|');

const HIDDEN_OR_IN_PLACE = new RegExp(`(${IN_PLACE})|${HIDDEN}`, 'gv');

/** No language puts this many marks on a letter: they are there to cover the neighbours. */
const PILE = /([\p{Mn}\p{Me}]{4})([\p{Mn}\p{Me}]+)/gu;

/** The name or title for display. Invisible characters are spelled out, as in ⟨U+202E⟩. */
export function visible(name) {
  return name
    .replace(HIDDEN_OR_IN_PLACE, (found, inPlace) => inPlace ?? token(found))
    .replace(PILE, (_, kept, rest) => `${kept}⟨+${[...rest].length}⟩`);
}

const token = (character) => `⟨U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}⟩`;

/** The number of user colours in the style sheet: `hue-0` … `hue-11`. */
const COLOURS = 12;

/** A user's colour. Five and twelve share no factor, so neighbouring ids differ clearly, and all colours are used. */
export const colour = (id) => ((Number(id) % COLOURS) * 5) % COLOURS;

const letters = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
const TELLING = /[\p{L}\p{N}\p{ExtPict}\p{RI}]/u;

/** The letter, digit or emoji for a name's avatar. */
export function initial(name) {
  const seen = visible(name).replace(/⟨(?:U\+[0-9A-F]+|\+\d+)⟩/g, '');
  for (const { segment } of letters.segment(seen)) {
    if (TELLING.test(segment)) return firstLetter(segment.toLocaleUpperCase());
  }
  return '?';
}

/** Upper case may turn one letter into two, as with ß. */
function firstLetter(text) {
  for (const { segment } of letters.segment(text)) return segment;
  return text;
}
