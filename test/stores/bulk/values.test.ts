import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { transportByCopy } from '../../../src/bulk/copy.ts'
import { readCsvLines } from '../../../src/bulk/csv/lines.ts'
import { createImport, importChunks, type LineOptions } from '../../../src/bulk/import.ts'
import { type ReadChunk, readLines } from '../../../src/bulk/ndjson.ts'
import { decimal, json, real, text, timestamp } from '../../../src/model/column.ts'
import { defineSchema } from '../../../src/model/define-schema.ts'
import type { Table } from '../../../src/model/table.ts'
import { createSync } from '../../../src/sync/create-sync.ts'
import { createOperations } from '../../../src/sync/sync.ts'
import { noon, principal } from '../../support/sample.ts'
import { openTestStore, type TestStore } from '../../support/stores.ts'

const schema = defineSchema({
  events: {
    title: text({ default: '' }),
    starts_at: timestamp({ nullable: true }),
    exactly: timestamp({ digits: 6, nullable: true }),
    price: decimal({ nullable: true }),
    amount: real({ nullable: true }),
    data: json({ nullable: true }),
  },
})
const names = ['libsql file', 'postgres', 'postgres by COPY'] as const
const chunkSize = { linesMax: 100, textMax: 1e6 }

describe.each(names)('an import of what other systems write, into %s', (name) => {
  let opened: TestStore
  beforeAll(async () => {
    opened = await openTestStore(name === 'libsql file' ? name : 'postgres', schema)
  })
  afterAll(() => opened.close())

  /** The rows as they come back, in order of their ids, and the rejections by their lines. */
  async function run(scope: string, chunks: AsyncGenerator<ReadChunk>, options: Partial<LineOptions> = {}) {
    const now = () => noon / 1000
    const transport = name === 'postgres by COPY' ? { transport: transportByCopy(schema) } : {}
    const grant = { scope, isAllowed: () => true }
    const all = { client: 'import', table: 'events', at: undefined, grant, ...options }
    const operations = createOperations({ store: opened.store, schema, now, ...transport })
    const importChunk = createImport(operations.importChunk, 'importer', all)
    const errors: Record<number, string> = {}
    for await (const { rejections } of importChunks(chunks, importChunk))
      for (const { line, error } of rejections) errors[line] = `${error.code}: ${error.detail}`
    const { changes } = await createSync({ store: opened.store, schema, now }).pull(principal(scope))
    const rows = Object.fromEntries(changes.map((one) => [one.id, one.op === 'put' && one.row]))
    return { rows, errors }
  }
  async function* csv(lines: readonly string[]) {
    async function* blocks() {
      yield lines.join('\n')
    }
    const table = schema.tablesByName.get('events') as Table
    yield* readCsvLines(blocks(), { table, at: noon, headers: new Map(), ignore: [], delimiter: ',' }, chunkSize)
  }
  async function* ndjson(lines: readonly string[]) {
    async function* bytes() {
      yield new TextEncoder().encode(lines.join('\n'))
    }
    yield* readLines(bytes(), chunkSize)
  }

  const times = [
    'id,title,starts_at,exactly',
    '1,now() of Postgres,2026-09-01 10:00:00.123956+00,2026-09-01 10:00:00.123956+00',
    '2,whole seconds,2026-09-01 10:00:00+00,2026-09-01 10:00:00+00',
    '3,milliseconds,2026-09-01T12:00:00.123+02:00,2026-09-01T12:00:00.123+02:00',
    '4,without a zone,2026-09-01 10:00:00,',
    '5,a date,2026-09-01,',
    '6,infinity,infinity,',
    '7,no day,2026-02-30 10:00:00.123456+00,',
  ]

  it('P7 P12 takes times in any zone, and cuts digits where that is asked for', async () => {
    const plain = await run(`times ${name}`, csv(times))
    expect(Object.keys(plain.rows)).toEqual(['2', '3'])
    expect(plain.errors[2]).toMatch(/^invalid_value: events.starts_at must be a time with at most 3 digits/)
    const cut = await run(`cut ${name}`, csv(times), { cutDigits: true })
    const values = (id: string) => [Object(cut.rows[id]).starts_at, Object(cut.rows[id]).exactly]
    expect(values('1')).toEqual(['2026-09-01T10:00:00.123Z', '2026-09-01T10:00:00.123956Z'])
    expect(values('2')).toEqual(['2026-09-01T10:00:00.000Z', '2026-09-01T10:00:00.000000Z'])
    expect(values('3')).toEqual(['2026-09-01T10:00:00.123Z', '2026-09-01T10:00:00.123000Z'])
    expect(Object.keys(cut.errors)).toEqual(['5', '6', '7', '8'])
    for (const line of [5, 6, 7]) expect(cut.errors[line]).toMatch(/must be a time with its offset from UTC/)
    expect(cut.errors[8]).toMatch(/a day that there is/)
    const row = '{"id":"1","starts_at":"2026-09-01T10:00:00.123956+00:00"}'
    const { rows } = await run(`rows ${name}`, ndjson([row]), { at: noon, cutDigits: true })
    expect(rows['1']).toMatchObject({ starts_at: '2026-09-01T10:00:00.123Z' })
  })

  it('P7 P12 takes decimals as numbers, to the last digit, and rejects what a double would round', async () => {
    const { rows, errors } = await run(
      `numbers ${name}`,
      ndjson([
        '{"id":"a","price":12345678901234567.89,"amount":0.30000000000000004}',
        '{"id":"b","price":"1.10"}',
        '{"id":"c","amount":9007199254740993}',
        '{"id":"d","data":{"deep":[{"n":0.1234567890123456789}]}}',
        '{"id":"e","title":"9007199254740993, 1e400","data":["1e400"]}',
        '{"id":"f","amount":1e-400}',
        '{"id":"g","price":-0.0}',
      ]),
      { at: noon },
    )
    expect(Object.keys(rows)).toEqual(['a', 'b', 'e', 'g'])
    expect(rows.a).toMatchObject({ price: '12345678901234567.89', amount: 0.30000000000000004 })
    expect(rows.b).toMatchObject({ price: '1.10' })
    expect(rows.e).toMatchObject({ title: '9007199254740993, 1e400', data: ['1e400'] })
    expect(rows.g).toMatchObject({ price: '0' })
    expect(Object.values(errors).map((one) => one.slice(0, 37))).toEqual([
      'invalid_value: events.amount must be ',
      'invalid_value: events.data must be JS',
      'invalid_value: events.amount must be ',
    ])
    const fields = ['id,price,amount', 'a,-007.50,0.1', 'b,1e3,9007199254740993', 'c,12345678901234567.89,', 'd,x,']
    const second = await run(`fields ${name}`, csv(fields))
    expect(Object.values(second.rows).map((one) => Object(one).price)).toEqual(['-7.50', '12345678901234567.89'])
    expect(Object.keys(second.errors)).toEqual(['3', '5'])
  })
})
