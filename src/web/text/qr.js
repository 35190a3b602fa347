// Draws a text as a QR code (ISO/IEC 18004): byte mode, error correction level M, the smallest version that holds it.
// Pure: the result is a square of booleans, true for dark.

/** For versions 1 to 20 at level M: codewords of error correction in each block, and the number of blocks. */
const CORRECTION = [10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26];
const BLOCKS = [1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16];

/** The two bits of level M in the format information. */
const LEVEL = 0;

/** The eight masks: which modules of the data are inverted. */
const MASKS = [
  (x, y) => (x + y) % 2 === 0,
  (x, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
];

/** Returns rows of modules, or null if the text is too long: more than 666 bytes. */
export function qrCode(text) {
  const bytes = new TextEncoder().encode(text);
  const version = BLOCKS.findIndex((_, index) => bytes.length <= capacity(index + 1)) + 1;
  if (version === 0) return null;
  const codewords = interleaved(dataOf(bytes, version), version);
  let best = null;
  MASKS.forEach((isInverted, mask) => {
    const square = new Square(version);
    square.drawData(codewords, isInverted);
    square.drawFormat(mask);
    const cost = penalty(square.rows);
    if (best === null || cost < best.cost) best = { cost, rows: square.rows };
  });
  return best.rows;
}

// ---- how much fits

const sizeOf = (version) => 17 + 4 * version;

/** The centres of the alignment patterns, on both axes. */
function alignments(version) {
  if (version === 1) return [];
  const count = Math.floor(version / 7) + 2;
  const last = sizeOf(version) - 7;
  const step = Math.ceil((last - 6) / (count - 1) / 2) * 2;
  return [6, ...Array.from({ length: count - 1 }, (_, i) => last - step * (count - 2 - i))];
}

/** All codewords of a version, for data and correction. */
function codewordsOf(version) {
  const aligned = alignments(version).length;
  // Those on the timing patterns share modules with them, and three places are taken by the finder patterns.
  const alignment = aligned === 0 ? 0 : (aligned ** 2 - 3) * 25 - 2 * (aligned - 2) * 5;
  const finders = 3 * 64;
  const timing = 2 * (sizeOf(version) - 16);
  const format = 31;
  const versions = version >= 7 ? 36 : 0;
  return Math.floor((sizeOf(version) ** 2 - finders - timing - format - versions - alignment) / 8);
}

const dataCodewords = (version) => codewordsOf(version) - CORRECTION[version - 1] * BLOCKS[version - 1];
const lengthBits = (version) => (version < 10 ? 8 : 16);

/** In bytes of text: a mode of four bits and the length go before them. */
const capacity = (version) => Math.floor((dataCodewords(version) * 8 - 4 - lengthBits(version)) / 8);

// ---- codewords

function dataOf(bytes, version) {
  const bits = [];
  const add = (value, count) => { for (let i = count - 1; i >= 0; i -= 1) bits.push((value >> i) & 1); };
  add(0b0100, 4);
  add(bytes.length, lengthBits(version));
  for (const byte of bytes) add(byte, 8);
  const room = dataCodewords(version) * 8;
  add(0, Math.min(4, room - bits.length));
  add(0, (8 - (bits.length % 8)) % 8);
  for (let pad = 0xec; bits.length < room; pad ^= 0xec ^ 0x11) add(pad, 8);
  return Array.from({ length: room / 8 }, (_, i) => bits.slice(8 * i, 8 * i + 8).reduce((sum, bit) => 2 * sum + bit, 0));
}

/** Splits the data into blocks, the longer ones last, and takes a codeword of each in turn; likewise the correction. */
function interleaved(data, version) {
  const count = BLOCKS[version - 1];
  const short = Math.floor(data.length / count);
  const longFrom = count - (data.length % count);
  const blocks = [];
  for (let i = 0, at = 0; i < count; i += 1) {
    const length = short + (i >= longFrom ? 1 : 0);
    blocks.push(data.slice(at, at + length));
    at += length;
  }
  const divisor = generator(CORRECTION[version - 1]);
  const corrections = blocks.map((block) => remainder(block, divisor));
  const inTurn = (lists) => Array.from({ length: Math.max(...lists.map((list) => list.length)) }, (_, i) => lists
    .flatMap((list) => (i < list.length ? [list[i]] : []))).flat();
  return [...inTurn(blocks), ...inTurn(corrections)];
}

/** Multiplies in the field of 256 elements that the standard uses. */
function times(a, b) {
  let product = 0;
  for (let bit = 7; bit >= 0; bit -= 1) {
    product = (product << 1) ^ ((product >> 7) * 0x11d);
    product ^= ((b >> bit) & 1) * a;
  }
  return product;
}

/** The coefficients of (x - 1)(x - 2)(x - 4)…, without the first, which is 1. */
function generator(degree) {
  let made = [1];
  for (let i = 0, root = 1; i < degree; i += 1, root = times(root, 2)) {
    const shifted = [...made, 0];
    made.forEach((coefficient, j) => { shifted[j + 1] ^= times(coefficient, root); });
    made = shifted;
  }
  return made.slice(1);
}

function remainder(data, divisor) {
  const rest = divisor.map(() => 0);
  for (const byte of data) {
    const factor = byte ^ rest.shift();
    rest.push(0);
    divisor.forEach((coefficient, i) => { rest[i] ^= times(coefficient, factor); });
  }
  return rest;
}

// ---- the square

class Square {
  rows;
  #size;
  #version;
  /** Modules that are not data. */
  #taken;

  constructor(version) {
    this.#version = version;
    this.#size = sizeOf(version);
    this.rows = Array.from({ length: this.#size }, () => Array(this.#size).fill(false));
    this.#taken = this.rows.map((row) => [...row]);
    this.#drawPatterns();
  }

  #set(x, y, isDark) {
    if (x < 0 || y < 0 || x >= this.#size || y >= this.#size) return;
    this.rows[y][x] = isDark;
    this.#taken[y][x] = true;
  }

  #drawPatterns() {
    const end = this.#size - 1;
    for (let i = 0; i <= end; i += 1) {
      this.#set(6, i, i % 2 === 0);
      this.#set(i, 6, i % 2 === 0);
    }
    for (const [x, y] of [[3, 3], [end - 3, 3], [3, end - 3]]) this.#drawRings(x, y, 4, (ring) => ring !== 2 && ring !== 4);
    const centres = alignments(this.#version);
    const [first, last] = [centres[0], centres.at(-1)];
    for (const x of centres) {
      for (const y of centres) {
        const isFinder = (x === first && y === first) || (x === first && y === last) || (x === last && y === first);
        if (!isFinder) this.#drawRings(x, y, 2, (ring) => ring !== 1);
      }
    }
    this.drawFormat(0); // takes the place
    if (this.#version >= 7) this.#drawVersion();
  }

  #drawRings(x, y, radius, isDark) {
    for (let dy = -radius; dy <= radius; dy += 1) {
      for (let dx = -radius; dx <= radius; dx += 1) this.#set(x + dx, y + dy, isDark(Math.max(Math.abs(dx), Math.abs(dy))));
    }
  }

  /** Level and mask, twice, each with ten bits of correction. */
  drawFormat(mask) {
    const value = (LEVEL << 3) | mask;
    const bits = ((value << 10) | remainderOfBits(value, 10, 0x537)) ^ 0x5412;
    const bit = (i) => ((bits >> i) & 1) === 1;
    const end = this.#size - 1;
    for (let i = 0; i < 15; i += 1) {
      // Around the upper left finder pattern, past the timing patterns.
      if (i < 8) this.#set(8, i < 6 ? i : i + 1, bit(i));
      else this.#set(i === 8 ? 7 : 14 - i, 8, bit(i));
      // Beside the two others.
      if (i < 8) this.#set(end - i, 8, bit(i));
      else this.#set(8, end - 14 + i, bit(i));
    }
    this.#set(8, end - 7, true);
  }

  #drawVersion() {
    const bits = (this.#version << 12) | remainderOfBits(this.#version, 12, 0x1f25);
    for (let i = 0; i < 18; i += 1) {
      const isDark = ((bits >> i) & 1) === 1;
      const [long, short] = [this.#size - 11 + (i % 3), Math.floor(i / 3)];
      this.#set(long, short, isDark);
      this.#set(short, long, isDark);
    }
  }

  /** In pairs of columns from the right, up and down in turn, past the timing pattern. */
  drawData(codewords, isInverted) {
    const end = this.#size - 1;
    let at = 0;
    for (let right = end, isUp = true; right >= 1; right -= 2, isUp = !isUp) {
      if (right === 6) right = 5;
      for (let step = 0; step <= end; step += 1) {
        const y = isUp ? end - step : step;
        for (const x of [right, right - 1]) {
          if (this.#taken[y][x]) continue;
          const isDark = ((codewords[at >> 3] >> (7 - (at & 7))) & 1) === 1; // past the end there are light ones
          this.rows[y][x] = isDark !== isInverted(x, y);
          at += 1;
        }
      }
    }
  }
}

function remainderOfBits(value, degree, divisor) {
  let rest = value;
  for (let i = 0; i < degree; i += 1) rest = (rest << 1) ^ ((rest >> (degree - 1)) * divisor);
  return rest & ((1 << degree) - 1);
}

// ---- the choice of the mask

/** What makes a code hard to read: long runs, blocks, what looks like a finder pattern, and too much of one colour. */
function penalty(rows) {
  const size = rows.length;
  const columns = rows.map((_, x) => rows.map((row) => row[x]));
  let cost = 0;
  for (const line of [...rows, ...columns]) {
    const drawn = line.map(Number).join('');
    for (const [{ length }] of drawn.matchAll(/0{5,}|1{5,}/g)) cost += length - 2;
    cost += 40 * [...drawn.matchAll(/(?=10111010000|00001011101)/g)].length;
  }
  for (let y = 1; y < size; y += 1) {
    for (let x = 1; x < size; x += 1) {
      const one = rows[y][x];
      if (one === rows[y - 1][x] && one === rows[y][x - 1] && one === rows[y - 1][x - 1]) cost += 3;
    }
  }
  const dark = rows.flat().filter(Boolean).length / size ** 2;
  return cost + 10 * Math.floor(Math.abs(dark - 0.5) * 20);
}
