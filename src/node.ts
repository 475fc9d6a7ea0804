import { schema } from './app/schema.ts'
import { sources } from './app/sources.ts'
import { startArgs } from './cli/start-args.ts'
import { start } from './runtime/node/start.ts'

/** `npm start`. */
const env = startArgs(process.env)
if (env) await start({ schema, sources, env })
