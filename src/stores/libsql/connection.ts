import Database from 'libsql'
import { createBoundedMap } from '../../model/bounded-map.ts'
import type { Cells, Statement } from '../../sql/statement.ts'
import type { StoreFault } from '../store.ts'
import { releaseClosed } from './release-closed.ts'

/**
 * A connection to a file, by the engine itself: `@libsql/client` prepares each statement anew and
 * makes an object of each row.
 */
export interface Connection {
  /** Both fail with the engine's own error. */
  execute(statement: Statement): Cells[]
  /**
   * A statement without parameters and rows, of which nothing is left behind: BEGIN and its like,
   * which may find the file locked.
   */
  command(sql: string): void
  /** Whether a transaction is open: after some errors the engine has rolled it back itself. */
  readonly inTransaction: boolean
  close(): Promise<void>
}

/**
 * Statements that are kept prepared. driftline has a few for each table; whatever is beyond is
 * prepared each time.
 */
const preparedMax = 500

/**
 * Readers do not wait for the writer in WAL; every commit is still on the disk when it is answered
 * (synchronous FULL). The engine never waits for a lock, which would block the thread: it says
 * SQLITE_BUSY, and the caller tries again.
 */
export function openConnection(path: string): Connection {
  const database = new Database(path, { timeout: 0 })
  const prepared = createBoundedMap<string, Prepared>(preparedMax)

  function prepare(sql: string): Prepared {
    const known = prepared.get(sql)
    if (known) return known
    const statement = database.prepare(sql)
    const entry = { statement: statement.reader ? statement.raw(true) : statement, returns: statement.reader }
    prepared.set(sql, entry)
    return entry
  }
  try {
    database.exec('PRAGMA journal_mode = WAL')
  } catch (error) {
    database.close()
    throw error
  }
  return {
    // A statement that failed is done with and may run again: the engine halts it, whatever the
    // error. Only one that finds the file locked stays under way, and keeps what is written behind
    // it from being committed. So let `command` take the lock: what it runs is thrown away with its
    // error.
    execute({ sql, params }) {
      const { statement, returns } = prepare(sql)
      // A JavaScript number would be bound as REAL; every number of a statement is an integer, so
      // bind it as one.
      const values = params.map((value) => (typeof value === 'number' ? BigInt(value) : value))
      if (returns) return statement.all(values) as Cells[]
      statement.run(values)
      return []
    },
    command: (sql) => database.exec(sql),
    get inTransaction() {
      return database.inTransaction
    },
    async close() {
      prepared.clear()
      if (!database.open) return
      database.close()
      await releaseClosed()
    },
  }
}

/**
 * Whether a connection that met this fault may acknowledge later writes and lose them: never again.
 */
export function isPoisonous({ kind, code }: StoreFault): boolean {
  // SQLITE_ERROR is only a wrong statement, such as of a table that is not there yet.
  return kind !== 'refused' && code !== 'SQLITE_ERROR'
}

/** Whether another connection has the file for itself, which passes. */
export function isLocked({ code = '' }: StoreFault): boolean {
  return /^SQLITE_(BUSY|LOCKED)/.test(code)
}

interface Prepared {
  readonly statement: ReturnType<InstanceType<typeof Database>['prepare']>
  readonly returns: boolean
}
