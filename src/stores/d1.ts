import type { Schema } from '../model/table.ts'
import { drawNonce, markerIn, raiseWith } from '../sql/markers.ts'
import { foreignKeysOf, readForeignKeys } from '../sql/sqlite/foreign-keys.ts'
import { sqliteObject } from '../sql/sqlite/object.ts'
import type { Cells, Statement } from '../sql/statement.ts'
import { withDeadline } from './deadline.ts'
import { checkParams, objectLimits } from './durable-object.ts'
import { sqliteFault } from './fault.ts'
import { checkNumbers, onePlace, readsOnly, type Store, StoreFault } from './store.ts'

/** What the store needs of a binding's `D1Database`. */
export interface D1Binding {
  prepare(sql: string): D1Query
  batch(queries: D1Query[]): Promise<readonly { readonly results: readonly unknown[] }[]>
}

export interface D1Query {
  bind(...values: unknown[]): D1Query
}

export interface D1Store extends Store {
  /**
   * Learns the foreign keys anew, after migrations. Who never calls it pays a round trip before his
   * first write.
   */
  readKeys(): Promise<void>
}

/**
 * Cloudflare D1: a batch is one `batch()`, which is one transaction. D1 is the SQLite of a Durable
 * Object, with its limits, and has no savepoints: what the database refuses is found by batches
 * that undo themselves.
 */
export function d1Store(binding: D1Binding, schema: Schema): D1Store {
  const nonce = drawNonce()
  const raise = raiseWith(sqliteObject, nonce)
  let guards: readonly string[] | undefined

  async function run(statements: readonly Statement[]): Promise<Cells[][]> {
    const queries = statements.map((statement) => toQuery(binding, statement))
    const results = await withDeadline(binding.batch(queries)).catch((error: unknown) => {
      const fault = d1Fault(error, nonce)
      // A key that came with a later migration ends the transaction so, and is known from then on.
      if (fault.kind === 'transient') guards = undefined
      throw fault
    })
    return results.map(({ results: rows }) => rows.map((row) => cellsOf(row as Row)))
  }

  /**
   * D1 has no word for a deferred key that is not met when it commits: it ends the database's
   * process. So ask before.
   */
  async function learnGuards(): Promise<readonly string[]> {
    const [rows = []] = await run([readForeignKeys])
    const { unmet } = foreignKeysOf(rows, schema.tables)
    const learned = unmet.map((text) => `SELECT ${raise('driftline_unmet', '1')} WHERE EXISTS (${text})`)
    guards = learned
    return learned
  }

  return {
    dialect: sqliteObject,
    placeOf: onePlace,
    limits: { ...objectLimits, sqlBytesMax: objectLimits.sqlBytesMax - asTable('').length },
    async batch(scope, statements) {
      checkNumbers(statements)
      checkParams(statements)
      if (statements.length === 0) return []
      // Without a scope it is a migration, or pruning, which leaves every row that another refers
      // to.
      if (scope === '' || readsOnly(statements)) return run(statements)
      const locks = statements.flatMap(({ takes, params }) => (takes === undefined ? [] : [[String(params[0]), takes]]))
      const checked = locks.length > 0 ? locks : [[scope, 0]]
      const texts = guards ?? (await learnGuards())
      const checks = checked.flatMap((params) => texts.map((sql) => ({ sql, params, reads: true as const })))
      return (await run([...statements, ...checks])).slice(0, statements.length)
    },
    async readKeys() {
      await learnGuards()
    },
    async close() {},
  }
}

function toQuery(binding: D1Binding, statement: Statement): D1Query {
  const query = binding.prepare(readsOnly([statement]) ? asTable(statement.sql) : statement.sql)
  return statement.params.length === 0 ? query : query.bind(...statement.params)
}

/**
 * `batch()` gives objects, in which the last of two columns of one name would hide the first. A
 * table's are told apart.
 */
const asTable = (sql: string): string => `SELECT * FROM (${sql})`

type Row = Readonly<Record<string, Cells[number]>>

function cellsOf(row: Row): Cells {
  const names = Object.keys(row)
  // JavaScript would put it first, wherever it stood.
  if (names.length > 1 && names.some((name) => /^\d+$/.test(name)))
    throw new TypeError(`Name each column of a result for D1: ${names.join(', ')}`)
  return Object.values(row)
}

/**
 * D1 puts its own word before what SQLite said. Without a code of SQLite it was away, overloaded or
 * out of time.
 */
function d1Fault(error: unknown, nonce: string): StoreFault {
  if (error instanceof StoreFault) return error
  const { message = '' } = Object(error) as { readonly message?: string }
  if (markerIn(message, nonce) === 'driftline_unmet') {
    const code = 'SQLITE_CONSTRAINT_FOREIGNKEY'
    return new StoreFault('refused', { message: 'a foreign key is not met', code, cause: error })
  }
  return sqliteFault(new Error(message.replace(/^D1_\w*ERROR: /, ''), { cause: error }))
}
