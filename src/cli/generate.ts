import { schema } from '../app/schema.ts'
import { bundleMigrations } from '../migrations/bundle.ts'
import { generate } from '../migrations/generate.ts'
import { writeDocuments } from '../openapi/write.ts'
import { readArgs, runCommand } from './command.ts'

/**
 * `npm run generate -- --name add-notes`: the next migration of both dialects from what is new in src/app/schema.ts.
 * `npm run generate -- --accept`: the migration was written by hand, only record the schema.
 */
await runCommand(async () => {
  const help = {
    name: 'npm run generate',
    does: 'Writes the next migration of both dialects from what is new in src/app/schema.ts, and public/ anew.',
  }
  const values = readArgs(help, {
    name: { type: 'string', help: 'the name of the migration, such as add-notes' },
    accept: { type: 'boolean', help: 'only records the schema: the migration was written by hand' },
  })
  for (const line of await generate(schema, values)) console.log(line)
  await bundleMigrations()
  await writeDocuments(schema)
})
