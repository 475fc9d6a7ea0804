import { createScopeObject, createWorker, openObjects } from '../../src/worker.ts'
import { mappedSources } from '../support/mapped-sources.ts'
import migrations from '../support/project/migrations/sqlite.json' with { type: 'json' }
import { schema } from '../support/schema.ts'

export { LiveObject } from '../../src/worker.ts'

export class ScopeObject extends createScopeObject({ schema, migrations }) {}

/** A worker whose sources have mappings, over Durable Objects. */
export default createWorker({ schema, sources: mappedSources, openStore: openObjects })
