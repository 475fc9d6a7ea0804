import { bundleMigrations } from '../migrations/bundle.ts'
import { writeDocuments } from '../openapi/write.ts'
import { schema } from '../schema.ts'
import { runCommand } from './run.ts'

/** `npm run bundle`: writes migrations/sqlite.json and public/ anew. wrangler runs it before each build of the worker. */
await runCommand(async () => {
  await bundleMigrations()
  await writeDocuments(schema)
})
