import { randomBytes } from 'node:crypto'
import { crc32, deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { decodeBody, decodeLong, type Encoding, readEncoding } from '../../../src/http/encoding.ts'
import { type Inflate, standardInflate } from '../../../src/http/inflate.ts'
import { Problem } from '../../../src/model/errors.ts'
import { limits } from '../../../src/model/limits.ts'
import { nodeInflate } from '../../../src/runtime/zlib-inflate.ts'

async function* inSteps(bytes: Uint8Array, step: number) {
  for (let from = 0; from < bytes.length; from += step) yield bytes.subarray(from, from + step)
}
async function decodeBy(inflate: Inflate, bytes: Uint8Array, encoding: Encoding, step = 1e9): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of decodeBody({ bytes: inSteps(bytes, step), inflate }, encoding)) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}
const codeOf = (error: unknown) => (error instanceof Problem ? error.code : error)

/** A gzip with the optional fields of RFC 1952 that are asked for. */
function gzipWith(text: string, { extra = '', name = '', comment = '', headerCrc = false }): Buffer {
  const flags = (headerCrc ? 2 : 0) | (extra ? 4 : 0) | (name ? 8 : 0) | (comment ? 16 : 0)
  const size = Buffer.from([extra.length & 255, extra.length >> 8])
  const header = Buffer.concat([
    Buffer.from([0x1f, 0x8b, 8, flags, 1, 2, 3, 4, 0, 3]),
    ...(extra ? [size, Buffer.from(extra)] : []),
    ...(name ? [Buffer.from(`${name}\0`)] : []),
    ...(comment ? [Buffer.from(`${comment}\0`)] : []),
  ])
  const sum = crc32(header)
  const crc = headerCrc ? Buffer.from([sum & 255, (sum >> 8) & 255]) : Buffer.alloc(0)
  // The end of a plain gzip: its sum and length.
  return Buffer.concat([header, crc, deflateRawSync(text), gzipSync(text).subarray(-8)])
}

describe('the encoding of a body', () => {
  it.each([
    [undefined, 'identity'],
    ['', 'identity'],
    ['identity', 'identity'],
    ['Identity', 'identity'],
    ['gzip', 'gzip'],
    [' GZip ', 'gzip'],
    ['x-gzip', 'gzip'],
    ['X-GZIP', 'gzip'],
    ['deflate', 'deflate'],
    ['DEFLATE', 'deflate'],
  ])('%s is taken', (value, encoding) => {
    expect(readEncoding(new Headers(value === undefined ? {} : { 'Content-Encoding': value }))).toBe(encoding)
  })

  it.each([
    'br',
    'zstd',
    'compress',
    'gzip, gzip',
    'gzip, identity',
    'identity,gzip',
    'deflate;q=1',
    'gzipp',
    'x-deflate',
  ])('%s is refused, and the answer says which are taken', (value) => {
    let fault: unknown
    try {
      readEncoding(new Headers({ 'Content-Encoding': value }))
    } catch (error) {
      fault = error
    }
    expect(fault).toMatchObject({ code: 'unsupported_media_type', headers: { 'Accept-Encoding': 'gzip, deflate' } })
    expect(String(fault)).toContain('gzip, deflate (in the format of zlib) or identity')
  })
})

describe.each([
  ['zlib', nodeInflate, 4],
  // To most runtimes a gzip has one member.
  ['the standard’s stream', standardInflate, 1],
])('a body that is inflated by %s', (_, inflate, membersMax) => {
  const decode = (bytes: Uint8Array, encoding: Encoding, step?: number) => decodeBy(inflate, bytes, encoding, step)

  it('takes every member and field that RFC 1952 allows, wherever the bytes are cut', async () => {
    const fields = fc.record({
      extra: fc.string({ unit: 'grapheme-ascii', maxLength: 9 }),
      name: fc.constantFrom('', 'a', 'a file.json'),
      comment: fc.constantFrom('', 'as it was'),
      headerCrc: fc.boolean(),
    })
    const members = fc.array(fc.tuple(fc.string({ unit: 'grapheme' }), fields), { minLength: 1, maxLength: membersMax })
    await fc.assert(
      fc.asyncProperty(members, fc.integer({ min: 1, max: 40 }), async (some, step) => {
        const bytes = Buffer.concat(some.map(([text, more]) => gzipWith(text, more)))
        expect(await decode(bytes, 'gzip', step)).toBe(some.map(([text]) => text).join(''))
      }),
      { numRuns: 60 },
    )
  })

  it('takes deflate, wherever the bytes are cut', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 40 }), async (text, step) => {
        expect(await decode(deflateSync(text), 'deflate', step)).toBe(text)
      }),
      { numRuns: 40 },
    )
  })

  const zip = gzipSync('{"a":1}')
  const wrongHeaderSum = gzipWith('{}', { name: 'a', headerCrc: true })
  wrongHeaderSum[10] = 98
  const wrongSum = Buffer.from(zip)
  wrongSum[zip.length - 5] = (wrongSum[zip.length - 5] ?? 0) ^ 1
  it.each<[string, Encoding, Uint8Array]>([
    ['nothing', 'gzip', Buffer.alloc(0)],
    ['no gzip', 'gzip', Buffer.from('{"a":1}')],
    ['a gzip that is cut', 'gzip', zip.subarray(0, -1)],
    ['a gzip that is cut within its second member', 'gzip', Buffer.concat([zip, zip.subarray(0, 7)])],
    ['a gzip with something behind it', 'gzip', Buffer.concat([zip, Buffer.from('x')])],
    ['a gzip with a wrong sum', 'gzip', wrongSum],
    ['a gzip with a wrong sum of its header', 'gzip', wrongHeaderSum],
    ['a deflate as gzip', 'gzip', deflateSync('{}')],
    ['a gzip as deflate', 'deflate', zip],
    ['a deflate that is cut', 'deflate', deflateSync('{"a":1}').subarray(0, -1)],
    ['a deflate with something behind it', 'deflate', Buffer.concat([deflateSync('{}'), Buffer.from('x')])],
    ['a deflate without the format of zlib', 'deflate', deflateRawSync('{"a":1}')],
  ])('refuses %s', async (_, encoding, bytes) => {
    for (const step of [1, 5, 1e9])
      expect(await decode(bytes, encoding, step).catch(codeOf), `in steps of ${step}`).toBe('malformed')
  })

  it('ends with what is wrong with the source, and closes a source that nobody reads on', async () => {
    const zip = gzipSync(randomBytes(200_000))
    const fault = new Problem('request_timeout', 'Nothing came.')
    let closed = 0
    async function* source(isBroken: boolean) {
      try {
        yield* inSteps(zip, 1_000)
        if (isBroken) throw fault
      } finally {
        closed++
      }
    }
    const read = async (isBroken: boolean, chunksMax: number) => {
      for await (const _ of decodeBody({ bytes: source(isBroken), inflate }, 'gzip')) if (--chunksMax === 0) return
    }
    // A member begins that never comes, so the source is asked for more.
    const begun = zip.subarray(0, -4)
    async function* cut() {
      yield begun
      throw fault
    }
    const readCut = async () => {
      for await (const _ of decodeBody({ bytes: cut(), inflate }, 'gzip')) void _
    }
    await expect(readCut()).rejects.toBe(fault)
    await expect(read(true, Number.POSITIVE_INFINITY)).rejects.toBe(fault)
    await read(false, 1)
    await vi.waitFor(() => expect(closed).toBe(2))
  })

  it('inflates what is as long as it may be, and nothing that is a byte longer', async () => {
    const lengthOf = async (bytes: Uint8Array) => {
      let length = 0
      for await (const chunk of decodeLong({ bytes: inSteps(bytes, 1e9), inflate }, 'gzip')) length += chunk.length
      return length
    }
    const zipOf = (length: number) => gzipSync(Buffer.alloc(length, '\n'), { level: 9 })
    const roomOf = (bytes: Uint8Array) => limits.importInflationFreeBytes + bytes.length * limits.importInflationMax
    // The longest that fits: each byte of gzip that is more is room for a hundred.
    let length = limits.importInflationFreeBytes
    for (let step = 0; step < 100 && roomOf(zipOf(length)) > length; step++) length = roomOf(zipOf(length))
    expect(roomOf(zipOf(length))).toBe(length)
    expect(await lengthOf(zipOf(length))).toBe(length)
    const longer = [1, 2, 3].map((more) => zipOf(length + more)).find((bytes) => bytes.length === zipOf(length).length)
    expect(await lengthOf(longer ?? zipOf(length + 101)).catch(codeOf)).toBe('body_too_large')
  })
})
