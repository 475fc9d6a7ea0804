import { schema } from '../app/schema.ts'
import { bundleMigrations } from '../migrations/bundle.ts'
import { writeDocuments } from '../openapi/write.ts'
import { readArgs, runCommand } from './command.ts'

/** `npm run bundle`: writes migrations/sqlite.json and public/ anew. wrangler runs it before each build of the worker. */
await runCommand(async () => {
  readArgs(
    {
      name: 'npm run bundle',
      does: 'Writes migrations/sqlite.json and public/ anew, as each build of the worker does.',
    },
    {},
  )
  await bundleMigrations()
  await writeDocuments(schema)
})
