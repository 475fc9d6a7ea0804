/** The requests of a Hrana pipeline, run on one SQLite connection. */
import type Database from 'libsql'
import {
  type Condition,
  errorToProto,
  type Request,
  type Sql,
  type Step,
  type Stmt,
  valueFromProto,
  valueToProto,
} from './hrana-proto.ts'

type Connection = Database.Database
type Sqls = Map<number, string>

/** One answer per request; an error ends only its own request, as in Hrana. */
export function runPipeline(db: Connection, requests: readonly Request[]) {
  const sqls: Sqls = new Map()
  const results = requests.map((request) => {
    try {
      return { type: 'ok', response: { type: request.type, ...run(db, sqls, request) } }
    } catch (error) {
      return { type: 'error', error: errorToProto(error) }
    }
  })
  if (!db.inTransaction) return results
  db.exec('ROLLBACK')
  const error = { message: 'a transaction over several requests does not work here', code: 'NOT_SUPPORTED' }
  return requests.map(() => ({ type: 'error', error }))
}

function run(db: Connection, sqls: Sqls, request: Request): object {
  switch (request.type) {
    case 'execute':
      return { result: execute(db, sqls, request.stmt) }
    case 'batch':
      return { result: runBatch(db, sqls, request.batch.steps) }
    case 'sequence':
      db.exec(sqlOf(request, sqls))
      return {}
    case 'store_sql':
      sqls.set(request.sql_id, request.sql)
      return {}
    case 'get_autocommit':
      return { is_autocommit: !db.inTransaction }
    case 'close':
    case 'close_sql':
      return {}
    default:
      throw new Error(`not supported here: ${(request as { type: string }).type}`)
  }
}

function runBatch(db: Connection, sqls: Sqls, steps: readonly Step[]): object {
  const results: (object | null)[] = []
  const errors: (object | null)[] = []
  function holds(condition: Condition): boolean {
    switch (condition.type) {
      case 'ok':
        return (results[condition.step] ?? null) !== null
      case 'error':
        return (errors[condition.step] ?? null) !== null
      case 'not':
        return !holds(condition.cond)
      case 'and':
        return condition.conds.every(holds)
      case 'or':
        return condition.conds.some(holds)
      case 'is_autocommit':
        return !db.inTransaction
    }
  }
  for (const [i, { condition, stmt }] of steps.entries()) {
    results[i] = errors[i] = null
    if (condition && !holds(condition)) continue
    try {
      results[i] = execute(db, sqls, stmt)
    } catch (error) {
      errors[i] = errorToProto(error)
    }
  }
  return { step_results: results, step_errors: errors }
}

function execute(db: Connection, sqls: Sqls, stmt: Stmt): object {
  const statement = prepare(db, sqlOf(stmt, sqls))
  const named = (stmt.named_args ?? []).map(({ name, value }) => [name.replace(/^[:@$]/, ''), valueFromProto(value)])
  const args = named.length > 0 ? Object.fromEntries(named) : (stmt.args ?? []).map(valueFromProto)
  const before = changesOf(db)
  let rows: unknown[][] = []
  if (statement.reader) rows = statement.raw(true).all(args) as unknown[][]
  else statement.run(args)
  const after = changesOf(db)
  return {
    cols: statement.columns().map(({ name, type }) => ({ name, decltype: type })),
    rows: stmt.want_rows === false ? [] : rows.map((row) => row.map(valueToProto)),
    affected_row_count: after.total === before.total ? 0 : Number(after.last),
    last_insert_rowid: String(after.rowid),
  }
}

/** Prepared once: it is run twice for each statement. */
const countings = new WeakMap<Connection, Database.Statement>()

/**
 * `changes()` keeps its value over a SELECT, and the driver has none for RETURNING: a change of the
 * total tells.
 */
function changesOf(db: Connection) {
  const counting = countings.get(db) ?? db.prepare('SELECT total_changes(), changes(), last_insert_rowid()').raw(true)
  countings.set(db, counting)
  const [row] = counting.all() as bigint[][]
  const [total, last, rowid] = row!
  return { total, last, rowid }
}

function prepare(db: Connection, sql: string) {
  try {
    return db.prepare(sql)
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'SQLITE_ERROR') throw error
    throw Object.assign(new Error(`SQL input error: ${(error as Error).message}`), { code: 'SQL_INPUT_ERROR' })
  }
}

function sqlOf({ sql, sql_id }: Sql, sqls: Sqls): string {
  const text = sql ?? sqls.get(sql_id ?? -1)
  if (text === undefined) throw new Error(`no SQL text ${sql_id}`)
  return text
}
