import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type ElementPath, readElements } from '../../../src/bulk/json-elements.ts'

async function read(text: string, paths: readonly ElementPath[], size = 1e6) {
  const bytes = Buffer.from(text)
  async function* blocks() {
    for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size)
  }
  const found: { key: string | undefined; value: string; text: string; error?: string }[] = []
  for await (const { key, value, text, error } of readElements(blocks(), paths))
    found.push({ key, value, text, ...(error && { error: error.code }) })
  return found
}

it('P12 finds the items of an array of any values, wherever it is cut', async () => {
  const indents = fc.constantFrom(undefined, 2, '\t')
  await fc.assert(
    fc.asyncProperty(fc.array(fc.jsonValue()), indents, fc.integer({ min: 1, max: 9 }), async (items, indent, size) => {
      for (const [whole, path] of [[items, ['*']], [{ a: { rows: items }, rows: items, n: 1 }, ['rows', '*']]] as const) {
        const found = await read(JSON.stringify(whole, undefined, indent), [path], size)
        expect(found.map(({ value }) => JSON.parse(value))).toEqual(JSON.parse(JSON.stringify(items)))
      }
    }),
  ) // biome-ignore format: one loop
})

it('finds rows under their ids, and says those in a line that can be read again', async () => {
  const path = ['__collections__', 'todos', '*']
  const [first, second, ...rest] = await read(
    '{"x":{"todos":{"no":1}},"__collections__":{"users":{"u":{}},"todos":{"a\\"":{"todos":{"b":1}},"c":2}}}',
    [path],
  )
  expect([first, second, rest]).toEqual([
    { key: 'a"', value: '{"todos":{"b":1}}', text: '{"__collections__":{"todos":{"a\\"":{"todos":{"b":1}}}}}' },
    { key: 'c', value: '2', text: '{"__collections__":{"todos":{"c":2}}}' },
    [],
  ])
  expect(await read(first?.text ?? '', [path])).toEqual([first])
})

it('finds values that follow each other', async () => {
  expect((await read('{\n"a": 1\n}\n{"b":[2]} {}', [[]], 2)).map(({ value }) => value)).toEqual(['{\n"a": 1\n}', '{"b":[2]}', '{}'])
}) // biome-ignore format: one line

it('P12 passes over an element of 10 MB, and says so', async () => {
  const text = `[{"id":"1"},{"id":"${'x'.repeat(10 << 20)}"},{"id":"3"}]`
  const found = await read(text, [['*']], 64 * 1024)
  expect(found.map(({ value, error }) => error ?? value.slice(0, 20))).toEqual([
    '{"id":"1"}',
    'too_large',
    '{"id":"3"}',
  ])
})

it.each(['[{"a":1},', '[{"a":"b', '{"rows":[1', '[tru'])('says that %j is cut', async (text) => {
  await expect(read(text, [['*']], 3)).rejects.toThrow(/^The JSON ends too early: the file is cut\./)
})
