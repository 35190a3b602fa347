// Checks frames against docs/protocol.schema.json, which says exactly what the server sends, and against
// docs/protocol.client.schema.json, which says what a client may rely on.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import Ajv from 'ajv/dist/2020.js';
import { Client } from './client.mjs';

export const DOCS = path.resolve(import.meta.dirname, '../../docs');
export const schema = JSON.parse(readFileSync(path.join(DOCS, 'protocol.schema.json'), 'utf8'));

/** One schema for each protocol version and direction. */
export const ENTRIES = ['base-server', 'base-client', 'v2-server', 'v2-client'];

const ajv = new Ajv({ allErrors: true, strict: true, strictRequired: false });
ajv.addSchema(schema);

const REQUESTS = /^(base|v2)-client|^asked-/;

/** What a client may rely on if `exact` is what the server sends today: anything may be added. */
export function lenient(exact) {
  const defs = Object.entries(exact.$defs).filter(([name]) => !REQUESTS.test(name));
  return {
    $schema: exact.$schema,
    $id: 'urn:wschat:protocol:client',
    title: 'What a client of wschat may rely on',
    description: 'protocol.schema.json without everything that a later server may change: a frame may have members that do not stand here, and so may every object in it; there may be frames and events of other types, and errors with other codes. A client ignores what it does not know. Where to begin: #/$defs/v2-server, and #/$defs/base-server for the base protocol. protocol.schema.json has the requests.',
    anyOf: [{ $ref: '#/$defs/base-server' }, { $ref: '#/$defs/v2-server' }],
    $defs: Object.fromEntries(defs.map(([name, def]) => [name, relaxed(name, def)])),
  };
}

/** What is said about these is true of today's server only. */
const TODAY = ['maxItems', 'minItems', 'pattern', 'maxLength', 'dependentSchemas', 'propertyNames'];

function relaxed(name, def) {
  if (name.endsWith('-error-code')) return { type: 'string', minLength: 1 };
  if (name === 'retry-after-with-rate-limited') {
    const { else: _, ...rest } = def;
    return rest;
  }
  if (def.oneOf) {
    const known = def.oneOf.map(({ $ref }) => $ref.replace(/^.*-server-/, ''));
    const other = { type: 'string', not: { enum: known } };
    // An event that is stored has its place among the others, whatever it is.
    const properties = name === 'v2-said' ? { type: other, seq: { $ref: '#/$defs/id' } } : { type: other };
    const unknown = { type: 'object', properties, required: Object.keys(properties) };
    return { ...def, oneOf: [...def.oneOf, unknown] };
  }
  return relaxedValue(def);
}

function relaxedValue(value, key) {
  if (Array.isArray(value)) return value.map((item) => relaxedValue(item));
  if (value === null || typeof value !== 'object') return value;
  if (key === 'name' && value.const === 'wschat') return { type: 'string' };
  const entries = Object.entries(value).filter(([member, inner]) => (
    key === 'properties' || (!TODAY.includes(member) && !(member === 'additionalProperties' && inner === false))
  ));
  return Object.fromEntries(entries.map(([member, inner]) => [member, relaxedValue(inner, member)]));
}

export const CLIENT_SCHEMA = path.join(DOCS, 'protocol.client.schema.json');
const clientSchema = lenient(schema);
ajv.addSchema(clientSchema);

/** Whether a client has to expect this as a frame from the server. */
export const mayCome = (entry, frame) => ajv.getSchema(`${clientSchema.$id}#/$defs/${entry}`)(frame);

const validator = (name) => ajv.getSchema(`${schema.$id}#/$defs/${name}`);

/** The names of the frames in that direction: `v2-server-welcome` and so on. */
export const framesOf = (entry) => schema.$defs[entry].oneOf.map(({ $ref }) => $ref.replace('#/$defs/', ''));

/** Whether the schema accepts this as a frame in that direction. */
export const fits = (entry, frame) => validator(entry)(frame);

/** Asserts that `text` is such a frame, and returns its name. */
export function check(entry, text) {
  const frame = JSON.parse(text);
  // Against its own schema first, since "none of fourteen" says little about what is wrong.
  const name = `${entry}-${frame.type}`;
  assert.ok(framesOf(entry).includes(name), `${entry} has no such frame: ${text}`);
  const validate = validator(name);
  assert.ok(validate(frame), `${name}: ${ajv.errorsText(validate.errors)}: ${text}`);
  assert.ok(fits(entry, frame), text);
  if (entry.endsWith('-server')) {
    checkManner(name, frame, text);
    assert.ok(mayCome(entry, frame), `no client expects ${text}`);
  }
  return name;
}

/** What JSON Schema cannot express: no white space, and members in the order of `properties`. */
function checkManner(name, frame, text) {
  assert.doesNotMatch(text.replaceAll(/"(\\.|[^"\\])*"/g, '""'), /\s/, text);
  const members = Object.keys(frame);
  const order = Object.keys(schema.$defs[name].properties);
  assert.deepEqual(members, order.filter((member) => members.includes(member)), text);
}

/** All frames that these tests have seen on the wire, by name. */
export class Seen {
  #frames = new Map();

  add(name, text) {
    if (!this.#frames.has(name)) this.#frames.set(name, []);
    this.#frames.get(name).push(JSON.parse(text));
  }

  of(name) {
    return this.#frames.get(name) ?? [];
  }
}

/** A client whose frames, in both directions, are checked and added to `seen`. */
export class Watched extends Client {
  #seen;
  #version;

  /** `protocols` decide the version. */
  constructor(url, { seen, ...options } = {}) {
    super(url, options);
    this.#seen = seen;
    this.#version = options.protocols?.includes('wschat.v2') ? 'v2' : 'base';
  }

  /** Sends a valid request; `sendWrong` sends invalid ones. */
  send(text) {
    this.#seen.add(check(`${this.#version}-client`, text), text);
    super.send(text);
  }

  sendWrong(text) {
    let request;
    try {
      request = JSON.parse(text);
    } catch {
      request = undefined;
    }
    const taken = request !== undefined && fits(`${this.#version}-client`, request);
    assert.ok(!taken, `the schema takes ${text}`);
    super.send(text);
  }

  ask(request) {
    this.send(JSON.stringify(request));
  }

  async next() {
    const event = await super.next();
    if ('frame' in event) this.#seen.add(check(`${this.#version}-server`, event.frame), event.frame);
    return event;
  }

  /** Returns the next frame of this type. Those before it are checked and skipped. */
  async until(type, fitting = () => true) {
    for (;;) {
      const frame = await this.nextFrame();
      if (frame.type === type && fitting(frame)) return frame;
      assert.notEqual(frame.type, 'error', JSON.stringify(frame));
    }
  }

  /** Asserts that the next frame is an error with this code and `ref`. */
  async refused(code, ref) {
    const frame = await this.nextFrame();
    assert.deepEqual([frame.type, frame.code, frame.ref], ['error', code, ref], JSON.stringify(frame));
    return frame;
  }
}

/** `frame` with one thing wrong, in every possible way and at any depth: `[what, frame]`. */
export function* spoilt(frame, path = []) {
  const at = (change) => {
    const copy = structuredClone(frame);
    change(path.reduce((inner, key) => inner[key], copy));
    return copy;
  };
  const inner = path.reduce((value, key) => value[key], frame);
  const where = (member) => [...path, member].join('.');
  if (!Array.isArray(inner)) yield [`${where('more')} is there`, at((object) => { object.more = 1; })];
  for (const [member, value] of Object.entries(inner)) {
    yield [`${where(member)} is null`, at((object) => { object[member] = null; })];
    if (value !== null && typeof value === 'object') {
      yield [`${where(member)} is a string`, at((object) => { object[member] = 'wrong'; })];
      yield* spoilt(frame, [...path, member]);
    } else {
      yield [`${where(member)} is a list`, at((object) => { object[member] = [value]; })];
    }
  }
}
