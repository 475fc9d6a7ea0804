import type { Schema } from '../model/table.ts'
import { basePosition, type Dialect, pageParams, pageRows } from './dialect.ts'

/** What is asked before a stream. */
export interface CensusSql {
  /** [scope] → incarnation, position, watermark. */
  readonly head: string
  /** For each table [scope, position, start] → how many of its rows the pages after that position hand out. */
  readonly rows: readonly string[]
}

/** [scope] → incarnation, position, watermark: one row of one small table. */
export function headSql({ param }: Dialect): string {
  return `SELECT incarnation, position, watermark FROM driftline_scopes WHERE scope = ${param(1)}`
}

/** Counts by the very condition that a page reads by. */
export function censusSql(dialect: Dialect, { tables }: Schema): CensusSql {
  const params = pageParams(dialect, basePosition(dialect.param(1), '0'))
  return {
    head: headSql(dialect),
    rows: tables.map((table) => pageRows(dialect, table, 'count(*)', params.position, params)),
  }
}
