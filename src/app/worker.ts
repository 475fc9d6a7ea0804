import migrations from '../../migrations/sqlite.json' with { type: 'json' }
import { openAnyStore } from '../runtime/workers/store.ts'
import { createScopeObject, createWorker } from '../worker.ts'
import { schema } from './schema.ts'
import { sources } from './sources.ts'

export { LiveObject } from '../worker.ts'

/** The database of one scope, where no other is set. */
export class ScopeObject extends createScopeObject({ schema, migrations }) {}

/** The worker of wrangler.toml. */
export default createWorker({ schema, sources, openStore: (env) => openAnyStore(env, { schema, migrations }) })
