import { once } from 'node:events'
import pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import type { Statement } from '../dialects/dialect.ts'
import { postgres } from '../dialects/postgres.ts'
import { limits } from '../limits.ts'
import { withDeadline } from './deadline.ts'
import { postgresFault } from './faults.ts'
import { rollBack } from './postgres.ts'
import { commit, flush, openingOf, pipeline } from './postgres-pipeline.ts'
import { type BatchOptions, type Cells, type Store, StoreFault } from './store.ts'

/**
 * A Postgres over TCP whose batches may hold COPY … FROM STDIN. Such a batch takes a round trip for each COPY and one
 * for what lies between, on a connection of its own, which has the temporary tables: the scopes of a chunk go side by side.
 */
export function copyStore(url: string, { batchMsMax = limits.databaseMsMax }: BatchOptions = {}): Store {
  const pool = new pg.Pool({
    connectionString: url,
    max: limits.scopesAtOnceMax,
    connectionTimeoutMillis: limits.databaseMsMax / 2,
    keepAlive: true,
    application_name: 'driftline import',
  })
  // The batch that a lost connection carried fails by itself.
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  return {
    dialect: postgres,
    async batch(_scope, statements) {
      let client: pg.PoolClient | undefined
      try {
        client = await pool.connect()
        const copies = statements.some(({ copied }) => copied !== undefined)
        const run = copies ? runCopies(client, statements, batchMsMax) : pipeline(client, statements, batchMsMax)
        const results = await withDeadline(run, batchMsMax)
        client.release()
        return results
      } catch (error) {
        client?.release(await rollBack(client, error, true))
        throw isRival(error)
          ? new StoreFault('conflict', { message: String(error), code: '23505', cause: error })
          : postgresFault(error)
      }
    },
    close: () => pool.end(),
  }
}

/**
 * The same key was inserted between the look for it and the insert, by somebody who does not take the scope's lock. Once
 * more, and the row is there to be merged. A unique constraint of the user's own is none of this.
 */
function isRival(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.code === '23505' && /_pkey$/.test(error.constraint ?? '')
}

/** What lies between two COPYs goes in one flush: there is one turn of the network for each, and one more at either end. */
async function runCopies(
  client: pg.ClientBase,
  statements: readonly Statement[],
  batchMsMax: number,
): Promise<Cells[][]> {
  const opening = openingOf(batchMsMax)
  const results: Cells[][] = []
  let waiting: Statement[] = [...opening]
  for (const statement of statements) {
    const { sql, copied } = statement
    if (copied === undefined) {
      waiting.push(statement)
      continue
    }
    results.push(...(await flush(client, waiting)), [])
    waiting = []
    const stream = client.query(copyFrom(sql))
    stream.end(copied)
    await once(stream, 'finish')
  }
  results.push(...(await flush(client, [...waiting, commit])))
  return results.slice(opening.length, -1)
}
