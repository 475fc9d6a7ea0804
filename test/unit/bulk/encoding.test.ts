import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { findEncoding, readEncoding, toUtf8 } from '../../../src/bulk/encoding.ts'
import { sayKind } from '../../../src/bulk/file-kind.ts'

async function* cut(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size)
}
async function read(bytes: Uint8Array, size: number, named?: string): Promise<string> {
  const found: Uint8Array[] = []
  for await (const block of toUtf8(cut(bytes, size), findEncoding(bytes, named, 'a.csv'), 'a.csv')) found.push(block)
  return Buffer.concat(found).toString()
}
const utf16 = (text: string, isBig = false) => {
  const bytes = Buffer.from(text, 'utf16le')
  return isBig ? bytes.swap16() : bytes
}
const text = 'id;title\r\n1;Müller €🏔\r\n'

describe('a file of text', () => {
  it.each([
    ['UTF-8', Buffer.from(text), undefined, text],
    ['UTF-8 with a mark', Buffer.from(`\ufeff${text}`), undefined, `\ufeff${text}`],
    ['UTF-8 with a mark, whatever was named', Buffer.from(`\ufeff${text}`), 'windows-1252', `\ufeff${text}`],
    ['UTF-16 with a mark', utf16(`\ufeff${text}`), undefined, text],
    ['UTF-16 big end first, with a mark', utf16(`\ufeff${text}`, true), undefined, text],
    ['UTF-16 without a mark', utf16(text), 'utf-16le', text],
    ['UTF-16 big end first, without a mark', utf16(text, true), 'utf-16be', text],
    ['Windows-1252', Buffer.from([0x4d, 0xfc, 0x80, 10]), 'windows-1252', 'Mü€\n'],
    ['Latin 1, which the web reads as Windows-1252', Buffer.from([0xe9]), readEncoding('ISO-8859-1'), 'é'],
    ['of an old Mac', Buffer.from([0x4d, 0x9f, 13]), readEncoding('macintosh'), 'Mü\r'],
    ['Shift JIS', Buffer.from([0x93, 0xfa, 0x96, 0x7b]), 'shift_jis', '日本'],
    ['empty', Buffer.alloc(0), undefined, ''],
  ])('%s is read, wherever it is cut', async (_, bytes, named, expected) => {
    for (const size of [1, 2, 3, 5, 1000]) expect(await read(bytes, size, named)).toBe(expected)
  })

  it('that is not in its encoding ends with the line and the byte, wherever it is cut', async () => {
    const cases = [
      [Buffer.from('id\n1;M\xfcller\n', 'latin1'), undefined, /^a\.csv is not UTF-8: line 2, byte 7 of the file, .* --encoding windows-1252 /],
      [Buffer.from('id\r1;\xfcb\r', 'latin1'), undefined, /line 2, byte 6 of /],
      [Buffer.concat([Buffer.from('ü\n'), Buffer.from([0xc3])]), undefined, /line 2, byte 4 of /],
      [Buffer.from([0x61, 0xe2, 0x82]), undefined, /line 1, byte 2 of /],
      [Buffer.concat([utf16('\ufeffa\n'), Buffer.from([0, 0xdc, 0x62, 0])]), undefined, /^a\.csv is not utf-16le: line 2, byte /],
      [Buffer.from([0x61, 10, 0x93]), 'shift_jis', /^a\.csv is not shift_jis: line 2, byte /],
    ] as const // biome-ignore format: a table
    for (const [bytes, named, message] of cases)
      for (const size of [1, 2, 3, 1000]) await expect(read(bytes, size, named)).rejects.toThrow(message)
    await expect(read(Buffer.from([0xff, 0xfe, 0, 0]), 4)).rejects.toThrow('is UTF-32')
  })

  it('of any bytes ends at the same place, wherever it is cut', async () => {
    const piece = fc.oneof(fc.constantFrom('é', '\n', '🏔', 'a').map((one) => Buffer.from(one)), fc.uint8Array({ maxLength: 2 })) // biome-ignore format: one line
    const whole = fc.array(piece, { maxLength: 20 }).map((some) => Buffer.concat(some))
    const outcome = (bytes: Uint8Array, size: number) => read(bytes, size).catch((error: Error) => error.message)
    await fc.assert(
      fc.asyncProperty(whole, fc.integer({ min: 1, max: 9 }), async (bytes, size) => {
        const all = await outcome(bytes, 1e6)
        expect(await outcome(bytes, size)).toBe(all)
        const isGood = !/ is not /.test(all)
        if (bytes[0] !== 0xff && bytes[0] !== 0xfe) expect(isGood).toBe(Buffer.from(bytes.toString()).equals(bytes))
      }),
      { numRuns: 400 },
    )
  })

  it('in an encoding that nobody knows is refused by name', () => {
    expect(() => readEncoding('cp850')).toThrow(/^--encoding cp850 is none that is known here\. .* iconv -f … -t utf-8/)
  })
})

it.each([
  ['PK\x03\x04\x14\0', /^is a zip archive, as \.xlsx /],
  ['\xd0\xcf\x11\xe0\xa1', /^is an \.xls of Excel/],
  ['\x1f\x8b\x08', /^is gzip\. Give it a name that ends in \.gz/],
  ['%PDF-1.7\n', /^is a PDF/],
  ['<!DOCTYPE html>\n<html>', /^is an HTML page/],
  ['\xef\xbb\xbf\n<HTML lang="en">', /^is an HTML page/],
  ['<?xml version="1.0"?>', /^is XML/],
  ['SQLite format 3\0', /^is an SQLite database\. .* --from sqlite/],
  ['PGDMP\x01\x0e', /^is a dump of pg_dump/],
  ['i\0d\0,\0t\0i\0t\0l\0e\0\n\0', /--encoding utf-16le\.$/],
  ['\0i\0d\0,\0t\0i\0t\0l\0e\0\n', /--encoding utf-16be\.$/],
  ['\x01\0\x02\x03\0\x05abc', /^is no text but a binary file/],
])('a file that begins with %j is named', (head, message) => {
  expect(sayKind(Buffer.from(head, 'latin1'), false)).toMatch(message)
})

it.each(['id,title\n', 'PKZ,title\n', 'PAR1,x\n', '{"id":1}', '', 'id,title\n1,a\0b\n'])(
  '%j is taken for text',
  (head) => {
    expect(sayKind(Buffer.from(head), false)).toBeUndefined()
  },
)
