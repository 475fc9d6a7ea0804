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
  const pieces = ['\n', '\r\n', '\n\ufeff1\n', '"é🏔"', '{"a":1}', ' ', '\u2028', 'null', '\u0000']
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

it('a byte order mark is passed over at the beginning alone', async () => {
  const bytes = Buffer.from('\ufeff{"a":1}\n{"a":2}\n\ufeff{"a":3}\n')
  for (const step of [1, 2, 11, 19, 100]) {
    const [first, second, third, ...rest] = await read(bytes, step)
    expect([first?.value, second?.value, rest.length]).toEqual([{ a: 1 }, { a: 2 }, 0])
    expect(third).toMatchObject({ line: 3, error: { code: 'invalid_change' } })
  }
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
