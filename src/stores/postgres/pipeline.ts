import type pg from 'pg'
import type { Cells, Statement } from '../../sql/statement.ts'
import type { Names } from './prepared.ts'

/** A client or connection that runs a pipeline at once. */
export interface Submits {
  query(pipeline: Pipeline): unknown
}

/**
 * Runs statements on a connection that is given up or rolled back where this fails: several are one
 * transaction. One is the same without BEGIN and COMMIT: what lies between two Syncs is a
 * transaction to Postgres, and the settings that `first` makes before it are those of it. `names`
 * are those of the connection, where it has any. Gives the rows of `first`, and then of each.
 */
export async function pipeline(
  client: Submits,
  first: Statement,
  statements: readonly Statement[],
  names?: Names,
): Promise<Cells[][]> {
  const transaction = statements.length > 1
  const all = transaction ? [begin, first, ...statements, commit] : [first, ...statements]
  const results = await new Promise<Cells[][]>((resolve, reject) => {
    client.query(new Pipeline(all, names, resolve, reject))
  })
  return transaction ? results.slice(1, -1) : results
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
  parse(message: { text: string; name?: string }): void
  bind(message: { values: readonly unknown[]; statement?: string }): void
  execute(message: object): void
  sendCopyFromChunk(chunk: Buffer): void
  endCopyFrom(): void
  sync(): void
  on(event: 'parseComplete', listener: () => void): unknown
  off(event: 'parseComplete', listener: () => void): unknown
}

/**
 * Several statements in one flush and with one Sync: they succeed or fail together, and an error
 * skips the rest. Statements are unnamed, which every pooler takes, but where the connection has
 * names. No row description is asked for: each cell is its text.
 */
export class Pipeline implements pg.Submittable {
  readonly #statements: readonly Statement[]
  readonly #names: Names | undefined
  readonly #resolve: (results: Cells[][]) => void
  readonly #reject: (error: unknown) => void
  readonly #results: Cells[][] = []
  #rows: Cells[] = []
  #failed = false
  /** The statements that are parsed in this flush, in their order, and how many of them are. */
  readonly #sent: string[] = []
  #parsed = 0

  constructor(
    statements: readonly Statement[],
    names: Names | undefined,
    resolve: (results: Cells[][]) => void,
    reject: (error: unknown) => void,
  ) {
    this.#statements = statements
    this.#names = names
    this.#resolve = resolve
    this.#reject = reject
  }

  submit(connection: unknown): void {
    const to = connection as Connection
    to.stream.cork?.()
    if (this.#names) to.on('parseComplete', this.#handleParseComplete)
    const parsing = new Set<string>()
    for (const { sql, params, copied } of this.#statements) {
      const known = copied === undefined ? this.#names?.nameOf(sql) : undefined
      const statement = known?.name ?? ''
      // A statement that comes several times in a batch is parsed once.
      if (!known?.isParsed && !(known && parsing.has(sql))) {
        to.parse({ text: sql, name: statement })
        this.#sent.push(sql)
        if (known) parsing.add(sql)
      }
      to.bind({ values: params.map((value) => (typeof value === 'number' ? String(value) : value)), statement })
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

  /** What is parsed stays so, whatever becomes of the transaction. */
  readonly #handleParseComplete = () => {
    this.#names?.parsed(this.#sent[this.#parsed++] ?? '')
  }

  #stopListening(connection: unknown): void {
    if (this.#names) (connection as Connection | undefined)?.off('parseComplete', this.#handleParseComplete)
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
  handleError(error: unknown, connection: unknown): void {
    // The driver says of nothing behind it that it is ready; the server parses nothing behind it.
    this.#stopListening(connection)
    this.#failed = true
    this.#reject(error)
  }
  handleReadyForQuery(connection: unknown): void {
    this.#stopListening(connection)
    if (!this.#failed) this.#resolve(this.#results)
  }
}
