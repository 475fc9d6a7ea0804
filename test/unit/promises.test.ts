import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { findTests, promiseSection, promises, putSection } from '../programs/promises/promises.ts'

it('every promise is carried by the title of a test', async () => {
  const tests = await findTests()
  for (const promise of Object.keys(promises)) expect(tests.get(promise), promise).not.toEqual([])
  expect(Object.keys(promises)).toHaveLength(16)
})

it('docs/promises.md has them as npm run promises writes them', async () => {
  const page = await readFile(new URL('../../docs/promises.md', import.meta.url), 'utf8')
  expect(putSection(page, await promiseSection()) === page, 'run npm run promises').toBe(true)
})
