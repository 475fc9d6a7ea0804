import { schema } from './app/schema.ts'
import { sources } from './app/sources.ts'
import { createScopeObject } from './runtime/workers/scope-object.ts'
import { createWorker } from './runtime/workers/worker.ts'

export { LiveObject } from './live/workers/live-object.ts'

/** The database of one scope, where no other is set. */
export class ScopeObject extends createScopeObject({ schema }) {}

/** The worker of wrangler.toml. */
export default createWorker({ schema, sources })
