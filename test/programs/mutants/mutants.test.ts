import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { mutants } from './mutants.ts'

it('every mutant still has its place in the sources, once; npm run mutants puts them in', async () => {
  expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length)
  for (const { name, edits } of mutants) {
    for (const { file, search, replace } of edits) {
      const text = await readFile(file, 'utf8')
      expect(text.split(search).length - 1, `${name}: ${file}`).toBe(1)
      expect(replace).not.toBe(search)
    }
  }
})
