import { writeDocuments } from '../openapi/write.ts'
import { schema } from '../schema.ts'
import { readArgs, runCommand } from './run.ts'

/** `npm run openapi`: writes public/openapi.json and public/docs.html anew from src/schema.ts. */
await runCommand(async () => {
  readArgs(
    { name: 'npm run openapi', does: 'Writes public/openapi.json and public/docs.html anew from src/schema.ts.' },
    {},
  )
  await writeDocuments(schema)
})
