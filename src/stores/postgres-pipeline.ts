import type pg from 'pg'
import type { Statement } from '../dialects/dialect.ts'
import { limits } from '../limits.ts'
import { sessionList } from './postgres-session.ts'
import type { Cells } from './store.ts'

/**
 * Runs statements on a connection that is given up or rolled back where this fails: several are one transaction. One is
 * the same without BEGIN and COMMIT: what lies between two Syncs is a transaction to Postgres, and the settings before it
 * are those of it. `schema` is where the tables are, where the session does not say it.
 */
export async function pipeline(
  client: pg.ClientBase,
  statements: readonly Statement[],
  batchMsMax: number,
  schema?: string,
): Promise<Cells[][]> {
  const transaction = statements.length > 1
  const session = sessionList(schema)
  const opening = transaction ? openingOf(batchMsMax, session) : [{ sql: `SELECT ${session}`, params: [] }]
  const all = transaction ? [...opening, ...statements, commit] : [...opening, ...statements]
  const results = await new Promise<Cells[][]>((resolve, reject) => {
    client.query(new Pipeline(all, resolve, reject))
  })
  return results.slice(opening.length, opening.length + statements.length)
}

/**
 * Explicit, since the database's default may be another level; REPEATABLE READ would fail with 40001 where READ
 * COMMITTED waits and reads. The server gives up a little before the client does, so that what was answered with a 503
 * is not applied later. From Postgres 17 on that holds for the transaction too: where the network falls silent between
 * two statements no statement runs, and the lock of the scope would be held until TCP gives up, which takes hours.
 */
function openingOf(batchMsMax: number, session: string): readonly Statement[] {
  const ms = `'${batchMsMax * 0.9}'`
  const lines = [
    'BEGIN ISOLATION LEVEL READ COMMITTED',
    `SELECT ${session}, set_config('statement_timeout', ${ms}, true), CASE WHEN current_setting('transaction_timeout', true) IS NOT NULL THEN set_config('transaction_timeout', ${ms}, true) END`,
  ]
  // Everybody who wants the table queues up behind an ALTER TABLE that waits.
  if (batchMsMax > limits.databaseMsMax) lines.push(`SET LOCAL lock_timeout = ${limits.databaseMsMax * 0.9}`)
  return lines.map((sql) => ({ sql, params: [] }))
}
const commit: Statement = { sql: 'COMMIT', params: [] }

/** The part of pg's connection that a query of one's own writes to (as pg-cursor and pg-query-stream do). */
interface Connection {
  readonly stream: { cork?(): void; uncork?(): void }
  parse(message: { text: string }): void
  bind(message: { values: readonly unknown[] }): void
  execute(message: object): void
  sendCopyFromChunk(chunk: Buffer): void
  endCopyFrom(): void
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
    const to = connection as Connection
    to.stream.cork?.()
    for (const { sql, params, copied } of this.#statements) {
      to.parse({ text: sql })
      to.bind({ values: params.map((value) => (typeof value === 'number' ? String(value) : value)) })
      to.execute({})
      if (copied === undefined) continue
      // Right behind the COPY, which reads it; where that failed before, the server passes over it until the Sync.
      to.sendCopyFromChunk(Buffer.from(copied))
      to.endCopyFrom()
    }
    to.sync()
    to.stream.uncork?.()
  }

  handleRowDescription(): void {}
  handlePortalSuspended(): void {}
  handleCopyInResponse(): void {}
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
