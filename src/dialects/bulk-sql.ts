import type { Table } from '../sync/table.ts'
import { basePosition, type Dialect, type Field, quoted } from './dialect.ts'

/**
 * The statements of an import, for rows that come once each and whose writers want no row back. Losers are hidden by a
 * WHERE on both databases: on SQLite, too, a replay then writes nothing.
 */
export interface BulkSql {
  readonly fields: readonly Field[]
  /** [scope, n, …rows] → nothing. */
  readonly upsert: string
  /** [scope, …stamps] → how many of them are stored, how many lost against a greater one, and the ids of the others, a line each. */
  readonly peek: string
  /** [scope, n, number of rows, …`tallied` of the rows] → the rows that were written and, if not all were, those that now have the sent stamp. */
  readonly tally: string
  /** The parameters of the rows that hold their stamps: nothing is encoded twice. */
  readonly tallied: (rows: readonly string[]) => readonly string[]
}

/** `from` says where the rows of so many fields come from: parameters from place 3 and 4 on, or a table. */
export function bulkSql(
  dialect: Pick<Dialect, 'param' | 'decodeRows' | 'decodeStamps' | 'encodesByField'>,
  table: Table,
  from: (fields: readonly Field[], first: number) => string = dialect.decodeRows,
): BulkSql {
  const [scope, n, count] = [1, 2, 3].map((place) => dialect.param(place)) as [string, string, string]
  const target = quoted(table.name)
  const names = table.columns.map(({ name }) => quoted(name))
  const fields = bulkFields(table)
  // All that `tally` looks for stands in the first ones.
  const stampFields = fields.slice(0, 4)
  return {
    fields,
    tallied: (rows) => (dialect.encodesByField ? rows.slice(0, stampFields.length) : rows),
    upsert: `INSERT INTO ${target} AS t (scope, id, updated_at, updated_by, deleted, position, created_position, ${names.join(', ')})
SELECT ${scope}, j.i$, j.a$, j.b$, j.d$ IS TRUE, b.base$ + j.o$, b.base$ + j.o$, ${table.columns.map(({ key }) => `j.${key}`).join(', ')}
FROM ${from(fields, 3)} CROSS JOIN (SELECT ${basePosition(scope, n)} AS base$) AS b WHERE true
${onConflictWhere(['updated_at', 'updated_by', 'deleted', 'position', ...names])}`,
    peek: `SELECT count(CASE WHEN t.updated_at = j.a$ AND t.updated_by = j.b$ THEN 1 END),
count(CASE WHEN (t.updated_at, t.updated_by) > (j.a$, j.b$) THEN 1 END),
string_agg(CASE WHEN t.id IS NULL OR (t.updated_at, t.updated_by) < (j.a$, j.b$) THEN j.i$ END, '
')
FROM ${dialect.decodeStamps(2)} LEFT JOIN ${target} AS t ON t.scope = ${scope} AND t.id = j.i$`,
    // Looks for stamps only where not every row was written: in a first import there is nothing to look for.
    tally: `SELECT w.n$, CASE WHEN w.n$ < ${count} THEN (SELECT count(*) FROM ${from(dialect.encodesByField ? stampFields : fields, 4)}
JOIN ${target} AS t ON t.scope = ${scope} AND t.id = j.i$ AND t.updated_at = j.a$ AND t.updated_by = j.b$) END
FROM (SELECT count(*) AS n$ FROM ${target} WHERE scope = ${scope} AND position > ${basePosition(scope, n)}) AS w`,
  }
}

/** Id, ordinal, the stamp's halves, whether it is a delete, and the columns. */
export function bulkFields({ columns }: Table): readonly Field[] {
  return [
    { name: 'i$', type: 'text' },
    { name: 'o$', type: 'integer' },
    { name: 'a$', type: 'integer' },
    { name: 'b$', type: 'text' },
    { name: 'd$', type: 'boolean' },
    ...columns.map(({ key, type }) => ({ name: key, type })),
  ]
}

/** The guard of last writer wins where no loser is wanted back. */
export function onConflictWhere(columns: readonly string[]): string {
  return `ON CONFLICT (scope, id) DO UPDATE SET ${columns.map((column) => `${column} = excluded.${column}`).join(', ')}
WHERE (t.updated_at, t.updated_by) < (excluded.updated_at, excluded.updated_by)`
}
