import type { Schema, Table } from '../sync/table.ts'
import { type BulkSql, bulkSql } from './bulk-sql.ts'
import { basePosition, type Dialect, type Field, quoted, rowOctets } from './dialect.ts'
import type { Raise } from './markers.ts'

/** The statements of one table, and of the scope, in one dialect. All text, built once; values come as parameters. */
export interface TableSql {
  readonly table: Table
  /** Fields of the upsert's rows, and of the patches'. */
  readonly rowFields: readonly Field[]
  readonly patchFields: readonly Field[]
  /** [scope, client, n, …rows] → result lines; `brief` leaves the rows of winners out. */
  readonly upsert: string
  readonly upsertBrief: string
  /** The same with stamps that are raised above what is stored: these changes win. */
  readonly upsertNewest: string
  /** [scope, client, n, …patches] → result lines of the patches that won. */
  readonly update: string
  readonly updateNewest: string
  /** As `update`, and gives nothing back. */
  readonly updateSilent: string
  /** [scope, ids, n] → result lines of the rows that this transaction did not write. */
  readonly losers: string
  /** [scope, ids] → result lines without rows: the state before the writes. */
  readonly states: string
  /** [scope, client, …steps]: aborts where one of the patches would find no row. */
  readonly missing: string
  /** The same → ordinal and stamp of each such patch. */
  readonly missingList: string
  /** [scope, client, …reaches]: aborts where a row was not written although nothing newer is stored. */
  readonly swallowed: string
  /** An expression over the parameters from `first` on: the bytes of the stored rows, each times its number of changes. */
  readonly weight: (first: number) => string
  readonly bulk: BulkSql
  /** [scope, source, id, received at, details, …forecasts] → the letters of all changes so far: claims a webhook's id. */
  readonly claim: string
}

export interface ScopeSql {
  /**
   * [scope, incarnation, n, row bytes, row bytes at the most] → the head. Locks the scope to the commit and takes n
   * positions. Aborts where the scope has held a larger row.
   */
  readonly lock: string
  /** [scope, incarnation, floor, n]: aborts where the cursor must resync. */
  readonly gate: string
  /** [scope, source, id]: aborts where this webhook has taken effect already. */
  readonly repeated: string
  /** [scope, source, id] → letters and details of a webhook. */
  readonly recall: string
  /** [scope, source, id, letters] */
  readonly rewriteClaim: string
  /** The beginning of [scope, bytes, …]: aborts where the expression that follows is above so many bytes. */
  readonly weigh: string
  /** [scope, incarnation, n, row bytes] → nothing: the lock of a rehearsal. */
  readonly trialLock: string
  /** [scope]: aborts in any case. */
  readonly probe: string
  /** [scope, position, start, n, limit] → the head and one page. */
  readonly page: string
  /** The same where the scope's rows may be large: looks at their sizes. */
  readonly sizedPage: string
}

/** Fields of the parameters. Their names end in $, which no column's may, so that none can be taken for another. */
export const stepFields: readonly Field[] = [
  { name: 'i$', type: 'text' },
  { name: 'o$', type: 'integer' },
  { name: 'a$', type: 'integer' },
  { name: 'p$', type: 'integer' },
  { name: 'q$', type: 'boolean' },
]
/** The stamp that a row must have reached, and whether it must be there at all. */
export const reachFields: readonly Field[] = [
  { name: 'i$', type: 'text' },
  { name: 'o$', type: 'integer' },
  { name: 'a$', type: 'integer' },
  { name: 'q$', type: 'boolean' },
]
export const weightFields: readonly Field[] = [
  { name: 'i$', type: 'text' },
  { name: 'm$', type: 'integer' },
]
export const forecastFields: readonly Field[] = [
  { name: 'i$', type: 'text' },
  { name: 'o$', type: 'integer' },
  { name: 'a$', type: 'integer' },
  { name: 'b$', type: 'integer' },
  { name: 'v$', type: 'text' },
]

export function tableSql(dialect: Dialect, table: Table, raise: Raise): TableSql {
  const [scope, client, n] = [1, 2, 3].map((place) => dialect.param(place)) as [string, string, string]
  const names = table.columns.map(({ name }) => quoted(name))
  const target = quoted(table.name)
  const rowFields: Field[] = [
    { name: 'i$', type: 'text' },
    { name: 'o$', type: 'integer' },
    { name: 'a$', type: 'integer' },
    { name: 'd$', type: 'boolean' },
    ...table.columns.map(({ key, type }) => ({ name: key, type })),
  ]
  const patchFields: Field[] = [
    ...rowFields.slice(0, 3),
    ...table.columns.flatMap(({ key, type }): Field[] => [
      { name: key, type },
      { name: stampKey(key), type: 'integer' },
    ]),
  ]
  const base = `(SELECT ${basePosition(scope, n)} AS base$) AS b`
  const upsert = (
    returned: 'all' | 'brief',
    stamp = 'j.a$',
    stored = '',
  ) => `INSERT INTO ${target} AS t (scope, id, updated_at, updated_by, deleted, position, created_position, ${names.join(', ')})
SELECT ${scope}, j.i$, ${stamp}, ${client}, j.d$ IS TRUE, b.base$ + j.o$, b.base$ + j.o$, ${table.columns.map(({ key }) => `j.${key}`).join(', ')}
FROM ${dialect.decodeRows(rowFields, 4)} CROSS JOIN ${base}${stored} WHERE true
${dialect.onConflict(['updated_at', 'updated_by', 'deleted', 'position', ...names])}
RETURNING ${resultLine(dialect, table, dialect.returnsLosers ? { beyond: basePosition(scope, n) } : 'all', returned)}`
  const update = (
    returned: 'all' | 'brief' | 'nothing',
    isSet: (stamp: string) => string,
    stamp: string,
    guard: string,
  ) => `UPDATE ${target} AS t SET
${table.columns.map(({ name, key }) => `${quoted(name)} = CASE WHEN ${isSet(`j.${stampKey(key)}`)} THEN j.${key} ELSE t.${quoted(name)} END`).join(',\n')},
updated_at = ${stamp}, updated_by = ${client}, position = b.base$ + j.o$
FROM ${dialect.decodeRows(patchFields, 4)} CROSS JOIN ${base}
WHERE t.scope = ${scope} AND t.id = j.i$ AND NOT t.deleted${guard}${
    returned === 'nothing'
      ? ''
      : `
RETURNING ${resultLine(dialect, table, 'all', returned)}`
  }`
  const guardedUpdate = (returned: 'all' | 'nothing') =>
    update(
      returned,
      (stamp) => `(t.updated_at, t.updated_by) < (${stamp}, ${client})`,
      'j.a$',
      ` AND (t.updated_at, t.updated_by) < (j.a$, ${client})`,
    )
  const missing = (selected: string) => `SELECT ${selected} FROM ${dialect.decodeRows(stepFields, 3)}
LEFT JOIN ${target} AS t ON t.scope = ${scope} AND t.id = j.i$
WHERE CASE WHEN t.id IS NULL THEN j.p$ IS NULL OR j.q$
ELSE (t.deleted AND (t.updated_at, t.updated_by) < (j.a$, ${client}) AND (j.p$ IS NULL OR (t.updated_at, t.updated_by) >= (j.p$, ${client})))
OR (j.q$ AND (t.updated_at, t.updated_by) < (j.p$, ${client})) END`
  return {
    table,
    rowFields,
    patchFields,
    upsert: upsert('all'),
    upsertBrief: upsert('brief'),
    // Nobody else of driftline's writes the row meanwhile: the scope is locked.
    upsertNewest: upsert(
      'brief',
      raised('o.updated_at'),
      ` LEFT JOIN ${target} AS o ON o.scope = ${scope} AND o.id = j.i$`,
    ),
    // Each column by itself: a function of the column alone, so that another merge rule would have one place to go.
    update: guardedUpdate('all'),
    updateSilent: guardedUpdate('nothing'),
    updateNewest: update('brief', (stamp) => `${stamp} IS NOT NULL`, raised('t.updated_at'), ''),
    losers: `SELECT ${resultLine(dialect, table, 'none', 'all')} ${dialect.fromIds(table, scope, client)}
AND ${dialect.unwritten(table, scope, n)}`,
    states: `SELECT ${resultLine(dialect, table, 'none', 'none')} ${dialect.fromIds(table, scope, client)}`,
    // j.p$ and j.q$: the stamp of the put or delete before the patch in the change set, and whether it is a delete.
    missing: missing(raise('driftline_missing', 'j.o$')),
    missingList: missing('j.o$, j.a$'),
    swallowed: `SELECT ${raise('driftline_swallowed', 'j.o$')} ${swallowedFrom(dialect, table, scope, client, 3)}`,
    bulk: bulkSql(dialect, table),
    weight: (first) =>
      `coalesce((SELECT sum(j.m$ * (${rowOctets(table, dialect.octets)})) FROM ${dialect.decodeRows(weightFields, first)} JOIN ${target} AS t ON t.scope = ${scope} AND t.id = j.i$), 0)`,
    claim: `INSERT INTO driftline_inbox AS w (scope, source, id, received_at, details, outcome)
SELECT ${[1, 2, 3, 4, 5].map((place) => dialect.param(place)).join(', ')}, string_agg(CASE
WHEN t.id IS NULL THEN substr(j.v$, 2, 1)
WHEN (t.updated_at, t.updated_by) > (j.a$, ${client}) THEN 's'
WHEN (t.updated_at, t.updated_by) = (j.a$, ${client}) THEN CASE WHEN t.deleted THEN substr(j.v$, 5, 1) ELSE '=' END
WHEN (t.updated_at, t.updated_by) < (j.b$, ${client}) THEN substr(j.v$, 1, 1)
WHEN t.deleted THEN substr(j.v$, 3, 1) ELSE substr(j.v$, 4, 1) END, '' ORDER BY j.o$)
FROM ${dialect.decodeRows(forecastFields, 6)} LEFT JOIN ${target} AS t ON t.scope = ${scope} AND t.id = j.i$ WHERE true
ON CONFLICT (scope, source, id) DO UPDATE SET outcome = w.outcome || excluded.outcome RETURNING outcome`,
  }
}

/** A stamp that is later than what is stored, and the server's clock where that is later still. */
const raised = (stored: string) => `CASE WHEN ${stored} >= j.a$ THEN ${stored} + 1 ELSE j.a$ END`

/** Name of the field with the stamp of a column's patch, beside the field with its value. */
export const stampKey = (key: string) => key.replace('c', 's')

/** The rows that a trigger kept from being written: no newer stamp is stored, and not this one either. */
export function swallowedFrom(
  dialect: Pick<Dialect, 'decodeRows'>,
  table: Table,
  scope: string,
  client: string,
  first: number,
): string {
  return `FROM ${dialect.decodeRows(reachFields, first)}
LEFT JOIN ${quoted(table.name)} AS t ON t.scope = ${scope} AND t.id = j.i$
WHERE CASE WHEN t.id IS NULL THEN j.q$ ELSE (t.updated_at, t.updated_by) < (j.a$, ${client}) END`
}

/**
 * A row of a result: i (inserted), u (updated) or - (not written here); the stored stamp's two halves; 1 for a
 * tombstone; the id; and the row. A brief line says of a row written here only that it was: the client holds it already.
 * Written here were all, none, or those beyond a position; that takes a subquery, which Citus does not take in the
 * RETURNING of an INSERT.
 */
function resultLine(
  dialect: Dialect,
  table: Table,
  written: 'all' | 'none' | { readonly beyond: string },
  rows: 'all' | 'brief' | 'none',
): string {
  const winner = "CASE WHEN created_position = position THEN 'i' ELSE 'u' END"
  const brief = (empty: string) => dialect.line([winner, empty, empty, empty, 'id'])
  // NULL is the cheapest cell.
  if (rows === 'brief' && written === 'all') return brief('NULL')
  const isWinner = typeof written === 'object' ? `position > ${written.beyond}` : ''
  const sign =
    written === 'all' ? winner : written === 'none' ? "'-'" : `CASE WHEN ${isWinner} THEN ${winner} ELSE '-' END`
  const stamp = ['updated_at', 'updated_by', 'CASE WHEN deleted THEN 1 ELSE 0 END']
  const row = rows === 'none' ? [] : dialect.row(table)
  const line = dialect.line([sign, ...stamp, 'id', ...row])
  return rows === 'brief' ? `CASE WHEN ${isWinner} THEN ${brief("''")} ELSE ${line} END` : line
}

/** The cells of a result line before the row. */
export const resultCells = 5

/** [scope, incarnation, n, row bytes]: locks the scope and takes n positions. */
export function lockSql({ param }: Pick<Dialect, 'param'>): string {
  return `INSERT INTO driftline_scopes AS s (scope, incarnation, position, watermark, row_bytes) VALUES (${param(1)}, ${param(2)}, CAST(${param(3)} AS bigint), 0, CAST(${param(4)} AS bigint))
ON CONFLICT (scope) DO UPDATE SET position = s.position + excluded.position,
row_bytes = CASE WHEN s.row_bytes < excluded.row_bytes THEN excluded.row_bytes ELSE s.row_bytes END`
}

export function scopeSql(dialect: Dialect, schema: Schema, bytesMax: number, raise: Raise): ScopeSql {
  const [scope, second, third, fourth, fifth] = [1, 2, 3, 4, 5].map((place) => dialect.param(place))
  return {
    // The row lock is held to the commit, so the order of positions is the order of commits and no pull skips a row.
    lock: `${lockSql(dialect)} RETURNING incarnation, position, watermark,
CASE WHEN row_bytes > ${fifth} THEN ${raise('driftline_large', 'position')} END`,
    gate: `SELECT ${raise('driftline_resync', 's.position')} FROM driftline_scopes AS s WHERE s.scope = ${scope}
AND NOT (s.incarnation = coalesce(${second}, s.incarnation) AND s.watermark <= ${third} AND s.position - ${fourth} >= ${third})`,
    repeated: `SELECT ${raise('driftline_repeated', 'w.received_at')} FROM driftline_inbox AS w WHERE w.scope = ${scope} AND w.source = ${second} AND w.id = ${third}`,
    recall: `SELECT outcome, details FROM driftline_inbox WHERE scope = ${scope} AND source = ${second} AND id = ${third}`,
    rewriteClaim: `UPDATE driftline_inbox SET outcome = ${fourth} WHERE scope = ${scope} AND source = ${second} AND id = ${third}`,
    weigh: `SELECT ${raise('driftline_large', 's.position')} FROM driftline_scopes AS s WHERE s.scope = ${scope} AND ${second} < `,
    trialLock: lockSql(dialect),
    probe: `SELECT ${raise('driftline_probe', 's.position')} FROM driftline_scopes AS s WHERE s.scope = ${scope}`,
    page: dialect.page(schema, { bytesMax, sized: false }),
    sizedPage: dialect.page(schema, { bytesMax, sized: true }),
  }
}
