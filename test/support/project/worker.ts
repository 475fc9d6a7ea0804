import { openAnyStore } from '../../../src/runtime/workers/store.ts'
import { createScopeObject, createWorker } from '../../../src/worker.ts'
import { schema } from '../schema.ts'
import migrations from './migrations/sqlite.json' with { type: 'json' }

export { LiveObject } from '../../../src/worker.ts'

/** The database of one scope, where no other is set. */
export class ScopeObject extends createScopeObject({ schema, migrations }) {}

/** What src/app/worker.ts is, with the tables of the tests. */
export default createWorker({ schema, openStore: (env) => openAnyStore(env, { schema, migrations }) })
