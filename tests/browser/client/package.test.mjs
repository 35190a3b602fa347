// The client as a package: its types fit its code and its README, nothing else is packed, and it is as small as it says.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Client } from '../../../clients/js/src/client.js';

const PACKAGE = path.resolve(import.meta.dirname, '../../../clients/js');
const tsc = fileURLToPath(import.meta.resolve('typescript/bin/tsc'));
const readme = readFileSync(path.join(PACKAGE, 'README.md'), 'utf8');

/** Every example of the README, as one module each. */
const examples = [...readme.matchAll(/^```[jt]s\n([^]*?)^```$/gm)].map(([, code]) => code);

/** Other packages, whose types do not matter here. */
const OTHERS = 'declare module "ws";\ndeclare module "node:fs";\n';

/** What the compiler says about these files; nothing if they are right. */
function check(examples) {
  // No types but these: what happens to be installed here matters to nobody.
  const compilerOptions = { noEmit: true, strict: true, types: [], module: 'nodenext', target: 'es2023', lib: ['es2023', 'dom'] };
  const files = { ...examples, 'others.d.ts': OTHERS, 'tsconfig.json': JSON.stringify({ compilerOptions }) };
  // Below the package, so that it finds itself by its name.
  const folder = mkdtempSync(path.join(PACKAGE, 'check-'));
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(path.join(folder, name), text);
    execFileSync(process.execPath, [tsc, '--project', folder], { encoding: 'utf8' });
    return '';
  } catch (error) {
    return error.stdout;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('the examples of the README have the declared types', () => {
  assert.ok(examples.length >= 4, `${examples.length}`);
  const declared = 'declare const process: any;\ndeclare const client: import("wschat-client").Client;\n';
  const files = examples.map((code, i) => {
    // Those that begin with `import` make their own client.
    const isWhole = code.startsWith('import');
    return [`example${i}.mts`, isWhole ? code : `${declared}${code}\nexport {};\n`];
  });
  assert.equal(check(Object.fromEntries(files)), '');
});

test('a mistake is found', () => {
  const code = "import { Client } from 'wschat-client';\nnew Client({ url: 'ws://x' }).say(7);\n";
  assert.match(check({ 'wrong.mts': code }), /not assignable to parameter of type 'string'/);
});

test('what is declared exists', () => {
  const types = readFileSync(path.join(PACKAGE, 'src/client.d.ts'), 'utf8');
  const [, body] = types.match(/export class Client \{\n([^]*?)^\}/m);
  const names = [...body.matchAll(/(?:^ |;) (\w+)[(<]/gm)].map(([, name]) => name).filter((name) => name !== 'constructor');
  assert.ok(names.length > 12);
  for (const name of names) assert.equal(typeof Client.prototype[name], 'function', name);
});

test('the package has its version from Cargo.toml, its files, and no dependencies', () => {
  const { version, license, dependencies, files, exports } = JSON.parse(readFileSync(path.join(PACKAGE, 'package.json')));
  const cargo = readFileSync(path.join(PACKAGE, '../../Cargo.toml'), 'utf8');
  const ofCargo = (key) => cargo.match(new RegExp(`^${key} = "(.*)"$`, 'm'))[1];
  assert.deepEqual([version, license, dependencies], [ofCargo('version'), ofCargo('license'), undefined]);
  const packed = JSON.parse(execFileSync('npm', ['pack', '--dry-run', '--json'], { cwd: PACKAGE, encoding: 'utf8' }));
  const names = packed[0].files.map(({ path: name }) => name);
  for (const name of [exports['.'].default, exports['.'].types]) assert.ok(names.includes(name.slice(2)), name);
  assert.ok(names.every((name) => /^(README\.md|package\.json|src\/\w+\.(js|d\.ts)|examples\/[\w-]+\.mjs)$/.test(name)), `${names}`);
  assert.deepEqual(files, ['src', 'examples']);
});

test('code and types together stay under 1,000 lines', () => {
  const folder = path.join(PACKAGE, 'src');
  const lines = readdirSync(folder).flatMap((name) => readFileSync(path.join(folder, name), 'utf8').split('\n'));
  const code = lines.filter((line) => !/^\s*(\/\/|\/\*|\*|$)/.test(line));
  assert.ok(code.length < 1_000, `${code.length}`);
});
