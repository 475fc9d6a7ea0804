import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { formatBundle } from '../../../src/migrations/bundle.ts'
import { migrationsDirectory, readMigrations } from '../../../src/migrations/read.ts'

it('the migrations that a worker carries are those of migrations/sqlite', async () => {
  const text = await readFile(new URL('sqlite.json', migrationsDirectory()), 'utf8')
  expect(text, 'run npx driftline bundle').toBe(formatBundle(await readMigrations('sqlite')))
})
