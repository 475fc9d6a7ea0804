import { writeDocuments } from '../openapi/write.ts'
import type { LoadApp } from './app.ts'
import { readArgs } from './command.ts'

/**
 * `npx driftline openapi`: writes public/openapi.json and public/docs.html anew from the schema.
 */
export async function run(loadApp: LoadApp): Promise<void> {
  readArgs(
    { name: 'npx driftline openapi', does: 'Writes public/openapi.json and public/docs.html anew from the schema.' },
    {},
  )
  const { schema, public: directory } = await loadApp()
  await writeDocuments(schema, directory)
}
