import type pg from 'pg'
import type { Cells, Statement } from '../../sql/statement.ts'
import { openingOf } from './opening.ts'

/**
 * Runs statements on a connection that is given up or rolled back where this fails: several are one
 * transaction. One is the same without BEGIN and COMMIT: what lies between two Syncs is a
 * transaction to Postgres, and the settings before it are those of it. `schema` is where the tables
 * are, where the session does not say it.
 */
export async function pipeline(
  client: pg.ClientBase,
  statements: readonly Statement[],
  batchMsMax: number,
  schema?: string,
): Promise<Cells[][]> {
  const transaction = statements.length > 1
  const first = openingOf(batchMsMax, schema)
  const opening = transaction ? [begin, first] : [first]
  const closing = transaction ? [commit] : []
  const results = await new Promise<Cells[][]>((resolve, reject) => {
    client.query(new Pipeline([...opening, ...statements, ...closing], resolve, reject))
  })
  return results.slice(opening.length, opening.length + statements.length)
}

/**
 * Explicit, since the database's default may be another level; REPEATABLE READ would fail with
 * 40001 where READ COMMITTED waits and reads.
 */
const begin: Statement = { sql: 'BEGIN ISOLATION LEVEL READ COMMITTED', params: [] }
const commit: Statement = { sql: 'COMMIT', params: [] }

/**
 * The part of pg's connection that a query of one's own writes to (as pg-cursor and pg-query-stream
 * do).
 */
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
 * Several statements in one flush and with one Sync: they succeed or fail together, and an error
 * skips the rest. Statements are unnamed, which every pooler takes. No row description is asked
 * for: each cell is its text.
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
      // Right behind the COPY, which reads it; where that failed before, the server passes over it
      // until the Sync.
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
