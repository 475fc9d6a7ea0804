import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type ImportLine, readLines } from '../../src/bulk/lines.ts'

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
