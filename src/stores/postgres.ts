import pg from 'pg'
import type { Statement } from '../dialects/dialect.ts'
import { postgres } from '../dialects/postgres.ts'
import { limits } from '../limits.ts'
import { postgresFault } from './faults.ts'
import { type BatchOptions, type Cells, type Store, StoreFault } from './store.ts'

export interface PostgresOptions extends BatchOptions {
  /** Connections at the most. One batch holds one, from its flush to its answer. */
  readonly connectionsMax?: number
}

/** Any Postgres over TCP: a batch is one pipelined transaction, sent in one flush and answered in one. */
export function postgresStore(
  url: string,
  { connectionsMax = 16, batchMsMax = limits.databaseMsMax }: PostgresOptions = {},
): Store {
  const opening = openingOf(batchMsMax)
  const pool = new pg.Pool({
    connectionString: url,
    max: connectionsMax,
    connectionTimeoutMillis: limits.databaseMsMax / 2,
    keepAlive: true,
    application_name: 'driftline',
  })
  // A connection that the server cuts tells its pool while idle and itself while in use. Without listeners either would
  // end the process; the batch that it carried fails by itself.
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  return {
    dialect: postgres,
    async batch(_scope, statements) {
      try {
        return await runOnce(pool, statements, opening, batchMsMax)
      } catch (error) {
        throw postgresFault(error)
      }
    },
    close: () => pool.end(),
  }
}

async function runOnce(
  pool: pg.Pool,
  statements: readonly Statement[],
  opening: readonly Statement[],
  batchMsMax: number,
): Promise<Cells[][]> {
  const client = await pool.connect()
  let broken: Error | undefined
  const transaction = statements.length > 1
  try {
    return await withDeadline(
      new Promise<Cells[][]>((resolve, reject) => {
        client.query(new Pipeline(transaction ? [...opening, ...statements, commit] : statements, resolve, reject))
      }).then((results) => (transaction ? results.slice(opening.length, -1) : results)),
      batchMsMax,
    )
  } catch (error) {
    broken = await rollBack(client, error, transaction)
    throw error
  } finally {
    client.release(broken)
  }
}

/**
 * Explicit, since the database's default may be another level; REPEATABLE READ would fail with 40001 where READ
 * COMMITTED waits and reads. The server gives up a little before the client does, so that what was answered with a 503
 * is not applied later.
 */
function openingOf(batchMsMax: number): readonly Statement[] {
  const lines = ['BEGIN ISOLATION LEVEL READ COMMITTED', `SET LOCAL statement_timeout = ${batchMsMax * 0.9}`]
  // Everybody who wants the table queues up behind an ALTER TABLE that waits.
  if (batchMsMax > limits.databaseMsMax) lines.push(`SET LOCAL lock_timeout = ${limits.databaseMsMax * 0.9}`)
  return lines.map((sql) => ({ sql, params: [] }))
}
const commit: Statement = { sql: 'COMMIT', params: [] }

/** Leaves the connection clean for the next batch, or says why it must be thrown away. */
async function rollBack(client: pg.PoolClient, error: unknown, transaction: boolean): Promise<Error | undefined> {
  const isAnswer = error instanceof pg.DatabaseError
  if (!isAnswer) return error instanceof Error ? error : new Error('broken connection')
  if (!transaction) return undefined
  try {
    await withDeadline(client.query('ROLLBACK'), limits.databaseMsMax)
    return undefined
  } catch (fault) {
    return fault instanceof Error ? fault : new Error('broken connection')
  }
}

async function withDeadline<Result>(work: Promise<Result>, msMax: number): Promise<Result> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new StoreFault('transient', { message: 'the database did not answer in time' })),
      msMax,
    )
  })
  try {
    return await Promise.race([work, deadline])
  } finally {
    clearTimeout(timer)
  }
}

/** The part of pg's connection that a query of one's own writes to (as pg-cursor and pg-query-stream do). */
interface Connection {
  readonly stream: { cork?(): void; uncork?(): void }
  parse(message: { text: string }): void
  bind(message: { values: readonly unknown[] }): void
  execute(message: object): void
  sync(): void
}

/**
 * Several statements in one flush and with one Sync: they succeed or fail together, and an error skips the rest.
 * Statements are unnamed, which every pooler takes. No row description is asked for: each cell is its text.
 */
class Pipeline implements pg.Submittable {
  readonly #statements: readonly Statement[]
  readonly #resolve: (results: Cells[][]) => void
  readonly #reject: (error: unknown) => void
  readonly #results: Cells[][] = []
  #rows: Cells[] = []
  #failed = false

  constructor(
    statements: readonly Statement[],
    resolve: (results: Cells[][]) => void,
    reject: (error: unknown) => void,
  ) {
    this.#statements = statements
    this.#resolve = resolve
    this.#reject = reject
  }

  submit(connection: unknown): void {
    const { stream } = connection as Connection
    stream.cork?.()
    for (const { sql, params } of this.#statements) {
      ;(connection as Connection).parse({ text: sql })
      ;(connection as Connection).bind({
        values: params.map((value) => (typeof value === 'number' ? String(value) : value)),
      })
      ;(connection as Connection).execute({})
    }
    ;(connection as Connection).sync()
    stream.uncork?.()
  }

  handleRowDescription(): void {}
  handlePortalSuspended(): void {}
  handleDataRow({ fields }: { fields: Cells }): void {
    this.#rows.push(fields)
  }
  handleCommandComplete(): void {
    this.#results.push(this.#rows)
    this.#rows = []
  }
  handleEmptyQuery(): void {
    this.handleCommandComplete()
  }
  handleError(error: unknown): void {
    this.#failed = true
    this.#reject(error)
  }
  handleReadyForQuery(): void {
    if (!this.#failed) this.#resolve(this.#results)
  }
}
