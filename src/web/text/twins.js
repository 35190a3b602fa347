// Names that look alike. Anybody can take any name, so where two people of a room have the same name to the eye, the page
// shows their numbers.

/** Letters of other alphabets, and digits, that are drawn like a Latin letter; and pairs that look like one letter. */
const DRAWN_LIKE = new Map(Object.entries({
  a: 'аαɑ', b: 'ьβƅ', c: 'сϲᴄ', d: 'ԁ', e: 'еєɛҽ', g: 'ɡ', h: 'һн', i: 'іıιіl1|ӏ!ǀ', j: 'јϳ', k: 'кκ', m: 'м', n: 'ոп', o: 'оοσ0օ',
  p: 'рρ', q: 'ԛ', r: 'гᴦ', s: 'ѕꜱ', t: 'тτ', u: 'υս', v: 'νѵ', w: 'ԝωшѡ', x: 'хχ', y: 'уγү', z: 'ᴢ',
}).flatMap(([letter, others]) => [...others].map((other) => [other, letter])));

const UNSEEN = /[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u2800]/gu;

const seen = new Map();
/** Names are looked at again and again; more of them than this are forgotten. */
const MOST_SEEN = 5_000;

/** What the eye sees of a name: two names that look alike give the same. */
export function look(name) {
  let found = seen.get(name);
  if (found === undefined) {
    const plain = name.normalize('NFKC').replace(UNSEEN, '').toLowerCase().normalize('NFKC').replace(/\s+/g, ' ').trim();
    found = Array.from(plain, (letter) => DRAWN_LIKE.get(letter) ?? letter).join('').replaceAll('rn', 'm').replaceAll('vv', 'w');
    if (seen.size >= MOST_SEEN) seen.clear();
    seen.set(name, found);
  }
  return found;
}

/** Who among some people looks like another of them. */
export class Twins {
  /** Look → id, or null for several. */
  #ids = new Map();
  #mine = null;

  /** `people` are `[id, name]`: those in the room, and all that have spoken. `me` is the user, or null. */
  constructor(people, me = null) {
    if (me) {
      this.#mine = look(me.name);
      this.#ids.set(this.#mine, me.id);
    }
    for (const [id, name] of people) {
      const key = look(name);
      if (key === '') continue;
      const other = this.#ids.get(key);
      if (other === undefined) this.#ids.set(key, id);
      else if (other !== id) this.#ids.set(key, null);
    }
  }

  has(name) {
    return this.#ids.get(look(name)) === null;
  }

  /** Whether the name looks like the user's own. */
  isMine(name) {
    return this.#mine !== null && look(name) === this.#mine;
  }
}
