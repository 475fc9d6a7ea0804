import { DurableObject } from 'cloudflare:workers'
import type { DurableObjectState, SqlStorage } from '@cloudflare/workers-types'
import bundled from '../migrations/sqlite.json' with { type: 'json' }
import type { Statement } from './dialects/dialect.ts'
import { sqliteObject } from './dialects/sqlite-object.ts'
import { type Migration, migrate } from './migrations/apply.ts'
import { prune } from './prune.ts'
import { parseRetention, retentionMsDefault } from './retention.ts'
import { schema } from './schema.ts'
import type { ObjectAnswer } from './stores/durable-object.ts'
import { sqliteFault } from './stores/faults.ts'
import { type Cells, type Store, StoreFault } from './stores/store.ts'

/**
 * The database of one scope. It brings its tables up to date when it wakes, also into a newer deploy: one read where
 * there is nothing to do. An answer leaves the object only when what it wrote is durable.
 */
export class ScopeObject extends DurableObject {
  readonly #storage: DurableObjectState['storage']
  readonly #store: Store
  readonly #migrations: readonly Migration[]
  readonly #retention: string
  #migrated = false
  /** Whether an alarm was set or seen since the object woke. */
  #alarmed = false

  constructor(
    state: DurableObjectState,
    env: { readonly RETENTION?: string },
    migrations: readonly Migration[] = bundled,
  ) {
    super(state, env)
    this.#storage = state.storage
    this.#store = storageStore(state)
    this.#migrations = migrations
    this.#retention = env.RETENTION ?? ''
  }

  /** Runs the statements in order, all or none. Never fails: a fault is an answer. */
  async batch(statements: readonly Statement[]): Promise<ObjectAnswer> {
    try {
      // Two calls at once may both come here; the second finds everything recorded.
      if (!this.#migrated) await this.#migrate()
      this.#migrated = true
      const rows = await this.#store.batch('', statements)
      if (!this.#alarmed) await this.#setAlarm()
      return { rows }
    } catch (error) {
      const { kind, message, code, marker } = error instanceof StoreFault ? error : sqliteFault(error)
      return { fault: { kind, message, code, marker } }
    }
  }

  /** Prunes. Nothing written since means nothing to prune: then the object sleeps until somebody needs it. */
  async alarm(): Promise<void> {
    this.#alarmed = false
    await prune(this.#store, schema, { retentionMs: this.#retentionMs() })
    const [rows] = await this.#store.batch('', [{ sql: unpruned, params: [] }])
    if (rows?.length) await this.#setAlarm()
  }

  async #setAlarm(): Promise<void> {
    this.#alarmed = true
    const pause = Math.max(3_600_000, this.#retentionMs() / 30)
    if ((await this.#storage.getAlarm()) === null) await this.#storage.setAlarm(Date.now() + pause)
  }

  /** The worker answers a wrong setting with a sentence before any object is called. */
  #retentionMs(): number {
    return this.#retention ? parseRetention('RETENTION', this.#retention) : retentionMsDefault
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

/** The scope, where rows were stored beyond what is pruned, or webhooks are kept. */
const unpruned = `SELECT s.scope FROM driftline_scopes AS s
WHERE s.position > coalesce((SELECT max(m.position) FROM driftline_marks AS m WHERE m.at = 0), 0)
OR EXISTS (SELECT 1 FROM driftline_inbox)`

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
