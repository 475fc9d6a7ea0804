import { once } from 'node:events'
import pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import type { Statement } from '../dialects/dialect.ts'
import { postgres } from '../dialects/postgres.ts'
import { limits } from '../limits.ts'
import { withDeadline } from './deadline.ts'
import { postgresFault } from './faults.ts'
import { rollBack } from './postgres.ts'
import { openingOf, pipeline } from './postgres-pipeline.ts'
import type { BatchOptions, Cells, Store } from './store.ts'

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
        throw postgresFault(error)
      }
    },
    close: () => pool.end(),
  }
}

async function runCopies(
  client: pg.ClientBase,
  statements: readonly Statement[],
  batchMsMax: number,
): Promise<Cells[][]> {
  const opening = openingOf(batchMsMax).map(({ sql }) => sql)
  await client.query(opening.join('; '))
  const results: Cells[][] = []
  for (const { sql, params, copied } of statements) {
    if (copied !== undefined) {
      const stream = client.query(copyFrom(sql))
      stream.end(copied)
      await once(stream, 'finish')
      results.push([])
    } else {
      const { rows } = await client.query<Cells>({
        text: sql,
        values: [...params],
        rowMode: 'array',
        types: texts,
      } as never)
      results.push(rows)
    }
  }
  await client.query('COMMIT')
  return results
}

/** Each cell as its text, as in every other store. */
const texts = { getTypeParser: () => (text: string) => text }
