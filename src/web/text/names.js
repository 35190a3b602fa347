// Names and titles as they are shown: nothing hidden in them, no pile of marks over the lines above, a colour each.
//
// Right-to-left names stay as they are; that they do not turn what stands beside them is <bdi>'s work.

/** What seems to be nothing, or turns the order of what follows, or breaks the line. */
const HIDDEN = String.raw`[[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}` +
  // Letters and symbols that are drawn blank: the empty Braille cell, fillers, a notehead that is none.
  String.raw`\u2800\u{1D159}\u{16FE4}\u{13441}\u{13442}]` +
  // Marks under numbers and abbreviations in Arabic and its neighbours are Cf, and are drawn.
  String.raw`--[\u0600-\u0605\u06DD\u070F\u0890\u0891\u08E2\u{110BD}\u{110CD}]]`;

/** Scripts in which a joiner or non-joiner between two letters decides how a word is spelt. */
const JOINED = `[${['Arabic', 'Syriac', 'Devanagari', 'Bengali', 'Gurmukhi', 'Gujarati', 'Oriya', 'Tamil', 'Telugu',
  'Kannada', 'Malayalam', 'Sinhala', 'Khmer', 'Myanmar'].map((script) => `\\p{scx=${script}}`).join('')}]`;

/** Where an invisible character has its work to do, and stays. */
const IN_PLACE = [
  String.raw`\p{RGI_Emoji}`,
  // Emoji that this browser does not know as a sequence yet, and those written without the selector.
  String.raw`\p{ExtPict}[\uFE0E\uFE0F]?\p{EMod}?(?:\u200D\p{ExtPict}\uFE0F?\p{EMod}?)*`,
  String.raw`(?<=${JOINED})[\u200C\u200D](?=${JOINED})`,
  String.raw`\p{scx=Han}\p{Variation_Selector}`,
  String.raw`(?<=\p{scx=Mongolian})[\u180B-\u180F]`,
].join('|');

const HIDDEN_OR_IN_PLACE = new RegExp(`(${IN_PLACE})|${HIDDEN}`, 'gv');

/** More marks on one letter than any language writes are there to cover the neighbours. */
const PILE = /([\p{Mn}\p{Me}]{4})([\p{Mn}\p{Me}]+)/gu;

/** What to show for a name or a title: what cannot be seen in it is named, such as ⟨U+202E⟩. */
export function visible(name) {
  return name
    .replace(HIDDEN_OR_IN_PLACE, (found, inPlace) => inPlace ?? token(found))
    .replace(PILE, (_, kept, rest) => `${kept}⟨+${[...rest].length}⟩`);
}

const token = (character) => `⟨U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}⟩`;

/** How many colours the style sheet has for users: `hue-0` … `hue-11`. */
const COLOURS = 12;

/** Which of them a user has. Five is prime to twelve, so neighbouring ids are far apart, and all are used. */
export const colour = (id) => ((Number(id) % COLOURS) * 5) % COLOURS;

const letters = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
const TELLING = /[\p{L}\p{N}\p{ExtPict}\p{RI}]/u;

/** The letter, digit or emoji that stands for a name in its avatar. */
export function initial(name) {
  const seen = visible(name).replace(/⟨(?:U\+[0-9A-F]+|\+\d+)⟩/g, '');
  for (const { segment } of letters.segment(seen)) {
    if (TELLING.test(segment)) return firstLetter(segment.toLocaleUpperCase());
  }
  return '?';
}

/** In upper case one letter may be two, as of ß. */
function firstLetter(text) {
  for (const { segment } of letters.segment(text)) return segment;
  return text;
}
