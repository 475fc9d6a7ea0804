import { describe, expect, it } from 'vitest'
import { type CsvOptions, readCsvLines } from '../../../src/bulk/csv/lines.ts'
import { booleanWords, plainRules } from '../../../src/bulk/csv/value.ts'
import { decodeChange } from '../../../src/model/change.ts'
import { boolean, bytes, decimal, integer, json, real, text, timestamp, uuid } from '../../../src/model/column.ts'
import { defineSchema } from '../../../src/model/define-schema.ts'
import type { Table } from '../../../src/model/table.ts'
import { noon } from '../../support/sample.ts'

const schema = defineSchema({
  wide: {
    name: text(),
    note: text({ nullable: true }),
    kind: text({ default: 'plain' }),
    count: integer({ nullable: true }),
    size: real({ default: 1.5 }),
    done: boolean({ nullable: true }),
    data: json({ nullable: true }),
    seen: timestamp({ nullable: true }),
    sharp: timestamp({ digits: 6, nullable: true }),
    cost: decimal({ nullable: true }),
    ref: uuid({ nullable: true }),
    raw: bytes({ nullable: true }),
  },
  strict: { count: integer(), data: json({ default: {} }) },
})

/** The changes that a file makes: the row of each, or the code of its rejection. */
async function read(csv: string, options: Partial<CsvOptions> = {}, table = 'wide') {
  async function* blocks() {
    yield csv
  }
  const all: CsvOptions = {
    table: schema.tablesByName.get(table) as Table,
    ...{ at: noon, headers: new Map(), ignore: [], delimiter: ',', ...options },
  }
  const found: { line: number; id?: unknown; at?: unknown; scope?: unknown; row?: unknown; error?: string }[] = []
  for await (const { lines } of readCsvLines(blocks(), all, { linesMax: 2, textMax: 1e6 })) {
    for (const { line, value, error } of lines) {
      const context = { schema, now: noon, clockDriftMsMax: 0, measure: true }
      const fault = error ?? decodeChange(value, 0, context).error
      const { id, at, row, scope } = (value ?? {}) as Record<string, unknown>
      const change = { id, at, row, ...(scope !== undefined && { scope }) }
      found.push({ line, ...(fault ? { error: `${fault.code}: ${fault.detail}` } : change) })
    }
  }
  return found
}
async function scopesOf(csv: string, options: Partial<CsvOptions>): Promise<unknown[]> {
  return (await read(csv, options)).map(({ scope }) => scope)
}
/** What a column makes of a field. */
async function fieldValue(column: string, field: string, table = 'wide'): Promise<unknown> {
  const required =
    table === 'wide' && column !== 'name' ? ',name' : table === 'strict' && column !== 'count' ? ',count' : ''
  const quoted = field === '' ? '' : `"${field.replaceAll('"', '""')}"`
  const csv = `id,${column}${required}\nx,${quoted}${required && ',1'}\n`
  const [line] = await read(csv, {}, table)
  return line?.error ?? Object(line?.row)[column]
}

describe('a record of a CSV file', () => {
  it.each([
    ['name', 'Zürich 🏔\n', 'Zürich 🏔\n'],
    ['name', '', ''],
    ['name', ' 5 ', ' 5 '],
    ['note', '', null],
    ['kind', '', 'plain'],
    ['count', '', null],
    ['count', '-42', -42],
    ['count', '007', 7],
    ['count', '-0', 0],
    ['count', '9007199254740991', 9007199254740991],
    ['size', '', 1.5],
    ['size', '-1.50', -1.5],
    ['size', '.5e-3', 0.0005],
    ['size', '3', 3],
    ['done', '', null],
    ['done', 'TRUE', true],
    ['done', 'f', false],
    ['done', '1', true],
    ['data', '', null],
    ['data', '{"a":[1,null]}', { a: [1, null] }],
    ['data', '"text"', 'text'],
    ['data', 'null', null],
    ['seen', '2026-01-31T08:30:00Z', '2026-01-31T08:30:00.000Z'],
    ['seen', '2026-01-31 08:30:00.120000+01', '2026-01-31T07:30:00.120Z'],
    ['seen', '2026-01-31T00:30+05:30', '2026-01-30T19:00:00.000Z'],
    ['seen', '2026-01-31 08:30:00+00', '2026-01-31T08:30:00.000Z'],
    ['seen', '1890-01-01 00:00:00+00:53:28', '1889-12-31T23:06:32.000Z'],
    ['sharp', '2026-01-31 08:30:00.123456+00', '2026-01-31T08:30:00.123456Z'],
    ['sharp', '2026-01-31t08:30:00+05:30', '2026-01-31T03:00:00.000Z'],
    ['cost', '1.10', '1.10'],
    ['cost', '-007.5', '-7.5'],
    ['cost', '+.5e3', '500'],
    ['cost', '-0.00', '0.00'],
    ['cost', '12345678901234567.89', '12345678901234567.89'],
    ['size', '0.30000000000000004', 0.30000000000000004],
    ['size', '100e-2', 1],
    ['ref', '2F1C7B7E-0000-4000-8000-0123456789AB', '2f1c7b7e-0000-4000-8000-0123456789ab'],
    ['raw', '-_8', '-_8'],
    ['raw', '+/8=', '-_8'],
  ])('makes of %s %j the value %j', async (column, field, expected) => {
    expect(await fieldValue(column, field)).toEqual(expected)
  })

  it.each([
    ['name', 'a\0b'],
    ['count', '5.0'],
    ['count', ' 5'],
    ['count', '0x10'],
    ['count', '9007199254740993'],
    ['size', '1,5'],
    ['size', 'Infinity'],
    ['size', '1e999'],
    ['size', '9007199254740993'],
    ['size', '12345678901234567.89'],
    ['size', '1e-400'],
    ['data', '{"a":[0.1234567890123456789]}'],
    ['data', '9007199254740993'],
    ['cost', '1,5'],
    ['cost', 'NaN'],
    ['cost', '1e99999'],
    ['seen', '2026-02-29 08:30:00+00'],
    ['seen', 'infinity'],
    ['seen', '0044-03-15 00:00:00+00 BC'],
    ['seen', '2026-01-31T24:00:00Z'],
    ['seen', '2026-01-31T23:59:60Z'],
    ['sharp', '2026-01-31T08:30:00.1234567Z'],
    ['done', 'yes'],
    ['data', '{a:1}'],
    ['seen', '2026-01-31'],
    ['seen', '2026-01-31T08:30:00'],
    ['seen', '2026-06-31T08:30:00Z'],
    ['seen', '2026-01-31T08:30:00.123456Z'],
    ['ref', 'x'],
    ['raw', '%'],
  ])('P12 rejects alone, for %s, %j', async (column, field) => {
    expect(await fieldValue(column, field)).toMatch(new RegExp(`^invalid_value: wide\\.${column} must be `))
  })

  it('P12 says that it is the day, or the digits, that are wrong with a time', async () => {
    expect(await fieldValue('seen', '2026-02-30 08:30:00.123456+00')).toMatch(/must be a time of a day that there is/)
    expect(await fieldValue('seen', '2026-01-31 08:30:00.123456+00')).toMatch(/at most 3 digits .* has 6: cut or round/)
  })

  it('takes an empty field in quotes for empty text, as Postgres writes it, where the column is text', async () => {
    const csv = 'id,name,note,kind,count,size\n1,"","","","",""\n2,,,,,\n'
    expect((await read(csv)).map(({ row }) => row)).toEqual([
      { name: '', note: '', kind: '', count: null, size: 1.5 },
      { name: '', note: null, kind: 'plain', count: null, size: 1.5 },
    ])
    const rules = { ...plainRules, emptyAsText: true }
    expect((await read(csv, { rules })).map(({ row }) => row)).toEqual([
      { name: '', note: '', kind: '', count: null, size: 1.5 },
      { name: '', note: '', kind: '', count: null, size: 1.5 },
    ])
  })

  it('takes words for null, but not in quotes, and words for true and false', async () => {
    const rules = {
      ...plainRules,
      nulls: new Set(['\\N', 'NULL']),
      booleans: new Map([...booleanWords, ['ja', true], ['nein', false]]),
    }
    const csv = 'id,name,note,kind,count,done\n1,x,\\N,NULL,NULL,Ja\n2,"NULL","\\N",x,"NULL",nein\n3,NULL,x,x,1,1\n'
    const [first, second, third] = await read(csv, { rules })
    expect(first?.row).toEqual({ name: 'x', note: null, kind: 'plain', count: null, done: true })
    expect(second?.error).toMatch(/^invalid_value: wide\.count must be an integer/)
    expect(third?.error).toBe('invalid_value: wide.name must not be null.')
    const [fourth] = await read('id,name,note,done\n2,"NULL","\\N",nein\n', { rules })
    expect(fourth?.row).toEqual({ name: 'NULL', note: '\\N', done: false })
  })

  it.each([
    ['done', 'ja', /must be true or false: such as true, t, 1, false, f, 0 in a file\. .*--true yes --false no\.$/],
    ['size', '$5', /must be a finite number: this one has a sign or name of a currency/],
    ['seen', '2026-01-31 08:30:00', /: this one has no zone, such as Z or \+01:00\.$/],
    ['seen', '2026-01-31', /: this one is a day without a time\.$/],
  ])('P12 says what is wrong with %s %j', async (column, field, message) => {
    expect(await fieldValue(column, field)).toMatch(message)
  })

  it('takes numbers as they are said to be written', async () => {
    const rules = { ...plainRules, numbers: { decimal: ',', group: '.', isTold: true } } as const
    const csv = 'id;name;count;size\n1;x;1.234;12.345,67\n2;x;7;-0,5\n3;x;1,5;1\n4;x;1;1.5\n'
    expect((await read(csv, { rules, delimiter: ';' })).map(({ row, error }) => row ?? error?.split(':')[0])).toEqual([
      { name: 'x', count: 1234, size: 12345.67 },
      { name: 'x', count: 7, size: -0.5 },
      'invalid_value',
      'invalid_value',
    ])
  })

  it('ends where a thousand and a thousandth look the same, before the lines that hold them are given', async () => {
    await expect(read('id;name;size\n1;x;1.234\n2;x;89,90\n', { delimiter: ';' })).rejects.toThrow(
      /^The numbers of wide\.size could mean either: line 2 has .*, and line 3 \(wide\.size\) shows/,
    )
    await expect(read('id;name;size;count\n1;x;1.234;\n2;x;1;5.000\n', { delimiter: ';' })).rejects.toThrow(
      /line 3 \(wide\.count\)/,
    )
  })

  it('takes the scope of each record from a column, which may be one of the table too', async () => {
    const csv = 'id,name,owner\n1,one,alice\n2,two,\n'
    expect(await scopesOf(csv, { scopeHeader: 'owner' })).toEqual(['alice', ''])
    expect(await scopesOf(csv.replace('owner', 'note'), { scopeHeader: 'note' })).toEqual(['alice', ''])
    await expect(read(csv, { scopeHeader: 'user' })).rejects.toThrow('The file has no header "user".')
  })

  it('P12 rejects an empty field of a required column that is no text', async () => {
    expect(await fieldValue('count', '', 'strict')).toMatch(/^invalid_value: strict\.count must be an integer/)
    expect(await fieldValue('data', '', 'strict')).toEqual({})
  })

  it('P12 rejects alone a record with too many or too few fields, and an id that is none', async () => {
    const lines = await read('id,name\n1,one\n2\n3,three,3\n,four\n"5\n",five\n6,six\n')
    expect(lines.map(({ line, id, error }) => [line, id ?? error?.split('.')[0]])).toEqual([
      [2, '1'],
      [3, 'invalid_change: The record has 1 fields, and the header 2'],
      [4, 'invalid_change: The record has 3 fields, and the header 2'],
      [5, expect.stringMatching(/^invalid_id: /)],
      [6, expect.stringMatching(/^invalid_id: /)],
      [8, '6'],
    ])
  })

  it('takes columns by other headers, and passes over those that it is told to', async () => {
    const csv = 'key,Name of it,note,count,x y\n1,one,two,3,4\n'
    const headers = new Map([['id', 'key'], ['name', 'Name of it'], ['kind', 'note']]) // biome-ignore format: a list
    const expected = [{ line: 2, id: '1', at: noon, row: { name: 'one', kind: 'two', count: 3 } }]
    expect(await read(csv, { headers, ignore: ['x y'] })).toEqual(expected)
    expect(await read(csv, { headers, ignore: 'others' })).toEqual(expected)
    const [line] = await read(csv, { headers, ignore: ['x y', 'count'] })
    expect(line?.row).toEqual({ name: 'one', kind: 'two' })
  })

  it('P10 takes a stamp for each, in microseconds or as a time', async () => {
    const csv = `id,name,at\n1,one,${noon - 5}\n2,two,2026-11-21T01:00:00.000001Z\n3,three,\n4,four,${noon + 1}\n5,x,soon\n`
    expect((await read(csv, { atHeader: 'at' })).map(({ at, error }) => at ?? error?.split(':')[0])).toEqual([
      noon - 5,
      noon - 3_600_000_000 + 1,
      'invalid_stamp',
      'clock_ahead',
      'invalid_stamp',
    ])
  })

  it.each([
    ['', {}, 'The file is empty. A CSV file begins with a line of headers.'],
    ['id,name,name\n', {}, 'The header "name" stands twice.'],
    ['id,name,nmae,a b\n', {}, /^wide has no column for the headers "nmae", "a b"\. It has id, name, .*\. Write --map column=nmae for .* --ignore nmae; --ignore-others /],
    ["id,name,it's\n", {}, /--ignore 'it'\\''s';/],
    ['id;name\n', {}, /^wide has no column for the header "id;name"\. .* write --delimiter ';'\.$/],
    ['id\tname\n', {}, /write --delimiter tab\.$/],
    ['name\n', {}, 'The file has no header "id". Write --map id=name with the header of the ids.'],
    ['id,note\n', {}, /^wide\.name is required, and no header stands for it\. Write --map name=… with one of "id", "note"\.$/],
    ['id,name\n', { headers: new Map([['nmae', 'name']]) }, /^--map nmae=…: wide has no column "nmae"\. It has id, name, /],
    ['id,name\n', { headers: new Map([['note', 'x']]) }, 'The file has no header "x". It has "id", "name".'],
    ['id,name\n', { ignore: ['x'] }, 'The file has no header "x". It has "id", "name".'],
    ['id,name\n', { atHeader: 'x' }, 'The file has no header "x". It has "id", "name".'],
    ['id,"name\n', {}, /^The first line is no header\. The quotes /],
  ] as const)('has no place under the header %j with %j', async (csv, options, message) => {
    await expect(read(csv, options)).rejects.toThrow(message)
  }) // biome-ignore format: a table
})
