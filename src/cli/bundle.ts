import { bundleMigrations } from '../migrations/bundle.ts'
import { writeDocuments } from '../openapi/write.ts'
import type { LoadApp } from './app.ts'
import { readArgs } from './command.ts'

/**
 * `npx driftline bundle`: writes migrations/sqlite.json and public/ anew. wrangler runs it before
 * each build of the worker.
 */
export async function run(loadApp: LoadApp): Promise<void> {
  readArgs(
    {
      name: 'npx driftline bundle',
      does: 'Writes migrations/sqlite.json and public/ anew, as each build of the worker does.',
    },
    {},
  )
  const { schema, migrations, public: directory } = await loadApp()
  await bundleMigrations(migrations)
  await writeDocuments(schema, directory)
}
