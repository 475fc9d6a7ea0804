import type { Dialect } from './dialect.ts'

/** How what was added to counters is looked up, the same in both dialects. */
const ofAdd = (table: string, row = 'driftline_adds', column = 'sent$.col$') =>
  `${row}.tbl = '${table}' AND ${row}.id = sent$.id$ AND ${row}.col = ${column}`

/** Whether a row of driftline_adds is the add `sent$`, by its key. */
export const isAdd = (table: string, scope: string, client: string, row: string): string =>
  `${row}.scope = ${scope} AND ${row}.at = sent$.at$ AND ${row}.by = ${client} AND ${ofAdd(table, row)}`

export const addedSince: Dialect['addedSince'] = (table, column, { scope, at, by, id = 'found$.id' }) =>
  ` + coalesce((SELECT CAST(sum(n) AS bigint) FROM driftline_adds WHERE scope = ${scope} AND (at, by) > (${at}, ${by}) AND tbl = '${table}' AND id = ${id} AND col = '${column}'), 0)`

export const raisedAdd: Dialect['raisedAdd'] = (table, { scope, by, at, column, setAt }) =>
  `(SELECT max(at$) FROM (SELECT ${at} AS at$ UNION ALL SELECT CAST(substr(${setAt}, 1, 16) AS bigint) + 1
UNION ALL SELECT at + 1 FROM driftline_adds WHERE scope = ${scope} AND at >= ${at} AND by = ${by} AND ${ofAdd(table, 'driftline_adds', column)}) AS raised$)`
