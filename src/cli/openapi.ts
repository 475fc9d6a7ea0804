import { writeDocuments } from '../openapi/write.ts'
import { schema } from '../schema.ts'
import { runCommand } from './run.ts'

/** `npm run openapi`: writes public/openapi.json and public/docs.html anew from src/schema.ts. */
await runCommand(() => writeDocuments(schema))
