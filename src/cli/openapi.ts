import { writeDocuments } from '../openapi/write.ts'
import type { LoadApp } from './app.ts'
import { readArgs } from './command.ts'

/**
 * `npx driftline openapi`: writes public/ anew: openapi.json from the schema, and the pages.
 */
export async function run(loadApp: LoadApp): Promise<void> {
  readArgs(
    {
      name: 'npx driftline openapi',
      does: 'Writes public/ anew: openapi.json from the schema, and the pages of the manual and the reference.',
    },
    {},
  )
  const { schema, public: directory } = await loadApp()
  await writeDocuments(schema, directory)
}
