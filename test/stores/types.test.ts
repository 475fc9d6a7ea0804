import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { boolean, bytes, decimal, integer, json, real, text, timestamp, uuid } from '../../src/model/column.ts'
import { defineSchema } from '../../src/model/define-schema.ts'
import { createOperations } from '../../src/sync/sync.ts'
import { pullToJson, pushToJson } from '../../src/wire/answer.ts'
import { noon, principal } from '../support/sample.ts'
import { allStoreNames, openTestStore, type TestStore } from '../support/stores.ts'

const schema = defineSchema({
  values: {
    text: text({ nullable: true }),
    integer: integer({ nullable: true }),
    real: real({ nullable: true }),
    decimal: decimal({ nullable: true }),
    boolean: boolean({ nullable: true }),
    json: json({ nullable: true }),
    timestamp: timestamp({ nullable: true }),
    precise: timestamp({ digits: 6, nullable: true }),
    uuid: uuid({ nullable: true }),
    bytes: bytes({ nullable: true }),
  },
})

const controls = String.fromCharCode(...Array.from({ length: 31 }, (_, n) => n + 1))
const texts = [
  '',
  ' ',
  controls,
  '\u007f\u0080\u009f',
  '"\'\\/`$?:@{}[]<>&;--/*',
  '\u2028\u2029\ufeff\ufffe\uffff',
  '😀👩‍👩‍👧‍👦é\u0301',
  "Robert'); DROP TABLE values;--",
  '\\u0000',
  '\\',
  '%s %d',
  '\trx\t',
  '\n\n\n',
  'null',
  'İıŞß',
  'x'.repeat(70_000),
]
const reals = [
  0,
  -0,
  1,
  -1,
  0.1,
  1 / 3,
  12.5,
  4.35,
  1e15,
  1e15 - 0.125,
  999_999_999_999_999.9,
  1e16,
  1e20,
  1e21,
  1.5e300,
  Number.MAX_VALUE,
  -Number.MAX_VALUE,
  Number.MIN_VALUE,
  2.2250738585072014e-308,
  1e-4,
  0.00009999,
  1e-5,
  1e-6,
  1e-7,
  2 ** 53,
  2 ** 53 + 2,
  Math.PI,
  Math.E,
  123_456_789.123_456_78,
  5e-324 * 3,
]
/** Doubles of any bits, from a seed, so that a failure comes back. */
const randomReals = Array.from({ length: 300 }, (_, n) => {
  const view = new DataView(new ArrayBuffer(8))
  view.setUint32(0, Math.imul(n + 1, 0x9e3779b1) ^ Math.imul(n, 0x85ebca6b))
  view.setUint32(4, Math.imul(n + 7, 0xc2b2ae35))
  return view.getFloat64(0)
}).filter(Number.isFinite)
/** Amounts, whose two decimals SQLite is given as they are. */
const amounts = Array.from({ length: 600 }, (_, n) =>
  Number(((n % 2 ? -1 : 1) * (((n * 7_919_313_131) % 10 ** (3 + (n % 13))) / 100)).toFixed(2)),
)
const rows: Record<string, unknown>[] = [
  ...texts.map((value) => ({ text: value })),
  ...texts.map((value) => ({ json: value })),
  ...[...reals, ...randomReals, ...amounts].map((value) => ({ real: value })),
  ...[0, -0, 1, -1, 2 ** 31, 2 ** 53 - 1, -(2 ** 53 - 1)].map((value) => ({ integer: value })),
  ...[true, false].map((value) => ({ boolean: value })),
  ...[
    [],
    {},
    0,
    -0,
    0.1,
    1e-7,
    1 / 3,
    true,
    false,
    [null],
    { b: 1, a: [{ ' ': '"' }], '': null },
    '5',
    JSON.parse('{"__proto__":{"constructor":1}}'),
  ].map((value) => ({ json: value })),
  ...[
    '0001-01-01T00:00:00.000Z',
    '1582-10-10T00:00:00.001Z',
    '1969-12-31T23:59:59.999Z',
    '2024-02-29T12:00:00.500Z',
    '9999-12-31T23:59:59.999Z',
  ].flatMap((value) => [{ timestamp: value }, { precise: value.replace('Z', '000Z') }]),
  ...[
    '0001-01-01T00:00:00.000001Z',
    '0044-03-15T11:22:33.444555Z',
    '1969-12-31T23:59:59.999999Z',
    '2026-01-31T08:30:00.123456Z',
    '9999-12-31T23:59:59.999999Z',
  ].map((value) => ({ precise: value })),
  ...[
    ...['0', '0.0', '-1', '1.10', '0.00', '-0.000000001', '100', '12345678901234567.89', '9007199254740993'],
    ...['9'.repeat(1_000), `-0.${'0'.repeat(999)}1`, `${'1'.repeat(500)}.${'0'.repeat(500)}`, '1000000000000000000000'],
  ].map((value) => ({ decimal: value })),
  ...['00000000-0000-0000-0000-000000000000', '0193f0a0-7c4e-7d7e-9f3a-0123456789ab'].map((value) => ({ uuid: value })),
  ...[
    '',
    'AA',
    '_w',
    '-_-_',
    'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0-Pw',
  ].map((value) => ({ bytes: value })),
  {},
]

describe('values come back exactly as they were sent', () => {
  const opened: TestStore[] = []
  const answers: string[] = []
  beforeAll(async () => {
    for (const name of allStoreNames) opened.push(await openTestStore(name, schema))
  })
  afterAll(() => Promise.all(opened.map(({ close }) => close())))

  it.each(allStoreNames.map((name, place) => ({ name, place })))(
    'P7 from $name, in verdicts and in pulls, byte for byte',
    async ({ place }) => {
      const { store } = opened[place] as TestStore
      const operations = createOperations({ schema, store, now: () => noon / 1000, incarnation: () => 'inc' })
      const who = principal('alice')
      const changes = rows.map((row, n) => ({ table: 'values', op: 'put', id: `v${n}`, at: noon, row }))
      const expected = rows.map((row) =>
        JSON.stringify({
          text: null,
          integer: null,
          real: null,
          decimal: null,
          boolean: null,
          json: null,
          timestamp: null,
          precise: null,
          uuid: null,
          bytes: null,
          ...row,
        }),
      )
      const pushed = pushToJson(await operations.push(who, { client: 'a', changes, atomic: false, return: 'all' }))
      const { verdicts } = JSON.parse(pushed)
      for (const [index, verdict] of verdicts.entries()) {
        expect(JSON.stringify(verdict.current?.row), JSON.stringify([rows[index], verdict.error])).toBe(expected[index])
      }
      const pulled = pullToJson(await operations.pull(who, { cursor: null, limit: 5000 }))
      for (const one of JSON.parse(pulled).changes)
        expect(JSON.stringify(one.row)).toBe(expected[Number(one.id.slice(1))])
      const patches = rows
        .filter((row) => Object.keys(row).length > 0)
        .map((row, n) => ({ table: 'values', op: 'patch', id: `v${rows.length - 2 - n}`, at: noon + 1, row }))
      const patched = pushToJson(
        await operations.push(who, { client: 'a', changes: patches, atomic: false, return: 'all' }),
      )
      for (const [index, verdict] of JSON.parse(patched).verdicts.entries())
        expect(verdict.current.row).toMatchObject(JSON.parse(JSON.stringify(patches[index]?.row)))
      const again = pullToJson(await operations.pull(who, { cursor: null, limit: 5000 }))
      answers.push([pushed, pulled, patched, again].join('\n'))
    },
  )

  it('P7 and all stores gave the same bytes', () => {
    expect(answers).toHaveLength(allStoreNames.length)
    for (const answer of answers) expect(answer === answers[0]).toBe(true)
  })
})
