import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { formatBundle } from '../../../src/migrations/bundle.ts'
import { migrationsDirectory, readMigrations } from '../../../src/migrations/read.ts'
import { sampleMigrations } from '../../support/migrations.ts'

it.each([
  ['of this repository', migrationsDirectory()],
  ['of the tests’ project', sampleMigrations],
])('the migrations that a worker %s carries are those of its migrations/sqlite', async (_, directory) => {
  const text = await readFile(new URL('sqlite.json', directory), 'utf8')
  expect(text, 'run npx driftline bundle').toBe(formatBundle(await readMigrations('sqlite', directory)))
})
