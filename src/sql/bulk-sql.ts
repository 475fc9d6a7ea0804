import { fillsTime, hasRules, isCounter, stampColumn } from '../model/merge.ts'
import type { Table } from '../model/table.ts'
import { type Assigned, always, basePosition, type Dialect, type Meeting } from './dialect.ts'
import { filledValue, meeting } from './merge-sql.ts'
import { quoted } from './quoted.ts'
import { stampKey } from './row-fields.ts'
import { standing, standings } from './standing-sql.ts'
import type { Field } from './statement.ts'

/**
 * The statements of an import, for rows that come once each and whose writers want no row back.
 * Losers are hidden by a WHERE on both databases: on SQLite, too, a replay then writes nothing.
 */
export interface BulkSql {
  readonly fields: readonly Field[]
  /**
   * [scope, n, …now, …rows] → nothing: `insertWhere` of all rows, and `onConflict`. The server's
   * time is a parameter where the table `takesTime`.
   */
  readonly upsert: string
  /** Takes the rows for which a condition holds, and says nothing of those that are there. */
  readonly insertWhere: (condition: string) => string
  readonly onConflict: string
  /**
   * [scope, …stamps] → how many of them are stored, how many lost against a greater one, and the
   * ids of the others, a line each. Of a table with rules it takes whole rows: `looksAtRows`.
   */
  readonly settled: string
  readonly looksAtRows: boolean
  /**
   * [scope, n, number of rows, …`tallied` of the rows] → the rows that were written; if not all
   * were, those that now have the sent stamp; and the tombstones of ids that had no row.
   */
  readonly tally: string
  /** The parameters of the rows that hold their stamps: nothing is encoded twice. */
  readonly tallied: (rows: readonly string[]) => readonly string[]
}

/**
 * `from` says where the rows of so many fields come from: parameters from place 3 and 4 on, or a
 * table.
 */
export function bulkSql(
  dialect: Dialect,
  table: Table,
  from: (fields: readonly Field[], first: number) => string = dialect.decodeRows,
): BulkSql {
  const [scope, n, count] = [1, 2, 3].map((place) => dialect.param(place)) as [string, string, string]
  const target = dialect.target(table)
  const names = table.columns.map(({ name }) => quoted(name))
  const fields = bulkFields(table)
  // All that `tally` looks for stands in the first ones.
  const stampFields = fields.slice(0, 4)
  const ruled = hasRules(table)
  const takesTime = fillsTime(table)
  const position = 'scope$.base$ + sent$.ordinal$'
  const now: Parameters<typeof filledValue>[3] = (column) => dialect.time(count, column)
  const counters = table.columns.filter(isCounter)
  // What sets a counter brings the stamp of that.
  const stamp = dialect.stampText('sent$.at$', 'sent$.by$')
  const setStamps = counters.map(({ key }) => `CASE WHEN sent$.${stampKey(key)} IS NOT NULL THEN ${stamp} END`)
  const values = table.columns.map((column) =>
    filledValue(column, `sent$.${column.key}`, position, now, 'sent$.deleted$ IS NULL'),
  )
  const inserted = [...names, ...counters.map(({ name }) => quoted(stampColumn(name)))]
    .map((name) => `, ${name}`)
    .join('')
  const insertWhere = (
    condition: string,
  ) => `INSERT INTO ${target} AS stored$ (scope, id, updated_at, updated_by, deleted, position, created_position${inserted})
SELECT ${scope}, sent$.id$, sent$.at$, sent$.by$, sent$.deleted$ IS NOT NULL, ${position}, ${position}${[...values, ...setStamps].map((value) => `, ${value}`).join('')}
FROM ${from(fields, takesTime ? 4 : 3)} CROSS JOIN (SELECT ${basePosition(scope, n)} AS base$) AS scope$ WHERE ${condition}`
  const onConflict = ruled
    ? onMeetingWhere(meeting(dialect, table, { sets: true }))
    : onConflictWhere(assigned(table, ['updated_at', 'updated_by', 'deleted', 'position']))
  return {
    fields,
    looksAtRows: ruled,
    tallied: (rows) => (dialect.encodesByField && !ruled ? rows.slice(0, stampFields.length) : rows),
    upsert: `${insertWhere(always)}
${onConflict}`,
    insertWhere,
    onConflict,
    settled: ruled
      ? settledByRules(dialect, table, from(fields, 2))
      : `SELECT count(CASE WHEN found$.updated_at = sent$.at$ AND found$.updated_by = sent$.by$ THEN 1 END),
count(CASE WHEN (found$.updated_at, found$.updated_by) > (sent$.at$, sent$.by$) THEN 1 END),
string_agg(CASE WHEN found$.id IS NULL OR (found$.updated_at, found$.updated_by) < (sent$.at$, sent$.by$) THEN sent$.id$ END, '
')
FROM ${dialect.decodeStamps(2)} ${dialect.found(table, scope, 'sent$.id$', 'LEFT JOIN')}`,
    // Looks for stamps only where not every row was written: in a first import there is nothing to
    // look for.
    tally: `SELECT written$.count$, CASE WHEN written$.count$ < ${count} THEN (SELECT count(*) FROM ${from(dialect.encodesByField && !ruled ? stampFields : fields, 4)}
${dialect.found(table, scope, 'sent$.id$', 'CROSS JOIN')} WHERE ${isStored(dialect, table, basePosition(scope, n))}) END, written$.unseen$
FROM (SELECT count(*) AS count$, count(CASE WHEN deleted AND created_position = position THEN 1 END) AS unseen$ FROM ${target} WHERE ${dialect.above(scope, basePosition(scope, n))}) AS written$`,
  }
}

/** Whether a row was written now, or says what was there before. */
export function isStored(dialect: Dialect, table: Table, base: string): string {
  if (!hasRules(table)) return 'found$.updated_at = sent$.at$ AND found$.updated_by = sent$.by$'
  return `(found$.position > ${base} OR ${standing(dialect, table)} = ${standings.duplicate})`
}

function settledByRules(dialect: Dialect, table: Table, rows: string): string {
  const found = dialect.found(table, dialect.param(1), 'sent$.id$', 'LEFT JOIN')
  const { applies, duplicate, stale } = standings
  return `SELECT count(CASE WHEN standing$ = ${duplicate} THEN 1 END), count(CASE WHEN standing$ = ${stale} THEN 1 END),
string_agg(CASE WHEN standing$ = ${applies} THEN id$ END, '
')
FROM (SELECT sent$.id$ AS id$, ${standing(dialect, table)} AS standing$ FROM ${rows} ${found}) AS stood$`
}

/**
 * Id, ordinal, the stamp's halves, whether it is a delete, the columns, and of each counter whether
 * it is set.
 */
export function bulkFields({ columns }: Table): readonly Field[] {
  return [
    { name: 'id$', type: 'text' },
    { name: 'ordinal$', type: 'integer' },
    { name: 'at$', type: 'integer' },
    { name: 'by$', type: 'text' },
    { name: 'deleted$', type: 'boolean' },
    ...columns.map(({ key, type }) => ({ name: key, type })),
    ...columns.filter(isCounter).map(({ key }): Field => ({ name: stampKey(key), type: 'boolean' })),
  ]
}

/**
 * A row takes what was sent; what the app does not know stays as it is in a row that lives before
 * and after.
 */
export function assigned({ columns }: Table, system: readonly string[]): readonly Assigned[] {
  const asItIs = (column: string) =>
    `CASE WHEN excluded.deleted OR stored$.deleted THEN excluded.${column} ELSE stored$.${column} END`
  return [
    ...system.map((column): Assigned => [column, `excluded.${column}`]),
    ...columns.map(({ name, kept }): Assigned => {
      const column = quoted(name)
      return [column, kept ? asItIs(column) : `excluded.${column}`]
    }),
  ]
}

/** The guard of last writer wins where no loser is wanted back. */
export function onConflictWhere(columns: readonly Assigned[]): string {
  return `ON CONFLICT (scope, id) DO UPDATE SET ${columns.map(([column, value]) => `${column} = ${value}`).join(', ')}
WHERE (stored$.updated_at, stored$.updated_by) < (excluded.updated_at, excluded.updated_by)`
}

/** The rules of a table, where no loser is wanted back. */
export function onMeetingWhere({ assigned: columns, applies }: Meeting): string {
  const set = [['position', 'excluded.position'] as const, ...columns]
  return `ON CONFLICT (scope, id) DO UPDATE SET ${set.map(([column, value]) => `${column} = ${value}`).join(',\n')}
WHERE ${applies}`
}
