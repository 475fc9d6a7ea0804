import type { DurableObjectState, SqlStorage } from '@cloudflare/workers-types'
import type { Schema } from '../model/table.ts'
import { waiting } from '../sql/delivery-sql.ts'
import type { ForeignKeys } from '../sql/rehearse-sql.ts'
import { foreignKeysOf, readForeignKeys } from '../sql/sqlite/foreign-keys.ts'
import { sqliteScope } from '../sql/sqlite/object.ts'
import type { Cells, Statement } from '../sql/statement.ts'
import { sqliteFault } from './fault.ts'
import { type Rehearsal, type Rehearsed, readsOnly, type Store, StoreFault } from './store.ts'

/** The storage of an object as a store. */
export interface ObjectStorage extends Store {
  rehearse(scope: string, rehearsal: Rehearsal): Promise<Rehearsed>
  /** Learns the foreign keys anew, after migrations. */
  readKeys(): void
}

/**
 * An object's own storage as a store of which every call is at once. The alarm that sends what a
 * batch records is set with it, before anything else can happen: the runtime makes both durable
 * together or neither.
 */
export function objectStorage({ storage }: DurableObjectState, schema: Schema): ObjectStorage {
  let keys: ForeignKeys | undefined

  function run(statements: readonly Statement[]): Cells[][] {
    const checked = keys && keys.unmet.length > 0 && !readsOnly(statements) ? keys.unmet : []
    const before = checked.length > 0 ? positionOf(storage.sql) : 0
    const results = statements.map((statement) => execute(storage.sql, statement))
    const unmet = checked.flatMap((text) =>
      execute(storage.sql, { sql: text, params: unmetParams(storage.sql, before) }),
    )
    // The runtime commits later, after the answer, and would end the object: so its check comes
    // here.
    if (unmet.length > 0)
      throw new StoreFault('refused', { message: 'a foreign key is not met', code: 'SQLITE_CONSTRAINT_FOREIGNKEY' })
    return results
  }

  return {
    dialect: sqliteScope,
    async batch(_scope, statements) {
      try {
        const results =
          statements.length === 1 && readsOnly(statements)
            ? run(statements)
            : storage.transactionSync(() => run(statements))
        // What waits behind another has that one's alarm.
        const isDue = (rows: readonly Cells[] = []) => rows.some(([at]) => Number(at) < waiting)
        if (statements.some(({ records }, place) => records && isDue(results[place]))) {
          void storage.setAlarm(Date.now())
        }
        return results
      } catch (error) {
        throw sqliteFault(error)
      }
    },
    async rehearse(_scope, rehearsal) {
      let rehearsed: Rehearsed | undefined
      try {
        storage.transactionSync(() => {
          rehearsed = rehearseIn(storage, rehearsal)
          throw undone
        })
      } catch (error) {
        if (error !== undone || !rehearsed) throw sqliteFault(error)
      }
      return rehearsed as Rehearsed
    },
    readKeys() {
      keys = foreignKeysOf(execute(storage.sql, readForeignKeys), schema.tables)
    },
    async close() {},
  }
}

const undone = new Error('a rehearsal is undone')

function rehearseIn(storage: DurableObjectState['storage'], { opening, groups, closing }: Rehearsal): Rehearsed {
  for (const statement of opening) execute(storage.sql, statement)
  const faults = groups.map((group) => {
    const run = () => {
      for (const statement of group) execute(storage.sql, statement)
    }
    try {
      // Also of one statement: a trigger that says FAIL keeps what it wrote before.
      storage.transactionSync(run)
      return undefined
    } catch (error) {
      const fault = sqliteFault(error)
      if (fault.kind === 'transient') throw fault
      return fault
    }
  })
  return { faults, closing: closing.map((statement) => execute(storage.sql, statement)) }
}

/** An object holds one scope. */
function positionOf(sql: SqlStorage): number {
  const [row] = execute(sql, { sql: 'SELECT position FROM driftline_scopes', params: [] })
  return Number(row?.[0] ?? 0)
}

/** The scope, and the positions that were taken since. */
function unmetParams(sql: SqlStorage, before: number): Statement['params'] {
  const [row] = execute(sql, { sql: 'SELECT scope, position FROM driftline_scopes', params: [] })
  return [String(row?.[0] ?? ''), Number(row?.[1] ?? 0) - before]
}

/**
 * Numbers are bound as REAL. Each is an integer, which a column of a STRICT table turns into one
 * again.
 */
function execute(sql: SqlStorage, { sql: text, params }: Statement): Cells[] {
  return [...sql.exec(text, ...params).raw()] as Cells[]
}
