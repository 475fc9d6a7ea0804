import type { Cells, Statement } from '../../sql/statement.ts'
import { sqliteFault } from '../fault.ts'
import { StoreFault } from '../store.ts'
import { type Connection, isLocked, isPoisonous, openConnection } from './connection.ts'
import { createLoopTurns } from './loop-turns.ts'

/** Reads a file in this thread. In WAL it sees what was committed, whoever writes meanwhile. */
export interface FileReader {
  /**
   * In one snapshot. `until`, by `performance.now()`: how long a file that another process has for
   * itself is waited for.
   */
  read(statements: readonly Statement[], until: number): Promise<Cells[][]>
  close(): Promise<void>
}

/** Of all files together: many small reads in a row keep others waiting as one large read does. */
const turns = createLoopTurns()

export function createFileReader(path: string): FileReader {
  let connection: Connection | undefined
  let closed = false

  function readNow(statements: readonly Statement[]): Cells[][] {
    connection ??= openConnection(path)
    const to = connection
    try {
      const [only] = statements
      if (statements.length === 1 && only) return [to.execute(only)]
      to.command('BEGIN')
      const results = statements.map((statement) => to.execute(statement))
      to.command('COMMIT')
      return results
    } catch (error) {
      const fault = sqliteFault(error)
      if (to.inTransaction && !isPoisonous(fault)) to.command('ROLLBACK')
      throw fault
    }
  }

  return {
    async read(statements, until) {
      for (;;) {
        await turns.ready()
        if (closed) throw new StoreFault('transient', { message: 'the store is closed' })
        try {
          return turns.run(() => readNow(statements))
        } catch (error) {
          const fault = sqliteFault(error)
          if (isPoisonous(fault)) {
            void connection?.close()
            connection = undefined
          }
          // Rare: while another process recovers the file after a crash, or changes its mode.
          if (!isLocked(fault) || performance.now() > until) throw fault
          await new Promise((resolve) => setTimeout(resolve, 5 + Math.random() * 45))
        }
      }
    },
    async close() {
      closed = true
      await connection?.close()
      connection = undefined
    },
  }
}
