import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type CsvForm, type CsvRecord, readCsv } from '../../../src/bulk/csv/csv.ts'
import { plainField } from '../../../src/bulk/csv/value.ts'
import { readTextBlocks } from '../../../src/bulk/text-blocks.ts'
import { limits } from '../../../src/model/limits.ts'

async function read(
  input: string | Uint8Array,
  size = 7,
  delimiter = ',',
  more: Partial<CsvForm> = {},
): Promise<CsvRecord[]> {
  const records: CsvRecord[] = []
  const blocks = readTextBlocks(
    cut(typeof input === 'string' ? Buffer.from(input) : input, size),
    limits.changeBytesMax,
  )
  for await (const block of readCsv(blocks, { delimiter, ...more })) records.push(...block.records)
  return records
}
const fieldsOf = (records: readonly CsvRecord[]) => records.map(({ fields }) => fields.map(plainField))
const faultsOf = (records: readonly CsvRecord[]) =>
  records.map(({ line, fields, error }) => [line, error?.code ?? fields.join('|')])

async function* cut(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size)
}

describe('a CSV file', () => {
  it.each([
    ['plain', 'a,b\n1,2\n', [['a', 'b'], ['1', '2']]], // biome-ignore format: a table
    ['without a last line break', 'a,b\n1,2', [['a', 'b'], ['1', '2']]], // biome-ignore format: a table
    ['with CRLF and a byte order mark', '\ufeffa,b\r\n1,2\r\n', [['a', 'b'], ['1', '2']]], // biome-ignore format: a table
    ['with quotes', 'a,"b,""c"""\n"",\n', [['a', 'b,"c"'], ['', '']]], // biome-ignore format: a table
    ['with line breaks in fields', 'a,"b\nc"\r\n"d\r\ne","f"', [['a', 'b\nc'], ['d\r\ne', 'f']]], // biome-ignore format: a table
    ['with empty lines', '\na,b\n\n\n1,2\n\n', [['a', 'b'], ['1', '2']]], // biome-ignore format: a table
    ['with quotes inside of fields without', 'a,5" b\n"5""",6\n', [['a', '5" b'], ['5"', '6']]], // biome-ignore format: a table
    ['with a byte order mark inside', 'a,\ufeffb\n\ufeffc,d\n', [['a', '\ufeffb'], ['\ufeffc', 'd']]], // biome-ignore format: a table
    ['with lines of two systems', 'a,b\nc,d\r\n"e","f\r\n"\ng,h\r\n', [['a', 'b'], ['c', 'd'], ['e', 'f\r\n'], ['g', 'h']]], // biome-ignore format: a table
    ['of an old Mac', 'a,b\r1,"c\rd"\r2,e', [['a', 'b'], ['1', 'c\rd'], ['2', 'e']]], // biome-ignore format: a table
    ['with lines of three systems', 'a,b\r\n1,"x\ny"\n2,3\r4,"5\r\n"\r\r\n6,"a ""q"", b"\n', [['a', 'b'], ['1', 'x\ny'], ['2', '3'], ['4', '5\r\n'], ['6', 'a "q", b']]], // biome-ignore format: a table
    ['with what looks like an empty field in quotes', 'a,"b,"",""","""",""\n"\n""\n",2,3,4,5', [['a', 'b,","', '"', ''], ['\n"\n', '2', '3', '4', '5']]], // biome-ignore format: a table
    ['with characters whose halves look like marks', 'a,"b📽"""\n"📽","",📽', [['a', 'b📽"'], ['📽', '', '📽']]], // biome-ignore format: a table
    ['with a mark before a header in quotes', '\ufeff"a","b"\r\n1,2', [['a', 'b'], ['1', '2']]], // biome-ignore format: a table
    ['empty', '', []],
    ['of a mark alone', '\ufeff', []],
  ])('%s, wherever it is cut', async (_, text, expected) => {
    for (const size of [1, 2, 3, 5, 1000]) expect(fieldsOf(await read(text, size))).toEqual(expected)
  })

  it('with tabs or semicolons', async () => {
    expect(fieldsOf(await read('a;"b;c"\n', 3, ';'))).toEqual([['a', 'b;c']])
    expect(fieldsOf(await read('a\tb,c\n', 3, '\t'))).toEqual([['a', 'b,c']])
  })

  it('of any text comes back as it was written, with the lines that each record stands in', async () => {
    const field = fc.oneof(
      fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed()),
      fc.stringMatching(/^[",\r\na ]{0,6}$/),
    )
    const file = fc.record({
      records: fc.array(fc.array(field, { minLength: 2, maxLength: 4 }), { minLength: 1, maxLength: 12 }),
      newline: fc.constantFrom('\n', '\r\n', '\r'),
      isQuoted: fc.boolean(),
      size: fc.integer({ min: 1, max: 40 }),
    })
    await fc.assert(
      fc.asyncProperty(file, async ({ records, newline, isQuoted, size }) => {
        const quoted = (text: string) =>
          isQuoted || /[",\r\n]|^\ufeff/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
        const text = records.map((fields) => fields.map(quoted).join(',') + newline)
        let line = 1
        const lines = text.map((one) => {
          const first = line
          line += one.slice(0, -newline.length).split('\n').length
          return { line: first, last: line - 1 }
        })
        const expected = records.map((fields, place) => ({ fields, ...lines[place] }))
        const found = await read(text.join(''), size)
        const plain = found.map(({ line, last, fields }) => ({ line, last, fields: fields.map(plainField) }))
        expect(plain).toEqual(expected)
        // What is rejected is kept as it came.
        expect(found.map((record) => `${record.text}${newline}`)).toEqual(text)
      }),
    )
  })

  it('tells an empty field in quotes, and a word for null in quotes, from one without', async () => {
    const text = 'a,b,c\n,"",NULL\n"NULL","\\N",\\N\n"x ""NULL"" y","",""\n'
    for (const size of [1, 3, 1000]) {
      const records = await read(text, size, ',', { nulls: new Set(['NULL', '\\N']) })
      expect(records.map(({ fields }) => fields.map((field) => plainField(field) !== field))).toEqual([
        [false, false, false],
        [false, true, false],
        [true, true, false],
        [false, true, true],
      ])
      expect(fieldsOf(records).at(-1)).toEqual(['x "NULL" y', '', ''])
      expect(records.map((record) => record.text)).toEqual(text.trimEnd().split('\n'))
    }
  })

  it.each([
    ['sep=;\r\na;b\r\n1;2\r\n', ';'],
    ['SEP=;\na;b\n1;2', ';'],
    ['"sep=;"\na;b\n1;2', ';'],
    ['sep=\\t\na\tb\n1\t2', '\t'],
    ['\ufeffsep=\t\na\tb\n1\t2', '\t'],
    ['sep=|\ra|b\r1|2', '|'],
  ])('with a first line that says what fields end with: %j', async (text, delimiter) => {
    for (const [given, isGuessed] of [[',', true], [delimiter, false]] as const) {
      const records = await read(text, 1000, given, { isGuessed })
      expect(records.map(({ line, fields }) => [line, ...fields])).toEqual([
        [2, 'a', 'b'],
        [3, '1', '2'],
      ])
    } // biome-ignore format: a loop
    await expect(read(text, 1000, ':')).rejects.toThrow(/^The first line says that fields end with .*--delimiter/)
  })

  it('P12 with broken quotes loses the lines of those alone', async () => {
    const text = 'id,title\n1,"one" two\n2,two\n3,"three\n4,four\n5,"fi\nve"\n6,"six" "\n7,seven\n8,"eight'
    const expected = [
      [1, 'id|title'],
      [2, 'invalid_change'],
      [3, '2|two'],
      [4, 'invalid_change'],
      [5, '4|four'],
      [6, '5|fi\nve'],
      [8, 'invalid_change'],
      [9, '7|seven'],
      [10, 'invalid_change'],
    ]
    for (const size of [1, 4, 11, 1000]) expect(faultsOf(await read(text, size))).toEqual(expected)
    expect((await read(text)).find(({ line }) => line === 4)?.text).toBe('3,"three')
  })

  it('P12 with broken quotes in many lines costs little more for each', async () => {
    const lines = Array.from({ length: 30_000 }, (_, n) =>
      n % 10 === 9 ? `${n},"broken" quotes` : `"${n}","${'long '.repeat(n % 7)}${n}"`,
    )
    const began = process.cpuUsage()
    const records = await read(`${lines.join('\r\n')}\r\n`, 256 * 1024)
    expect(records).toHaveLength(30_000)
    for (const [n, { line, fields, error }] of records.entries()) {
      expect([line, fields[0] ?? error?.code]).toEqual([n + 1, n % 10 === 9 ? 'invalid_change' : String(n)])
    }
    const allBroken = Array.from({ length: 20_000 }, (_, n) => `${n},"broken" quotes`).join('\n')
    expect((await read(allBroken, 256 * 1024)).filter(({ error }) => error)).toHaveLength(20_000)
    expect(process.cpuUsage(began).user / 1000).toBeLessThan(5_000)
  })

  it('P12 with broken quotes reads on in small pieces, wherever those end', async () => {
    for (let pad = 0; pad < 30; pad++) {
      const rows = Array.from({ length: 300 }, (_, n) => `"${n}" ,"row ${n}" `)
      const text = ['"1" broken', `"${'x'.repeat(pad)}","first"`, ...rows].map((row) => `${row}\r\n`).join('')
      expect((await read(text, 1e6)).map(({ line, error }) => error && line).filter(Boolean)).toEqual([1])
    }
  })

  it('P12 with bytes that are no UTF-8 loses the records of those alone', async () => {
    const bytes = Buffer.concat([Buffer.from('a,b\n1,'), Buffer.from([0xe9, 0x20]), Buffer.from('\n2,é\ufffd\n"x\n'), Buffer.from([0xff]), Buffer.from('",3\n4,5')]) // biome-ignore format: one text
    const expected = [[1, 'a|b'], [2, 'invalid_change'], [3, '2|é\ufffd'], [4, 'invalid_change'], [6, '4|5']] // biome-ignore format: a table
    for (const size of [1, 5, 1000]) expect(faultsOf(await read(bytes, size))).toEqual(expected)
  })

  it('P12 with a line of 10 MB, or a quote that is never closed, loses no more, and holds no more', async () => {
    const long = 'x'.repeat(10 << 20)
    const rows = Array.from({ length: 40_000 }, (_, n) => `${n},row number ${n}\n`).join('')
    const text = `a,b\n1,${long}\n2,two\n"3\n${rows}`
    const records = await read(text, 64 * 1024)
    expect(faultsOf(records).slice(0, 6)).toEqual([
      [1, 'a|b'],
      [2, 'too_large'],
      [3, '2|two'],
      [4, 'invalid_change'],
      [5, '0|row number 0'],
      [6, '1|row number 1'],
    ])
    expect(faultsOf(records).at(-1)).toEqual([40_004, '39999|row number 39999'])
    expect(records).toHaveLength(40_004)
  })
})
