import { DurableObject } from 'cloudflare:workers'
import type { DurableObjectState, SqlStorage } from '@cloudflare/workers-types'
import bundled from '../../migrations/sqlite.json' with { type: 'json' }
import type { Statement } from '../dialects/dialect.ts'
import { sqliteObject } from '../dialects/sqlite-object.ts'
import { type Migration, migrate } from '../migrations/apply.ts'
import type { ObjectAnswer } from './durable-object.ts'
import { sqliteFault } from './faults.ts'
import { type Cells, type Store, StoreFault } from './store.ts'

/**
 * The database of one scope. It brings its tables up to date when it wakes, also into a newer deploy: one read where
 * there is nothing to do. An answer leaves the object only when what it wrote is durable.
 */
export class ScopeObject extends DurableObject {
  readonly #store: Store
  readonly #migrations: readonly Migration[]
  #migrated = false

  constructor(state: DurableObjectState, env: unknown, migrations: readonly Migration[] = bundled) {
    super(state, env)
    this.#store = storageStore(state)
    this.#migrations = migrations
  }

  /** Runs the statements in order, all or none. Never fails: a fault is an answer. */
  async batch(statements: readonly Statement[]): Promise<ObjectAnswer> {
    try {
      // Two calls at once may both come here; the second finds everything recorded.
      if (!this.#migrated) await this.#migrate()
      this.#migrated = true
      return { rows: await this.#store.batch('', statements) }
    } catch (error) {
      const { kind, message, code, marker } = error instanceof StoreFault ? error : sqliteFault(error)
      return { fault: { kind, message, code, marker } }
    }
  }

  async #migrate(): Promise<void> {
    try {
      await migrate(this.#store, this.#migrations)
    } catch (error) {
      if (error instanceof StoreFault) throw error
      // The sentence is for whoever wrote the migration, and holds no value of a row.
      console.error(JSON.stringify({ time: new Date().toISOString(), migration: String(error) }))
      throw new StoreFault('broken', { message: String(error), code: 'MIGRATION' })
    }
  }
}

/** The object's own storage as a store of which every call is at once. */
function storageStore({ storage }: DurableObjectState): Store {
  return {
    dialect: sqliteObject,
    async batch(_scope, statements) {
      const run = () => statements.map((statement) => execute(storage.sql, statement))
      try {
        return statements.length === 1 ? run() : storage.transactionSync(run)
      } catch (error) {
        throw sqliteFault(error)
      }
    },
    async close() {},
  }
}

/** Numbers are bound as REAL. Each is an integer, which a column of a STRICT table turns into one again. */
function execute(sql: SqlStorage, { sql: text, params }: Statement): Cells[] {
  return [...sql.exec(text, ...params).raw()] as Cells[]
}
