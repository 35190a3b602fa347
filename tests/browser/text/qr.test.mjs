// QR codes: what is drawn is read back by a decoder that knows nothing of how it was drawn.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import jsQR from 'jsqr';
import { qrCode } from '../../../src/web/text/qr.js';

const SCALE = 4;
const QUIET = 4;

/** The code as a picture, as a camera would have it. */
function picture(rows) {
  const size = (rows.length + 2 * QUIET) * SCALE;
  const pixels = new Uint8ClampedArray(size * size * 4).fill(255);
  for (let y = 0; y < size; y += 1) {
    for (let x = 0; x < size; x += 1) {
      const isDark = rows[Math.floor(y / SCALE) - QUIET]?.[Math.floor(x / SCALE) - QUIET];
      if (isDark) pixels.fill(0, 4 * (y * size + x), 4 * (y * size + x) + 3);
    }
  }
  return { pixels, size };
}

function read(rows) {
  const { pixels, size } = picture(rows);
  const { binaryData, version } = jsQR(pixels, size, size, { inversionAttempts: 'dontInvert' }) ?? {};
  return { text: binaryData && new TextDecoder().decode(new Uint8Array(binaryData)), version };
}

const link = (length) => 'https://chat.example/#room='.padEnd(length, '1234567890').slice(0, length);

test('a link is read back', () => {
  for (const text of ['a', 'https://chat.example/#room=3', 'https://chat.example/chat/#room=12&seq=3456', 'Zoë · 湖 · 🎂']) {
    assert.equal(read(qrCode(text)).text, text);
  }
});

test('every version is read back, at its fullest and at its emptiest', () => {
  // The capacities in bytes at level M, of the standard's table 7.
  const capacities = [14, 26, 42, 62, 84, 106, 122, 152, 180, 213, 251, 287, 331, 362, 412, 450, 504, 560, 624, 666];
  capacities.forEach((capacity, index) => {
    for (const length of [(capacities[index - 1] ?? 0) + 1, capacity]) {
      assert.deepEqual(read(qrCode(link(length))), { text: link(length), version: index + 1 });
    }
  });
});

test('a damaged code is still read', () => {
  const text = 'https://chat.example/#room=3';
  const rows = qrCode(text);
  for (let y = 12; y < 16; y += 1) for (let x = 12; x < 16; x += 1) rows[y][x] = !rows[y][x];
  assert.equal(read(rows).text, text);
});

test('what is too long for a code has none', () => {
  assert.notEqual(qrCode('x'.repeat(666)), null);
  assert.equal(qrCode('x'.repeat(667)), null);
  assert.equal(qrCode('é'.repeat(334)), null);
});
