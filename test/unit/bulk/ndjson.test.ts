import fc from 'fast-check'
import { expect, it, vi } from 'vitest'
import { type ImportLine, readLines } from '../../../src/bulk/ndjson.ts'
import { limits } from '../../../src/model/limits.ts'

const size = { linesMax: 3, textMax: 40, firstMax: 2 }

async function read(bytes: Uint8Array, step: number): Promise<ImportLine[]> {
  async function* blocks() {
    for (let from = 0; from < bytes.length; from += step) yield bytes.subarray(from, from + step)
  }
  const found: ImportLine[] = []
  for await (const { lines } of readLines(blocks(), size)) found.push(...lines)
  return found
}

it('P7 lines are the same wherever their bytes are cut, whatever stands in them', async () => {
  const pieces = ['\n', '\r\n', '\r', '\n\ufeff1\n', '"é🏔"', '{"a":1}', ' ', '\u2028', 'null', '\u0000']
  const piece = fc.oneof(
    fc.constantFrom(...pieces).map((text) => Buffer.from(text)),
    fc.uint8Array({ maxLength: 3 }),
  )
  const wholes = fc.array(piece, { maxLength: 24 }).map((some) => Buffer.concat(some))
  await fc.assert(
    fc.asyncProperty(wholes, fc.integer({ min: 1, max: 12 }), async (bytes, step) => {
      expect(await read(bytes, step)).toEqual(await read(bytes, 1e6))
    }),
    { numRuns: 400 },
  )
})

it('a byte order mark is passed over before each line, as where files were put one behind the other', async () => {
  const bytes = Buffer.from('\ufeff{"a":1}\n{"a":2}\n\ufeff{"a":3}\n\ufeff\n{"a":\ufeff4}\n')
  for (const step of [1, 2, 11, 19, 100]) {
    const lines = await read(bytes, step)
    expect(lines.slice(0, 3).map(({ line, value }) => [line, value])).toEqual([
      [1, { a: 1 }],
      [2, { a: 2 }],
      [3, { a: 3 }],
    ])
    // In the midst of a line it is none, and a line of it alone is an empty one.
    expect(lines.slice(3)).toMatchObject([{ line: 5, error: { code: 'invalid_change' } }])
  }
})

it.each([
  ['CR', '{"a":1}\r{"a":\r\r{"a":"\u2028"}\r', [1, 2, 4]],
  ['CR, and none behind the last', '{"a":1}\r\r{"a":\r{"a":"\u2028"}', [1, 3, 4]],
  ['CR and then with others', '{"a":1}\r{"a":\r\n{"a":"\u2028"}\n\r\n', [1, 2, 3]],
  ['CRLF', '{"a":1}\r\n\r\n{"a":\r\n{"a":\r"\u2028"}\r\n', [1, 3, 4]],
  ['LF', '{"a":1}\n{"a":\n{"a":\r"\u2028"}\n', [1, 2, 3]],
])('lines may end with %s, wherever the bytes are cut', async (_name, text, numbers) => {
  const bytes = Buffer.from(text)
  for (let step = 1; step <= bytes.length; step++) {
    const lines = await read(bytes, step)
    expect(lines.map(({ line }) => line)).toEqual(numbers)
    expect(lines.map(({ value, error }) => value ?? error?.code)).toEqual([{ a: 1 }, 'invalid_change', { a: '\u2028' }])
  }
})

it('a CR ends a line of any length, and a line that is too long is one of many', async () => {
  const long = 'x'.repeat(limits.changeBytesMax + 1)
  const lines = await read(Buffer.from(`{"a":1}\r"${long}"\r{"a":2}\r`), 60_000)
  expect(lines.map(({ line, value, error }) => [line, value ?? error?.code])).toEqual([
    [1, { a: 1 }],
    [2, 'too_large'],
    [3, { a: 2 }],
  ])
})

it('a line that comes byte by byte is copied a few times, and not once for each byte', async () => {
  const typedArray = Object.getPrototypeOf(Uint8Array.prototype)
  const set = vi.spyOn(typedArray, 'set')
  const bytes = Buffer.from(`${JSON.stringify({ title: 'x'.repeat(20_000) })}\n{"a":2}`)
  try {
    const lines = await read(bytes, 1)
    const copied = set.mock.calls.reduce((sum, [from]) => sum + (from as Uint8Array).length, 0)
    expect(lines.map(({ error }) => error)).toEqual([undefined, undefined])
    expect(copied).toBeLessThan(4 * bytes.length)
  } finally {
    set.mockRestore()
  }
})

it('of so many broken lines it is said where they are broken, of the others that they are', async () => {
  const most = limits.importRejectedMax
  const lines = await read(Buffer.from('{"a":}\n'.repeat(most + 1)), 1e6)
  expect(lines[most - 1]?.error?.detail).toBe('The line must be JSON: the error is at character 5.')
  expect(lines[most]?.error).toEqual({
    ...{ code: 'invalid_change', retryable: false },
    detail: 'The line must be JSON, an object.',
  })
  const mixed = await read(Buffer.from(`${'x\n'.repeat(most + 1)}[1]\n{"a":1}\n`), 7)
  expect(mixed.at(-1)?.value).toEqual({ a: 1 })
  expect(mixed.at(-2)?.error?.code).toBe('invalid_change')
})

it('empty lines are counted, and make no chunk of their own', async () => {
  async function* bytes() {
    for (let n = 0; n < 100; n++) yield Buffer.alloc(1_000, '\n')
    yield Buffer.from('{"a":1}\n')
  }
  const chunks: unknown[] = []
  for await (const { lines, last } of readLines(bytes(), size)) chunks.push([lines.length, last])
  expect(chunks).toEqual([[1, 100_001]])
})
