import type { Schema, Table } from '../model/table.ts'
import { basePosition, type Dialect, type PagePart, pageParams, pageRows } from './dialect.ts'
import type { Raise } from './markers.ts'
import type { Field } from './statement.ts'

/** What is asked before a stream. */
export interface CountSql {
  /**
   * For each table [scope, position, start] → how many of its rows the pages after that position
   * hand out.
   */
  readonly rows: readonly string[]
  /** The same where the pages are those of a bootstrap. */
  readonly firstRows: readonly string[]
}

/** [scopes] → scope, incarnation, position, watermark of each that was ever written. */
export function headsSql({ param, fromScopes }: Dialect): string {
  return `SELECT scope, incarnation, position, watermark ${fromScopes(param(1))}`
}

/** A scope of a cursor, and how far it needs the scope's history to be whole. */
export const gateFields: readonly Field[] = [
  { name: 'scope$', type: 'text' },
  { name: 'incarnation$', type: 'text' },
  { name: 'floor$', type: 'integer' },
]

/**
 * [rows of `gateFields`]: aborts where a cursor must resync for one of these scopes, none of which
 * is written.
 */
export function gatesSql(dialect: Dialect, raise: Raise): string {
  return `SELECT ${raise('driftline_resync', 'sent$.floor$')} FROM ${dialect.decodeRows(gateFields, 1)} LEFT JOIN driftline_scopes AS scope$ ON scope$.scope = sent$.scope$
WHERE NOT coalesce(scope$.incarnation = coalesce(sent$.incarnation$, scope$.incarnation) AND scope$.watermark <= sent$.floor$ AND scope$.position >= sent$.floor$, sent$.incarnation$ IS NULL AND sent$.floor$ = 0)`
}

/** Counts by the very condition that a page reads by. */
export function countSql(dialect: Dialect, { tables }: Schema): CountSql {
  const params = pageParams(dialect, undefined, basePosition(dialect.param(1), '0'))
  const count = (table: Table, part: PagePart) => pageRows(dialect, table, part, 'count(*)', params.position, params)
  return {
    rows: tables.map((table) => count(table, 'all')),
    firstRows: tables.map((table) => `SELECT (${count(table, 'alive')}) + (${count(table, 'died')})`),
  }
}
