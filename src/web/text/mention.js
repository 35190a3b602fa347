// Finds mentions: `@name`. Names may contain spaces, so only known names can be found.

/**
 * Characters that continue a word. Scripts without spaces between words are left out: there a mark or a name may have
 * letters on both sides.
 */
const WORD = new RegExp(String.raw`[[\p{L}\p{N}\p{M}_]--[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}` +
  String.raw`\p{scx=Hangul}\p{scx=Thai}\p{scx=Lao}\p{scx=Khmer}\p{scx=Myanmar}]]`, 'v');

export const isWord = (character) => character !== undefined && character !== '' && WORD.test(character);

/** The character before or at an index, which may take two code units; '' at the ends. */
export function characterBefore(text, index) {
  if (index === 0) return '';
  const last = text.charCodeAt(index - 1);
  const length = last >= 0xDC00 && last <= 0xDFFF ? 2 : 1;
  return text.slice(Math.max(0, index - length), index);
}

export const characterAt = (text, index) => (
  index < text.length ? String.fromCodePoint(text.codePointAt(index)) : ''
);

/**
 * Lower case of the same length, so that indices stay valid: `İ` would become two characters. A sigma is the same at the
 * end of a word, wherever the text is cut.
 */
function fold(text) {
  const lower = text.toLowerCase();
  if (lower.length === text.length) return lower.replaceAll('ς', 'σ');
  return Array.from(text, (character) => {
    const one = character.toLowerCase();
    return one.length === character.length ? one : character;
  }).join('').replaceAll('ς', 'σ');
}

/** An index of the names that can be mentioned: a lookup costs the same for ten names and for ten thousand. */
export class Names {
  #byFolded = new Map();
  #lengths;

  constructor(names) {
    for (const name of names) {
      if (name !== '') this.#byFolded.set(fold(name), name);
    }
    const lengths = new Set(Array.from(this.#byFolded.keys(), (name) => name.length));
    this.#lengths = [...lengths].sort((a, b) => b - a);
  }

  /** The longest name after the `@` at `index`, at word boundaries; null if there is none. */
  at(text, index) {
    if (this.#lengths.length === 0 || isWord(characterBefore(text, index))) return null;
    const behind = fold(text.slice(index + 1, index + 1 + this.#lengths[0]));
    for (const length of this.#lengths) {
      if (length > behind.length) continue;
      const name = this.#byFolded.get(behind.slice(0, length));
      const end = index + 1 + length;
      if (name !== undefined && !(isWord(characterAt(text, end)) && isWord(characterBefore(text, end)))) {
        return { name, end };
      }
    }
    return null;
  }

  has(name) {
    return this.#byFolded.has(fold(name));
  }
}

/** Whether the text mentions the name. `others` are longer names that may begin with it. */
export function isMentioned(text, name, others = []) {
  if (!text.includes('@')) return false;
  const me = fold(name);
  const names = new Names([...others, name]);
  for (let at = text.indexOf('@'); at >= 0; at = text.indexOf('@', at + 1)) {
    const found = names.at(text, at);
    if (found && fold(found.name) === me) return true;
  }
  return false;
}
