import type { Migration } from '../../migrations/migration.ts'
import type { Schema } from '../../model/table.ts'
import { d1Store } from '../../stores/d1.ts'
import type { Store } from '../../stores/store.ts'
import type { WorkerEnv } from './env.ts'
import { migrateHere } from './migrate-here.ts'

/** Someone's app, as its D1 database needs it. */
export interface D1Options {
  readonly schema: Schema
  /** What `npx driftline bundle` writes into `migrations/sqlite.json`. */
  readonly migrations: readonly Migration[]
}

/**
 * The D1 database of the binding DB. Nothing but a worker reaches it, so the worker brings it up to
 * date: once in each isolate, before its first batch, by two reads where there is nothing to do.
 * Throws a `TypeError` without the binding.
 */
export function openD1({ DB }: Pick<WorkerEnv, 'DB'>, { schema, migrations }: D1Options): Store {
  if (!DB) throw new TypeError('Bind a D1 database as DB in wrangler.toml')
  const store = d1Store(DB, schema)
  let isUpToDate = false
  return {
    ...store,
    async batch(scope, statements) {
      // Not a promise that requests share: what one waits for must not depend on another, which may
      // end first.
      if (!isUpToDate) {
        await migrateHere(store, migrations)
        await store.readKeys()
        isUpToDate = true
      }
      return store.batch(scope, statements)
    },
  }
}
