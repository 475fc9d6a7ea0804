import { schema } from '../app/schema.ts'
import { writeDocuments } from '../openapi/write.ts'
import { readArgs, runCommand } from './command.ts'

/** `npm run openapi`: writes public/openapi.json and public/docs.html anew from src/app/schema.ts. */
await runCommand(async () => {
  readArgs(
    { name: 'npm run openapi', does: 'Writes public/openapi.json and public/docs.html anew from src/app/schema.ts.' },
    {},
  )
  await writeDocuments(schema)
})
