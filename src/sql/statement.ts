import type { ColumnType } from '../model/value.ts'

/** One SQL statement. Parameters are text, numbers that are safe integers, or null. */
export interface Statement {
  readonly sql: string
  readonly params: readonly (string | number | null)[]
  /** What a COPY … FROM STDIN reads: for a Postgres over TCP, which takes it in the same flush. */
  readonly copied?: string
  /** It only reads: it takes no lock, and stores nothing. */
  readonly reads?: true
  /** It locks the scope and takes so many of its positions. */
  readonly takes?: number
  /** It writes down what is to be sent: the rows that it gives say when, see `recordSql`. */
  readonly records?: true
  /** It gives what the app's own SQL has touched in this scope its place. */
  readonly settles?: string
  /**
   * It is run only where the batch is tried again since the app's own SQL was in its way, and gives
   * no rows else. `before`: by itself, until it finds nothing that others hold. `within`: in its
   * place in the batch.
   */
  readonly again?: 'before' | 'within'
}

/** A named, typed column of rows in parameters. */
export interface Field {
  readonly name: string
  readonly type: ColumnType
}

/** A value of a row as a store gives it: integers may come as text, booleans as 0 and 1. */
export type Cell = string | number | boolean | null
export type Cells = readonly Cell[]

/**
 * What a database takes at the most, where that is less than driftline's own limits. Bytes are of
 * UTF-8.
 */
export interface StoreLimits {
  /** Bytes of a parameter: more rows than fit are sent in several statements of the same batch. */
  readonly paramBytesMax: number
  /** Bytes of a statement's text. */
  readonly sqlBytesMax: number
  /** Columns of a result, which a JSON parameter is too: 3, and two for each column of a table. */
  readonly resultColumnsMax: number
}
