import { migrate } from '../../migrations/apply.ts'
import type { Migration } from '../../migrations/migration.ts'
import { type Store, StoreFault } from '../../stores/store.ts'

/**
 * Brings a database up to date that only a worker reaches. Fails with a `StoreFault`, and says in
 * the log what a migration lacks.
 */
export async function migrateHere(store: Store, migrations: readonly Migration[]): Promise<void> {
  try {
    await migrate(store, migrations)
  } catch (error) {
    if (error instanceof StoreFault) throw error
    const { cause } = error as { readonly cause?: unknown }
    // The database was away meanwhile, or another worker was at it: the next request tries again.
    if (cause instanceof StoreFault && (cause.kind === 'transient' || cause.kind === 'conflict')) throw cause
    // The sentence is for whoever wrote the migration, and holds no value of a row.
    console.error(JSON.stringify({ time: new Date().toISOString(), migration: String(error) }))
    throw new StoreFault('broken', { message: String(error), code: 'MIGRATION' })
  }
}
