import { describe, expect, it } from 'vitest'
import { booleanWords, plainRules } from '../../../src/bulk/csv/value.ts'
import type { Origin } from '../../../src/bulk/exports/shape.ts'
import { readersOf } from '../../../src/bulk/json-kind.ts'
import { type JsonRowOptions, readRowLines } from '../../../src/bulk/row-lines.ts'
import { decodeChange } from '../../../src/model/change.ts'
import { boolean, bytes, integer, json, real, text, timestamp, uuid } from '../../../src/model/column.ts'
import { defineSchema } from '../../../src/model/define-schema.ts'
import type { Table } from '../../../src/model/table.ts'
import { noon } from '../../support/sample.ts'

const schema = defineSchema({
  wide: {
    name: text(),
    note: text({ nullable: true }),
    count: integer({ nullable: true }),
    size: real({ nullable: true }),
    done: boolean({ nullable: true }),
    data: json({ nullable: true }),
    seen: timestamp({ nullable: true }),
    ref: uuid({ nullable: true }),
    raw: bytes({ nullable: true }),
  },
})

/** What becomes of rows: the changes, or what is wrong with them. */
async function read(values: readonly unknown[], options: Partial<JsonRowOptions> = {}, origin?: Origin) {
  async function* chunks() {
    yield { lines: values.map((value, n) => ({ line: n + 1, value, source: 'x' })), last: values.length }
  }
  const all: JsonRowOptions = {
    ...{ table: schema.tablesByName.get('wide') as Table, at: noon, headers: new Map(), ignore: [] },
    ...{
      isLoose: origin !== undefined,
      isJsonText: origin === 'sqlite',
      read: origin && readersOf[origin],
      ...options,
    },
  }
  const found: unknown[] = []
  for await (const { lines } of readRowLines(chunks(), all)) {
    for (const { value, error } of lines) {
      const fault = error ?? decodeChange(value, 0, { schema, now: noon, clockDriftMsMax: 0, measure: true }).error
      found.push(fault ? `${fault.code}: ${fault.detail}` : value)
    }
  }
  return found
}
const put = (id: string, row: object, more: object = {}) => ({ table: 'wide', op: 'put', id, at: noon, row, ...more })

describe('a row of JSON', () => {
  it('has its integer id as digits, and 1 and 0 for true and false; what is text stays text', async () => {
    expect(await read([{ id: 7, name: 'x', done: 1 }, { id: '8', name: '5', done: 0 }, { id: 9, name: 'x', done: true }])).toEqual([
      put('7', { name: 'x', done: true }),
      put('8', { name: '5', done: false }),
      put('9', { name: 'x', done: true }),
    ])
    const refused = [{ count: '5' }, { done: '1' }, { done: 2 }, { name: 5 }, { size: '1.5' }, { seen: '2026-01-31 08:30:00+00' }]
    for (const row of refused) expect(await read([{ id: 1, name: 'x', ...row }])).toEqual([expect.stringMatching(/^invalid_value: /)])
    expect(await read([{ id: 2 ** 60, name: 'x' }, { id: 1.5, name: 'x' }, { name: 'x' }])).toEqual(Array(3).fill(expect.stringMatching(/^invalid_id: /)))
  }) // biome-ignore format: long lines

  it('may have its values written as CSV has them, where somebody says so', async () => {
    const row = {
      name: 5,
      count: '-7',
      size: '1.50',
      done: 'F',
      seen: '2026-01-31 08:30:00+00',
      data: '{"a":1}',
      note: '',
    }
    const expected = { name: '5', count: -7, size: 1.5, done: false, seen: '2026-01-31T08:30:00.000Z', note: '' }
    expect(await read([{ id: 1, ...row }], {}, 'json')).toEqual([put('1', { ...expected, data: '{"a":1}' })])
    expect(await read([{ id: 1, ...row }], {}, 'sqlite')).toEqual([put('1', { ...expected, data: { a: 1 } })])
    const rules = { ...plainRules, nulls: new Set(['-']), numbers: { decimal: ',', group: '.', isTold: true }, booleans: new Map([...booleanWords, ['ja', true]]) } as const // biome-ignore format: one line
    expect(
      await read([{ id: 1, name: 'x', note: '-', size: '1.234,5', done: 'ja' }], { rules, isLoose: true }),
    ).toEqual([put('1', { name: 'x', note: null, size: 1234.5, done: true })])
    expect(await read([{ id: 1, name: 'x', size: '5 €' }], {}, 'json')).toEqual([expect.stringMatching(/currency/)])
  })

  it('ends where a thousand and a thousandth look the same', async () => {
    const rows = [{ id: 1, name: 'x', size: '1.234' }, { id: 2, name: 'x', size: '89,90' }]
    await expect(read(rows, {}, 'json')).rejects.toThrow(/wide\.size could mean either: line 1 .* line 2/)
  }) // biome-ignore format: one line

  it('takes columns, its stamp and its scope by other names, and passes over what it is told to', async () => {
    const options = { headers: new Map([['id', 'key'], ['name', 'title']]), ignore: ['x'], scopeHeader: 'user', atHeader: 'changed', at: undefined } // biome-ignore format: one line
    const row = { key: 1, title: 'one', user: 7, changed: '2026-11-21T01:00:00Z' }
    const expected = put('1', { name: 'one' }, { at: noon - 3_600_000_000, scope: '7' })
    expect(await read([{ ...row, x: 1 }, row, { ...row, y: 1 }, { ...row, user: null }, { ...row, name: 'two' }, { title: 'x' }], options)).toEqual([
      expected,
      expected,
      'unknown_column: The table wide has no column "y".',
      'invalid_change: "scope" must be text.',
      'invalid_change: "name" stands for no column here. Add --ignore name.',
      'invalid_change: The row has no "key".',
    ])
    expect(await read([{ ...row, x: 1, y: 2 }], { ...options, ignore: 'others' })).toEqual([expected])
    await expect(read([], { headers: new Map([['nmae', 'x']]) })).rejects.toThrow(/^--map nmae=…: wide has no column "nmae"/)
  }) // biome-ignore format: long lines

  it('P12 is rejected alone where it is no object, or has a name that means something to the language', async () => {
    const odd = JSON.parse(
      '[5, null, [], {"id":1,"name":"x","__proto__":{"done":true}}, {"id":1,"name":"x","constructor":1}]',
    )
    expect(await read([...odd, { id: 1, name: 'x' }])).toEqual([
      ...Array(3).fill('invalid_change: A row must be an object.'),
      'unknown_column: The table wide has no column "__proto__".',
      'unknown_column: The table wide has no column "constructor".',
      put('1', { name: 'x' }),
    ])
  })
})

describe('an export of', () => {
  it('MongoDB', async () => {
    const rows = [
      { _id: { $oid: '65f0c0ffee0000000000aaaa' }, name: 'x', count: { $numberLong: '7' }, size: { $numberDecimal: '1.25' }, seen: { $date: '2026-01-31T08:30:00Z' } },
      { _id: 5, name: { $symbol: 'y' }, count: { $numberInt: '1' }, size: { $numberDouble: '2.5' }, seen: { $date: { $numberLong: '1700000000000' } }, data: [{ at: { $oid: 'a' } }] },
      { _id: { $uuid: '2f1c7b7e-0000-4000-8000-0123456789ab' }, name: 'z', raw: { $binary: { base64: '+/8=', subType: '00' } }, ref: { $binary: { base64: 'LxwbfgAAQACAAAEjRWeJqw==', subType: '04' } } },
      { _id: 'n', name: 'x', count: { $numberLong: '9223372036854775807' } },
      { _id: 'n', name: 'x', size: { $numberDouble: 'NaN' } },
      { _id: 'n', name: { $regularExpression: { pattern: 'a', options: '' } } },
      { _id: 'n', name: 'x', data: { constructor: 1 } },
    ] // biome-ignore format: long lines
    const [first, second, third, ...rest] = await read(rows, {}, 'mongo')
    expect(first).toEqual(put('65f0c0ffee0000000000aaaa', { name: 'x', count: 7, size: 1.25, seen: '2026-01-31T08:30:00.000Z' }))
    expect(second).toEqual(put('5', { name: 'y', count: 1, size: 2.5, seen: '2023-11-14T22:13:20.000Z', data: [{ at: 'a' }] }))
    expect(third).toEqual(put('2f1c7b7e-0000-4000-8000-0123456789ab', { name: 'z', raw: '-_8', ref: '2f1c1b7e-0000-4000-8000-0123456789ab' }))
    expect(rest).toEqual([...Array(3).fill(expect.stringMatching(/^invalid_value/)), put('n', { name: 'x', data: { constructor: 1 } })])
  }) // biome-ignore format: long lines

  it('CouchDB: _changes, _all_docs, documents and dumps of PouchDB', async () => {
    const rows = [
      { seq: '1', id: 'a', changes: [{ rev: '1' }], doc: { _id: 'a', _rev: '1', _attachments: {}, name: 'x' } },
      { seq: '2', id: 'b', changes: [{ rev: '2' }], deleted: true, doc: { _id: 'b', _deleted: true } },
      { id: 'c', key: 'c', value: { rev: '1' }, doc: { _id: 'c', name: 'y', done: 1 } },
      { id: 'd', key: 'd', value: { rev: '1', deleted: true }, doc: null },
      { _id: 'e', _rev: '1', name: 'z' },
      { _id: '_design/views', views: {} },
      { last_seq: '5', pending: 0 },
      { seq: 5 },
      { id: 'f', key: 'f', value: { rev: '1' } },
    ]
    expect(await read(rows, {}, 'couchdb')).toEqual([
      put('a', { name: 'x' }),
      { table: 'wide', op: 'delete', id: 'b', at: noon },
      put('c', { name: 'y', done: true }),
      { table: 'wide', op: 'delete', id: 'd', at: noon },
      put('e', { name: 'z' }),
      'invalid_change: There is no "doc" in it. Fetch it again with include_docs=true.',
    ])
    expect(await read([rows[1]], { scopeHeader: 'user' }, 'couchdb')).toEqual([
      'invalid_change: A deleted document says neither whose it was nor when.',
    ])
  })

  it('Firestore: typed values, and documents of tools', async () => {
    const name = 'projects/p/databases/(default)/documents/wide/a'
    const fields = { name: { stringValue: 'x' }, count: { integerValue: '5' }, size: { doubleValue: 1.5 }, done: { booleanValue: true }, note: { nullValue: null }, seen: { timestampValue: '2026-01-31T08:30:00Z' }, raw: { bytesValue: '+/8=' }, data: { mapValue: { fields: { a: { arrayValue: { values: [{ integerValue: '1' }, { referenceValue: 'x/y/z' }] } } } } } } // biome-ignore format: one line
    const row = { name: 'x', count: 5, size: 1.5, done: true, note: null, seen: '2026-01-31T08:30:00.000Z', raw: '-_8', data: { a: [1, 'z'] } } // biome-ignore format: one line
    expect(await read([{ name, fields }, { document: { name, fields }, readTime: 't' }, { readTime: 't' }], {}, 'firestore')).toEqual([
      put('a', row),
      put('a', row),
    ]) // biome-ignore format: one line
    const tool = { id: 'k', name: 'x', __collections__: { sub: {} } }
    expect(await read([tool], {}, 'firestore')).toEqual([put('k', { name: 'x' })])
  })
})
