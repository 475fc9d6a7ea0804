import { once } from 'node:events'
import pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import type { Statement } from '../dialects/dialect.ts'
import { postgres } from '../dialects/postgres.ts'
import { limits } from '../limits.ts'
import { withDeadline } from './deadline.ts'
import { postgresFault } from './faults.ts'
import { pipeline } from './postgres-pipeline.ts'
import type { BatchOptions, Cells, Store } from './store.ts'

/**
 * A Postgres over TCP for one caller at a time, whose batches may hold COPY … FROM STDIN. Such a batch takes a round trip
 * for each COPY and one for what lies between, on the one connection that has the temporary tables.
 */
export function copyStore(url: string, { batchMsMax = limits.databaseMsMax }: BatchOptions = {}): Store {
  let opened: Promise<pg.Client> | undefined
  const open = async () => {
    const client = new pg.Client({
      connectionString: url,
      connectionTimeoutMillis: limits.databaseMsMax / 2,
      keepAlive: true,
      application_name: 'driftline import',
    })
    // The batch that a lost connection carried fails by itself.
    client.on('error', () => {})
    await client.connect()
    return client
  }
  return {
    dialect: postgres,
    async batch(_scope, statements) {
      try {
        opened ??= open()
        const client = await opened
        const copies = statements.some(({ copied }) => copied !== undefined)
        return await withDeadline(
          copies ? runCopies(client, statements, batchMsMax) : pipeline(client, statements, batchMsMax),
          batchMsMax,
        )
      } catch (error) {
        // Whatever state it was left in: a new one costs little beside a chunk.
        const client = await opened?.catch(() => undefined)
        opened = undefined
        void client?.end().catch(() => {})
        throw postgresFault(error)
      }
    },
    async close() {
      await (await opened?.catch(() => undefined))?.end()
    },
  }
}

async function runCopies(client: pg.Client, statements: readonly Statement[], batchMsMax: number): Promise<Cells[][]> {
  await client.query('BEGIN ISOLATION LEVEL READ COMMITTED')
  await client.query(`SET LOCAL statement_timeout = ${batchMsMax * 0.9}`)
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
