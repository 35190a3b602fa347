// The frames that the docs show, against docs/protocol.schema.json.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { check, DOCS, fits } from './frames.mjs';

describe('examples in the docs fit the schema', () => {
  const MALFORMED_CODES = ['bad_json', 'bad_request', 'unknown_type'];

  for (const [file, version] of [['protocol.md', 'base'], ['protocol-v2.md', 'v2']]) {
    test(file, () => {
      const lines = readFileSync(path.join(DOCS, file), 'utf8').split('\n');
      let count = 0;
      for (const [index, line] of lines.entries()) {
        const [, side, text] = line.match(/^([CS]): (\{.*)$/) ?? [];
        if (side === 'S') {
          check(`${version}-server`, text);
          count += 1;
        } else if (side === 'C') {
          // Examples of malformed frames in the docs must really be refused.
          const answer = lines[index + 1]?.match(/^S: (\{.*)$/)?.[1];
          const refused = answer !== undefined && MALFORMED_CODES.includes(JSON.parse(answer).code);
          assert.equal(fits(`${version}-client`, JSON.parse(text)), !refused, line);
          count += 1;
        }
      }
      assert.ok(count > 15, `${file} has but ${count} frames`);
    });
  }

  test('no other file of the docs shows frames', () => {
    const files = readdirSync(DOCS).filter((file) => file.startsWith('protocol') && file.endsWith('.md'));
    assert.deepEqual(files.sort(), ['protocol-v2.md', 'protocol.md']);
  });
});
