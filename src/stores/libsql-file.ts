import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import Database from 'libsql'
import type { Statement } from '../dialects/dialect.ts'
import { sqlite } from '../dialects/sqlite.ts'
import { limits } from '../limits.ts'
import { sqliteFault } from './faults.ts'
import { releaseClosed } from './garbage.ts'
import {
  type BatchOptions,
  type Cells,
  checkNumbers,
  notTried,
  type Rehearsal,
  type Rehearsed,
  readsOnly,
  type Store,
  StoreFault,
} from './store.ts'

/**
 * A local libSQL file, for Node: `file:data/app.db`. By the engine itself rather than through `@libsql/client`, which
 * prepares each statement anew and makes an object of each row. It runs in this thread, so the batches of a process
 * never meet; those of another process are waited for, without blocking, up to the deadline.
 */
export async function libsqlFileStore(
  url: string,
  { batchMsMax = limits.databaseMsMax }: BatchOptions = {},
): Promise<Store> {
  if (url.includes(':memory:'))
    throw new TypeError('Give a file: a database in memory is lost with its first busy moment')
  const path = filePath(url)
  mkdirSync(dirname(path), { recursive: true })
  let connection: Connection | undefined
  let closed = false

  function attempt<Result>(work: (connection: Connection) => Result): Result {
    connection ??= openConnection(path)
    try {
      return work(connection)
    } catch (error) {
      const fault = sqliteFault(error)
      // A connection that has met SQLITE_BUSY or a sick disk may acknowledge later writes and lose them: never again.
      // SQLITE_ERROR is only a wrong statement, such as of a table that is not there yet.
      if (fault.kind !== 'refused' && fault.code !== 'SQLITE_ERROR') {
        void connection.close()
        connection = undefined
      }
      throw fault
    }
  }

  async function whenFree<Result>(work: (connection: Connection) => Result): Promise<Result> {
    // Not by the wall's clock, which may step.
    for (const until = performance.now() + batchMsMax; ; ) {
      if (closed) throw new StoreFault('transient', { message: 'the store is closed' })
      try {
        return attempt(work)
      } catch (error) {
        const fault = sqliteFault(error)
        if (!/^SQLITE_(BUSY|LOCKED)/.test(fault.code ?? '') || performance.now() > until) throw fault
        await new Promise((resolve) => setTimeout(resolve, 5 + Math.random() * 45))
      }
    }
  }

  const store: Store = {
    dialect: sqlite,
    async batch(_scope, statements) {
      checkNumbers(statements)
      return whenFree((to) => to.run(statements))
    },
    rehearse: (_scope, rehearsal) => whenFree((to) => to.rehearse(rehearsal)),
    async close() {
      closed = true
      await connection?.close()
    },
  }
  await store.batch('', [{ sql: 'SELECT 1', params: [] }])
  return store
}

/** The path that a `file:` URL names, relative ones from where the process runs. */
export function filePath(url: string): string {
  return url.startsWith('file://') ? fileURLToPath(url) : url.slice('file:'.length)
}

interface Connection {
  run(statements: readonly Statement[]): Cells[][]
  rehearse(rehearsal: Rehearsal): Rehearsed
  close(): Promise<void>
}

/** How long the engine waits for another process within one call: it blocks this thread, so briefly. */
const busyMsMax = 50
/** Statements that are kept prepared. driftline has a few for each table; whatever is beyond is prepared each time. */
const preparedMax = 500

/** Readers do not wait for the writer in WAL; every commit is still on the disk when it is answered (synchronous FULL). */
function openConnection(path: string): Connection {
  const database = new Database(path, { timeout: busyMsMax })
  const prepared = new Map<string, Prepared>()

  function prepare(sql: string): Prepared {
    const known = prepared.get(sql)
    if (known) return known
    const statement = database.prepare(sql)
    const entry = { statement: statement.reader ? statement.raw(true) : statement, returns: statement.reader }
    if (prepared.size < preparedMax) prepared.set(sql, entry)
    return entry
  }
  function execute({ sql, params }: Statement): Cells[] {
    const { statement, returns } = prepare(sql)
    // A JavaScript number would be bound as REAL; every number of a statement is an integer, so bind it as one.
    const values = params.map((value) => (typeof value === 'number' ? BigInt(value) : value))
    if (returns) return statement.all(values) as Cells[]
    statement.run(values)
    return []
  }
  try {
    database.exec('PRAGMA journal_mode = WAL')
  } catch (error) {
    database.close()
    throw error
  }
  return {
    run(statements) {
      const [only] = statements
      if (statements.length === 1 && only) return [execute(only)]
      database.exec(readsOnly(statements) ? 'BEGIN' : 'BEGIN IMMEDIATE')
      try {
        const results = statements.map(execute)
        database.exec('COMMIT')
        return results
      } catch (error) {
        // A failed statement may still be under way, and would hold the transaction open.
        prepared.clear()
        if (database.inTransaction) database.exec('ROLLBACK')
        throw error
      }
    },
    rehearse({ opening, groups, closing }) {
      database.exec('BEGIN IMMEDIATE')
      try {
        for (const statement of opening) execute(statement)
        const faults = groups.map((group) => {
          // A trigger may have ended the transaction: what followed would be kept.
          if (!database.inTransaction) return notTried()
          // A statement that fails undoes itself.
          const isOne = group.length === 1
          if (!isOne) database.exec('SAVEPOINT rehearsed')
          try {
            for (const statement of group) execute(statement)
            if (!isOne) database.exec('RELEASE rehearsed')
            return undefined
          } catch (error) {
            const fault = sqliteFault(error)
            if (fault.kind === 'transient') throw fault
            if (isOne || !database.inTransaction) return fault
            // A failed statement may still be under way.
            prepared.clear()
            database.exec('ROLLBACK TO rehearsed')
            database.exec('RELEASE rehearsed')
            return fault
          }
        })
        return { faults, closing: database.inTransaction ? closing.map(execute) : closing.map(() => []) }
      } finally {
        prepared.clear()
        if (database.inTransaction) database.exec('ROLLBACK')
      }
    },
    async close() {
      prepared.clear()
      if (!database.open) return
      database.close()
      await releaseClosed()
    },
  }
}

interface Prepared {
  readonly statement: ReturnType<InstanceType<typeof Database>['prepare']>
  readonly returns: boolean
}
