import { bundleMigrations } from '../migrations/bundle.ts'
import { generate } from '../migrations/generate.ts'
import { findDrafts } from '../migrations/read.ts'
import type { LoadApp } from './app.ts'
import { readArgs } from './command.ts'

/**
 * `npx driftline generate --name add-notes`: the next migration of both dialects from what is new
 * in the schema. `npx driftline generate --accept`: the migration was written by hand, only record
 * the schema.
 */
export async function run(loadApp: LoadApp): Promise<void> {
  const help = {
    name: 'npx driftline generate',
    does: 'Writes the next migration of both dialects from what is new in the schema.',
    more: 'What only a person can judge, such as a column that is gone, comes as a draft to finish. A rename is said by renamedFrom in the schema.',
  }
  const values = readArgs(help, {
    name: { type: 'string', help: 'the name of the migration, such as add-notes' },
    accept: { type: 'boolean', help: 'only records the schema: the migration was written by hand' },
  })
  const { schema, migrations } = await loadApp()
  for (const line of await generate(schema, { ...values, directory: migrations })) console.log(line)
  if ((await findDrafts(migrations)).length === 0) await bundleMigrations(migrations)
}
