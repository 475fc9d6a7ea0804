import { describe, expect, it } from 'vitest'
import { NumberWatch } from '../../../src/bulk/csv/number-text.ts'
import { readCsvRecords } from '../../../src/bulk/csv/records.ts'
import { plainRules } from '../../../src/bulk/csv/value.ts'
import type { Origin } from '../../../src/bulk/exports/shape.ts'
import { readersOf } from '../../../src/bulk/json-kind.ts'
import { mapChunks } from '../../../src/bulk/map-chunks.ts'
import { type MapRecord, readMappedLines } from '../../../src/bulk/map-rows.ts'
import { type ImportLine, parseLine, type ReadChunk } from '../../../src/bulk/ndjson.ts'
import type { JsonRowOptions } from '../../../src/bulk/row-lines.ts'
import type { ImportRow } from '../../../src/index.ts'
import { decodeChange } from '../../../src/model/change.ts'
import { boolean, decimal, integer, json, text, timestamp } from '../../../src/model/column.ts'
import { defineSchema } from '../../../src/model/define-schema.ts'
import { limits } from '../../../src/model/limits.ts'
import { PayloadFault } from '../../../src/model/payload-fault.ts'
import type { Table } from '../../../src/model/table.ts'
import { noon } from '../../support/sample.ts'

const schema = defineSchema({
  people: {
    name: text(),
    note: text({ nullable: true }),
    age: integer({ nullable: true }),
    is_member: boolean({ nullable: true }),
    debt: decimal({ nullable: true }),
    data: json({ nullable: true }),
    seen: timestamp({ nullable: true }),
  },
  visits: { at: timestamp(), place: text() },
})
const tableOf = (name: string) => schema.tablesByName.get(name) as Table

interface Made {
  readonly found: unknown[]
  readonly passed: number
  readonly last: number
}

/** What becomes of records: the changes, or what is wrong with them, by their lines. */
async function map(
  chunks: AsyncIterable<ReadChunk>,
  mapRecord: (record: never) => unknown,
  more: Partial<JsonRowOptions> & { readonly after?: number } = {},
): Promise<Made> {
  const { after, ...options } = more
  const all: JsonRowOptions = {
    ...{ table: tableOf('people'), at: noon, headers: new Map(), ignore: [], isLoose: false, isJsonText: false },
    ...options,
  }
  const found: unknown[] = []
  let [passed, last] = [0, 0]
  const watch = new NumberWatch()
  for await (const chunk of readMappedLines(chunks, mapRecord as MapRecord, all, { watch, after })) {
    passed += chunk.passed ?? 0
    last = chunk.last
    for (const { line, source, changes = [], error } of chunk.lines) {
      expect(source).toBeDefined()
      const faults = changes.map((one) =>
        decodeChange(one, 0, { schema, now: noon, clockDriftMsMax: 0, measure: true }),
      )
      const fault = error ?? faults.find((one) => one.error)?.error
      found.push(fault ? `${line}: ${fault.code}: ${fault.detail}` : [line, ...changes])
    }
  }
  return { found, passed, last }
}
async function* lines(...texts: readonly string[]): AsyncGenerator<ReadChunk> {
  const all: ImportLine[] = texts.map((one, n) => ({ line: n + 1, source: one, ...parseLine(one) }))
  yield { lines: all, last: texts.length }
}
const records = (...values: readonly unknown[]) => lines(...values.map((value) => JSON.stringify(value)))
const put = (id: string, row: object, more: object = {}) => ({ table: 'people', op: 'put', id, at: noon, row, ...more })

describe('the mapping of an import', () => {
  it('P12 makes the row of each record, passes over those that it gives null for, and rejects alone what it throws', async () => {
    const made = await map(
      records({ n: 1, who: 'Ada' }, { n: 2 }, { n: 3, who: null }, { n: '4', who: 'Bob' }),
      ({ n, who }: { n: number; who?: string }) => (who === null ? null : { id: n, name: (who as string).trim() }),
    )
    expect(made).toEqual({
      found: [
        [1, put('1', { name: 'Ada' })],
        "2: invalid_change: The mapping threw TypeError: Cannot read properties of undefined (reading 'trim').",
        [4, put('4', { name: 'Bob' })],
      ],
      ...{ passed: 1, last: 4 },
    })
  })

  it('P12 of none, of one, of all passed over, of all thrown', async () => {
    const never = () => expect.unreachable('no record, no call')
    const one = (record: { id: string }) => ({ id: record.id, name: 'x' })
    expect(await map(lines(), never)).toEqual({ found: [], passed: 0, last: 0 })
    expect(await map(records({ id: 'a' }), one)).toEqual({ found: [[1, put('a', { name: 'x' })]], passed: 0, last: 1 })
    expect(await map(records({}, {}, {}), () => null)).toEqual({ found: [], passed: 3, last: 3 })
    const thrown = await map(records({}, {}), () => {
      throw new Error('no')
    })
    expect(thrown.found).toEqual([1, 2].map((line) => `${line}: invalid_change: The mapping threw Error: no.`))
  })

  it('P12 says what was thrown or given in place of a row, whatever it is, in one line', async () => {
    const given = async (give: () => unknown) => (await map(records({}), give)).found[0]
    const fails = (what: unknown) => async () => {
      throw what
    }
    expect(await given(fails(new PayloadFault('mail is missing.')))).toBe('1: invalid_change: The mapping does not take this record: mail is missing.')
    expect(await given(fails(new RangeError(`a\n  b ${'x'.repeat(400)}`)))).toMatch(/^1: invalid_change: The mapping threw RangeError: a b x+…\.$/)
    expect(await given(fails('out of order'))).toBe('1: invalid_change: The mapping threw "out of order".')
    expect(await given(fails(undefined))).toBe('1: invalid_change: The mapping threw undefined.')
    const row = 'It must give a row, an object with its id and columns, or null to pass the record over.'
    for (const [what, words] of [[undefined, 'nothing'], [[], 'an array'], ['x', 'no object'], [7, 'no object'], [false, 'no object']] as const)
      expect(await given(async () => what)).toBe(`1: invalid_change: The mapping gave ${words}. ${row}`)
    expect(await given(() => ({ name: 'x' }))).toMatch(/^1: invalid_id: /)
    expect(await given(() => ({ id: 'a' }))).toMatch(/^1: missing_column: .* name/)
    expect(await given(() => ({ id: 'a', name: 'x', colour: 1 }))).toMatch(/^1: unknown_column: .*"colour"/)
    expect(await given(() => ({ id: 'a', name: 'x', age: '7' }))).toMatch(/^1: invalid_value: people\.age /)
    const trap = { id: 'a', get name() { throw new Error('a trap') } }
    expect(await given(() => trap)).toBe('1: invalid_change: The mapping threw Error: a trap.')
    const round: Record<string, unknown> = {}
    round.round = round
    expect(await given(() => ({ id: 'a', name: 'x', data: round }))).toMatch(/^1: invalid_value: people\.data must be JSON nested/)
  }) // biome-ignore format: long lines

  it('waits for what is promised, one record after the other, in the order of the file', async () => {
    const events: string[] = []
    const made = await map(records({ id: 1 }, { id: 2 }, { id: 3 }), async ({ id }: { id: number }) => {
      events.push(`begin ${id}`)
      await new Promise((resolve) => setTimeout(resolve, 3 - id))
      events.push(`end ${id}`)
      return id === 2 ? null : { id, name: 'x' }
    })
    expect(events).toEqual([1, 2, 3].flatMap((id) => [`begin ${id}`, `end ${id}`]))
    expect(made).toMatchObject({ found: [[1, { id: '1' }], [3, { id: '3' }]], passed: 1 }) // biome-ignore format: one line
  })

  it('takes the scope and the stamp of a row from what it gives, else from the record, else those of all', async () => {
    const give = ({ id, ...more }: { id: number; scope?: unknown; at?: unknown }) => ({ id, name: 'x', ...more })
    const some = () => records({ id: 1 }, { id: 2, scope: 'bob', at: noon - 1 }, { id: 3, at: '2026-01-31T08:30:00Z' }, { id: 4, scope: null }, { id: 5, at: null })
    const row = { name: 'x' }
    expect((await map(some(), give)).found).toEqual([
      [1, put('1', row)],
      [2, put('2', row, { scope: 'bob', at: noon - 1 })],
      [3, put('3', row, { at: 1_769_848_200_000_000 })],
      '4: invalid_change: "scope" must be text.',
      expect.stringMatching(/^5: invalid_stamp: /),
    ])
    const options = { atHeader: 'written', scopeHeader: 'owner', at: undefined }
    const theirs = records({ id: 1, written: noon - 5, owner: 7 }, { id: 2, written: noon - 5, owner: 'u', scope: 'bob', at: noon - 1 }, { id: 3 }, { id: 4, written: noon })
    const only = ({ id, scope, at }: { id: number; scope?: string; at?: number }) => ({ id, name: 'x', scope, at })
    expect((await map(theirs, only, options)).found).toEqual([
      [1, put('1', row, { scope: '7', at: noon - 5 })],
      [2, put('2', row, { scope: 'bob', at: noon - 1 })],
      '3: invalid_change: The row has no "written".',
      '4: invalid_change: The row has no "owner".',
    ])
    const visits = { table: tableOf('visits') }
    const visit = { id: 'v', at: '2026-01-31T08:30:00.000Z', place: 'x' }
    expect((await map(records(visit), (record) => record, visits)).found).toEqual([
      [1, { table: 'visits', op: 'put', id: 'v', at: noon, row: { at: visit.at, place: 'x' } }],
    ])
  }) // biome-ignore format: long lines

  it('gives a record of JSON with numbers that keep all their digits, and lines as they are pulled as they stand', async () => {
    const exact = lines('{"id":90071992547409931,"debt":0.10000000000000000001}')
    expect((await map(exact, ({ id, debt }: { id: unknown; debt: unknown }) => ({ id: String(id), name: 'x', data: { debt: String(debt) } }))).found)
      .toEqual([[1, put('90071992547409931', { name: 'x', data: { debt: '0.10000000000000000001' } })]])
    const pulled = { scope: 's', table: 'old', op: 'put', id: 'a', at: noon - 9, by: 'phone', position: 3, row: { title: 'x' } }
    const made = await map(records({ rows: 1 }, pulled, { cursor: 'c', more: false }, { cursor: 'mine', id: 'b' }, { rows: 7, mine: 1 }),
      (record: Partial<typeof pulled>) => (record.row ? { id: record.id, scope: record.scope, at: record.at, name: record.row.title } : null))
    expect(made).toEqual({ found: [[2, put('a', { name: 'x' }, { scope: 's', at: noon - 9 })]], passed: 2, last: 5 })
    const arrays = await map(records(['a', 'Ada'], 'text', null), (record) => (Array.isArray(record) ? { id: record[0], name: record[1] } : null))
    expect(arrays).toEqual({ found: [[1, put('a', { name: 'Ada' })]], passed: 2, last: 3 })
  }) // biome-ignore format: long lines

  it.each([
    ['mongo', { _id: { $oid: '65f0' }, n: { $numberLong: '7' }, when: { $date: '2026-01-31T08:30:00Z' } }, { id: '65f0', n: 7, when: '2026-01-31T08:30:00.000Z' }],
    ['firestore', { name: 'projects/p/databases/d/documents/people/k', fields: { n: { integerValue: '5' } } }, { id: 'k', n: 5 }],
    ['couchdb', { seq: '1', id: 't', changes: [{ rev: '1-a' }], doc: { _id: 't', _rev: '1-a', n: 1 } }, { id: 't', n: 1 }],
    ['sqlite', { id: 1, n: 0 }, { id: 1, n: 0 }],
    ['json', { id: 1, n: '0' }, { id: 1, n: '0' }],
  ] as const)('gives a document of %s as plain values', async (from, element, record) => {
    const read = readersOf[from as Origin]
    const seen: unknown[] = []
    await map(records(element), (one) => { seen.push(structuredClone(one)); return null }, { read, isLoose: true })
    const [given] = seen as [Record<string, unknown>]
    expect({ ...given, ...('when' in given && { when: new Date(String(given.when)).toISOString() }) }).toEqual(record)
  }) // biome-ignore format: a table

  it('deletes a document that is gone by its own id, since there is no record to ask about', async () => {
    const gone = { seq: '2', id: 't2', changes: [{ rev: '2-b' }], deleted: true }
    const never = () => expect.unreachable('no record, no call')
    const made = await map(records(gone, { last_seq: '2' }), never, { read: readersOf.couchdb })
    expect(made).toEqual({ found: [[1, { table: 'people', op: 'delete', id: 't2', at: noon }]], passed: 0, last: 2 })
  })

  it('asks for no line that is done with', async () => {
    const asked: number[] = []
    const made = await map(records({ n: 1 }, { n: 2 }, { n: 3 }), ({ n }: { n: number }) => { asked.push(n); return null }, { after: 2 })
    expect([asked, made.passed]).toEqual([[3], 1])
  }) // biome-ignore format: long lines
})

it('P12 chunks of which many changes are made end early, each line in one of them', async () => {
  const few = Array.from({ length: limits.changesMax / 2 }, () => ({}))
  const changes = [few, [], few, [], few]
  const chunks: unknown[] = []
  for await (const { lines: mapped, last, passed } of mapChunks(records(1, 2, 3, 4, 5), ({ line }) => ({ changes: changes[line - 1] ?? [] })))
    chunks.push([mapped.map(({ line }) => line), last, passed])
  expect(chunks).toEqual([[[1, 3], 3, 1], [[5], 5, 1]])
}) // biome-ignore format: long lines

describe('the mapping of an import of CSV', () => {
  const csv = async (file: string, mapRecord: (record: never) => unknown, more: object = {}) => {
    async function* blocks() {
      yield file
    }
    const form = { delimiter: ',', isDelimiterGuessed: true, watch: new NumberWatch(), ...more }
    const chunks = readCsvRecords(blocks(), form, { linesMax: 2, textMax: 1_000 })
    return map(chunks, mapRecord, { isLoose: true, rules: plainRules, ...more })
  }

  it('gives an object of texts by header, whatever the headers are', async () => {
    const seen: unknown[] = []
    const see = (record: unknown) => (seen.push(record) > 0 ? null : undefined)
    expect(await csv('__proto__,"a ""b""",\n1,"x, y",\n"",,"two\nlines"', see)).toMatchObject({ passed: 2, last: 4 })
    expect(seen.map((one) => Object.entries(one as object))).toEqual([
      [['__proto__', '1'], ['a "b"', 'x, y'], ['', '']],
      [['__proto__', ''], ['a "b"', ''], ['', 'two\nlines']],
    ])
  }) // biome-ignore format: long lines

  it('reads texts that it gives for other columns as fields, and leaves a text as it is', async () => {
    const file = 'key,n,yes,note\na,7,t,\nb,,,x\nc,high,t,x\nd\n'
    const give = ({ key, n, yes, note }: Record<string, string>) => ({
      id: key,
      name: 'x',
      age: n,
      is_member: yes,
      note,
    })
    expect((await csv(file, give)).found).toEqual([
      [2, put('a', { name: 'x', age: 7, is_member: true, note: '' })],
      [3, put('b', { name: 'x', age: null, is_member: null, note: 'x' })],
      expect.stringMatching(/^4: invalid_value: people\.age must be an integer/),
      '5: invalid_change: The record has 1 fields, and the header 4. A field that holds "," or a line break stands in quotes.',
    ])
  })

  it('wants the headers that somebody named, and names a delimiter that is another', async () => {
    await expect(csv('a,b\n1,2\n', () => null, { scopeHeader: 'owner' })).rejects.toThrow('The file has no header "owner". It has "a", "b".')
    await expect(csv('a;b\n1;2\n', () => null)).rejects.toThrow(`The file has one header, "a;b". If fields end with ";", write --delimiter ';'.`)
    expect(await csv('a;b\n1;2\n', () => null, { isDelimiterGuessed: false })).toMatchObject({ passed: 1 })
    await expect(csv('', () => null)).rejects.toThrow('The file is empty.')
    expect(await csv('a,b\n', () => null)).toEqual({ found: [], passed: 0, last: 0 })
  }) // biome-ignore format: long lines

  it('ends where numbers that it gives as texts could mean two things', async () => {
    const amounts = defineSchema({ people: { debt: decimal() } }).tablesByName.get('people') as Table
    const give = ({ n, d }: Record<string, string>) => ({ id: n, debt: d })
    await expect(csv('n,d\n1,1.234\n2,"89,90"\n', give, { table: amounts })).rejects.toThrow('The numbers of people.debt could mean either')
  }) // biome-ignore format: long lines
})

describe('the type of what a mapping gives', () => {
  it('has the columns of the table and no other, with an id, and may have a scope and a stamp', () => {
    type Person = ImportRow<typeof schema, 'people'>
    type Visit = ImportRow<typeof schema, 'visits'>
    const one = (row: Person) => row
    one({ id: 'a', name: 'x' })
    one({ id: 7, name: 'x', note: null, age: 1, is_member: true, data: { any: [1] }, scope: 's', at: noon })
    one({ id: 7, name: 'x', at: '2026-01-31T08:30:00Z', scope: undefined })
    // @ts-expect-error no id
    one({ name: 'x' })
    // @ts-expect-error a required column is missing
    one({ id: 'a' })
    // @ts-expect-error a text is no boolean
    one({ id: 'a', name: 'x', is_member: 'yes' })
    // @ts-expect-error no such column
    one({ id: 'a', name: 'x', colour: 'red' })
    // @ts-expect-error no such column, also where one record in two is passed over
    const arrow = (mail: string): Person | null => (mail ? { id: 'a', name: mail, mail } : null)
    // @ts-expect-error no such column
    const waited = async (): Promise<Person | null> => ({ id: 'a', name: 'x', colour: 'red' })
    const visit: Visit = { id: 'v', at: '2026-01-31T08:30:00.000Z', place: 'x' }
    // @ts-expect-error the column of that name is no stamp
    const stamped: Visit = { id: 'v', at: noon, place: 'x' }
    // @ts-expect-error no such table
    type None = ImportRow<typeof schema, 'planets'>
    expect([arrow, waited, visit, stamped, null satisfies None | null]).toHaveLength(5)
  })
})
