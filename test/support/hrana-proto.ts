/**
 * Hrana's messages as JSON, what of them `@libsql/client` sends, and its values and errors to and
 * from the driver's.
 */
export type Value =
  | { type: 'null' }
  | { type: 'integer' | 'text'; value: string }
  | { type: 'float'; value: number }
  | { type: 'blob'; base64: string }
export interface Sql {
  sql?: string
  sql_id?: number
}
export interface Stmt extends Sql {
  args?: Value[]
  named_args?: { name: string; value: Value }[]
  want_rows?: boolean
}
export type Condition =
  | { type: 'ok' | 'error'; step: number }
  | { type: 'not'; cond: Condition }
  | { type: 'and' | 'or'; conds: Condition[] }
  | { type: 'is_autocommit' }
export interface Step {
  condition?: Condition | null
  stmt: Stmt
}
export type Request =
  | { type: 'execute'; stmt: Stmt }
  | { type: 'batch'; batch: { steps: Step[] } }
  | ({ type: 'sequence' } & Sql)
  | { type: 'store_sql'; sql_id: number; sql: string }
  | { type: 'close' | 'close_sql' | 'get_autocommit' }

export function valueFromProto(value: Value): null | bigint | number | string | Buffer {
  switch (value.type) {
    case 'null':
      return null
    case 'integer':
      return BigInt(value.value)
    case 'float':
    case 'text':
      return value.value
    case 'blob':
      return Buffer.from(value.base64, 'base64')
  }
}

export function valueToProto(value: unknown): Value {
  if (typeof value === 'bigint') return { type: 'integer', value: String(value) }
  if (typeof value === 'number') return { type: 'float', value }
  if (typeof value === 'string') return { type: 'text', value }
  if (value instanceof Uint8Array) return { type: 'blob', base64: Buffer.from(value).toString('base64') }
  return { type: 'null' }
}

/**
 * As sqld does (tursodatabase/libsql, libsql-server/src/hrana/stmt.rs), with SQLite's primary code
 * only: SQLITE_CONSTRAINT where a local file says SQLITE_CONSTRAINT_CHECK.
 */
export function errorToProto(error: unknown): object {
  const { message, code, rawCode } = error as { message: string; code?: string; rawCode?: number }
  const primary = rawCode === undefined ? undefined : code?.match(/^SQLITE_[A-Z]+/)?.[0]
  if (primary !== undefined) return { message: `SQLite error: ${message}`, code: primary.replace('ERROR', 'UNKNOWN') }
  // The driver has no name for SQLITE_CONSTRAINT_DATATYPE, the error of a STRICT table:
  // UNKNOWN_SQLITE_ERROR_3091.
  if (rawCode === 3091) return { message: `SQLite error: ${message}`, code: 'SQLITE_CONSTRAINT' }
  return { message, code }
}
