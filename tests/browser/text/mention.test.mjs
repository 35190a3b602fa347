// Whom a text mentions. The server has the same rule, and is checked with the same cases: src/lobby/mentions/names.rs.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { isMentioned, Names } from '../../../src/web/text/mention.js';

const CASES = JSON.parse(readFileSync(new URL('mentions.json', import.meta.url), 'utf8'));

for (const [text, names, expected] of CASES) {
  test(`${JSON.stringify(text)} mentions ${expected.join(' and ') || 'nobody'}`, () => {
    const index = new Names(names);
    const marks = Array.from(text.matchAll(/@/g), ({ index: at }) => at);
    const found = marks.map((at) => index.at(text, at)?.name);
    assert.deepEqual(names.filter((name) => found.includes(name)), expected);
    for (const name of names) {
      const others = names.filter((other) => other !== name);
      assert.equal(isMentioned(text, name, others), expected.includes(name), name);
    }
  });
}
