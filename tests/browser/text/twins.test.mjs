// Names that look alike to the eye.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { look, Twins } from '../../../src/web/text/twins.js';

for (const [one, other] of [
  ['Tariq', 'tariq'], ['Tariq', ' Tariq '], ['Tariq', 'Tar\u200Biq'], ['Tariq', 'Tariq\u202E'], ['Tariq', 'Ｔａｒｉｑ'],
  ['Ada', 'Аdа'], ['Ada', 'ΑDΑ'], ['Ian', 'lan'], ['Paul', 'PauI'], ['Bob', 'B0b'], ['Arnold', 'Amold'], ['William', 'VVilliam'],
  ['Ada  L', 'Ada L'], ['Ada\u00A0L', 'Ada L'], ['José', 'Jose\u0301'], ['ﬁn', 'fin'], ['x\u00ADy', 'xy'], ['𝐀𝐝𝐚', 'Ada'],
]) {
  test(`${JSON.stringify(one)} looks like ${JSON.stringify(other)}`, () => assert.equal(look(one), look(other)));
}

for (const [one, other] of [['Ada', 'Adam'], ['José', 'Jose'], ['User 3', 'User 4'], ['Ada', 'Ada.'], ['A da', 'Ada'], ['田中', '田口'],
  ['Анна', 'Инна'], ['User 2', 'User 20']]) {
  test(`${JSON.stringify(one)} does not look like ${JSON.stringify(other)}`, () => assert.notEqual(look(one), look(other)));
}

test('only those who look like somebody else are twins', () => {
  const twins = new Twins([[1, 'Tariq'], [2, 'Ada'], [3, 'tariq'], [2, 'Ada'], [4, 'Eve']], { id: 4, name: 'Eve' });
  assert.deepEqual(['Tariq', 'TARIQ', 'Ada', 'Eve', 'Nobody'].map((name) => twins.has(name)), [true, true, false, false, false]);
  assert.equal(twins.isMine('ЕVE'), true);
  assert.equal(twins.isMine('Ada'), false);
  assert.equal(new Twins([[1, 'Ada'], [4, 'Evе']], { id: 4, name: 'Eve' }).has('Eve'), false, 'another name of the same person');
  assert.equal(new Twins([[9, 'Evе']], { id: 4, name: 'Eve' }).has('Eve'), true);
  assert.equal(new Twins([[1, '\u200B'], [2, '\u200C']]).has('\u200B'), false);
});

test('a hostile name takes linear time', () => {
  for (const unit of ['\u202E', 'rn', 'vv', 'İ', '\uFDFA', 'а']) {
    const started = performance.now();
    look(unit.repeat(20_000));
    assert.ok(performance.now() - started < 5000);
  }
});
