import type { Schema, Table, TableColumn } from '../sync/table.ts'
import type { Dialect, Field } from './dialect.ts'

/** The statements of one table, and of the scope, in one dialect. All text, built once; values come as parameters. */
export interface TableSql {
  readonly table: Table
  /** Fields of the upsert's rows, and of the patches'. */
  readonly rowFields: readonly Field[]
  readonly patchFields: readonly Field[]
  /** [scope, client, rows, n] → result lines; `brief` leaves the rows of winners out. */
  readonly upsert: string
  readonly upsertBrief: string
  /** [scope, client, patches, n] → result lines of the patches that won. */
  readonly update: string
  /** [scope, ids, n] → result lines of the rows that this transaction did not write. The + keeps the index on position out of it. */
  readonly losers: string
  /** [scope, ids] → result lines without rows: the state before the writes. */
  readonly states: string
  /** [scope, client, steps]: aborts where one of the patches would find no row. */
  readonly missing: string
}

export interface ScopeSql {
  /** [scope, incarnation, n] → the head. Locks the scope to the commit and takes n positions. */
  readonly lock: string
  /** [scope, incarnation, floor, n]: aborts where the cursor must resync. */
  readonly gate: string
  /** [scope]: aborts in any case. */
  readonly probe: string
  /** [scope, position, start, n, limit] → the head and one page. */
  readonly page: string
}

export const idFields: readonly Field[] = [{ name: 'i', type: 'text' }]
export const stepFields: readonly Field[] = [
  { name: 'i', type: 'text' },
  { name: 'o', type: 'integer' },
  { name: 'a', type: 'integer' },
  { name: 'p', type: 'integer' },
  { name: 'q', type: 'boolean' },
]

/** Identifiers are checked where the schema is defined; quoting keeps reserved words usable. */
const quoted = (name: string) => `"${name}"`

export function tableSql(dialect: Dialect, table: Table): TableSql {
  const [scope, client, rows, n] = [1, 2, 3, 4].map((place) => dialect.param(place)) as [string, string, string, string]
  const names = table.columns.map(({ name }) => quoted(name))
  const target = quoted(table.name)
  const rowFields: Field[] = [
    { name: 'i', type: 'text' },
    { name: 'o', type: 'integer' },
    { name: 'a', type: 'integer' },
    { name: 'd', type: 'boolean' },
    ...table.columns.map(({ key, type }) => ({ name: key, type })),
  ]
  const patchFields: Field[] = [
    ...rowFields.slice(0, 3),
    ...table.columns.flatMap(({ key, type }): Field[] => [
      { name: key, type },
      { name: stampKey(key), type: 'integer' },
    ]),
  ]
  const base = `(SELECT position - ${n} AS base FROM driftline_scopes WHERE scope = ${scope}) AS b`
  const upsert = (
    withRows: boolean,
  ) => `INSERT INTO ${target} AS t (scope, id, updated_at, updated_by, deleted, position, created_position, ${names.join(', ')})
SELECT ${scope}, j.i, j.a, ${client}, j.d, b.base + j.o, b.base + j.o, ${table.columns.map(({ key }) => `j.${key}`).join(', ')}
FROM ${dialect.decodeRows(rowFields, rows)} CROSS JOIN ${base} WHERE true
${dialect.onConflict(['updated_at', 'updated_by', 'deleted', 'position', ...names])}
RETURNING ${resultLine(dialect, table, baseOf(scope, n), withRows ? 'all' : 'lost')}`
  const ids = (param: string) => `id IN (SELECT j.i FROM ${dialect.decodeRows(idFields, param)})`
  return {
    table,
    rowFields,
    patchFields,
    upsert: upsert(true),
    upsertBrief: upsert(false),
    // Each column by itself: a function of the column alone, so that another merge rule would have one place to go.
    update: `UPDATE ${target} AS t SET
${table.columns.map(({ name, key }) => `${quoted(name)} = CASE WHEN (t.updated_at, t.updated_by) < (j.${stampKey(key)}, ${client}) THEN j.${key} ELSE t.${quoted(name)} END`).join(',\n')},
updated_at = j.a, updated_by = ${client}, position = b.base + j.o
FROM ${dialect.decodeRows(patchFields, rows)} CROSS JOIN ${base}
WHERE t.scope = ${scope} AND t.id = j.i AND NOT t.deleted AND (t.updated_at, t.updated_by) < (j.a, ${client})
RETURNING ${resultLine(dialect, table, baseOf(scope, n), 'all')}`,
    losers: `SELECT ${resultLine(dialect, table, baseOf(scope, rows), 'all')} FROM ${target} AS t
WHERE scope = ${scope} AND ${ids(client)} AND +position <= ${baseOf(scope, rows)}`,
    states: `SELECT ${resultLine(dialect, table, 'position', 'none')} FROM ${target} AS t WHERE scope = ${scope} AND ${ids(client)}`,
    // j.p and j.q: the stamp of the put or delete before the patch in the change set, and whether it is a delete.
    missing: `SELECT ${dialect.raise('driftline_missing', 'j.o')} FROM ${dialect.decodeRows(stepFields, rows)}
LEFT JOIN ${target} AS t ON t.scope = ${scope} AND t.id = j.i
WHERE CASE WHEN t.id IS NULL THEN j.p IS NULL OR j.q
ELSE (t.deleted AND (t.updated_at, t.updated_by) < (j.a, ${client}) AND (j.p IS NULL OR (t.updated_at, t.updated_by) >= (j.p, ${client})))
OR (j.q AND (t.updated_at, t.updated_by) < (j.p, ${client})) END`,
  }
}

/** Name of the field with the stamp of a column's patch, beside the field with its value. */
const stampKey = (key: string) => key.replace('c', 's')

/** The scope's position before this transaction took its own. */
const baseOf = (scope: string, n: string) => `(SELECT position - ${n} FROM driftline_scopes WHERE scope = ${scope})`

/**
 * One text a row, since every column of a result costs more than its guard: six lines, which neither an id nor JSON can
 * break. i (inserted), u (updated) or - (not written here); the stored stamp's two halves; 1 for a tombstone; the id; the row.
 */
function resultLine(dialect: Dialect, table: Table, base: string, rows: 'all' | 'lost' | 'none'): string {
  const won = `position > ${base}`
  const json = changeJson(dialect, table)
  return dialect.concat([
    `CASE WHEN ${won} THEN CASE WHEN created_position = position THEN 'i' ELSE 'u' END ELSE '-' END`,
    ...['updated_at', 'updated_by', `CASE WHEN deleted THEN 1 ELSE 0 END`, 'id'].flatMap((part) => ["'\n'", part]),
    "'\n'",
    rows === 'none' ? "''" : rows === 'all' ? json : `CASE WHEN ${won} THEN '' ELSE ${json} END`,
  ])
}

/** A row as the change that would write it: the one noun of the wire. */
function changeJson(dialect: Dialect, table: Table): string {
  const row = table.columns.flatMap(({ name, type }, place) => [
    `'${place === 0 ? '' : ','}"${name}":'`,
    dialect.toJson(type, quoted(name)),
  ])
  return dialect.concat([
    `'{"scope":'`,
    dialect.toJson('text', 'scope'),
    `',"table":"${table.name}","op":'`,
    `CASE WHEN deleted THEN '"delete"' ELSE '"put"' END`,
    `',"id":'`,
    dialect.toJson('text', 'id'),
    `',"at":'`,
    'updated_at',
    `',"by":'`,
    dialect.toJson('text', 'updated_by'),
    `',"position":'`,
    'position',
    `CASE WHEN deleted THEN '}' ELSE ${dialect.concat([`',"row":{'`, ...row, `'}}'`])} END`,
  ])
}

export function scopeSql(dialect: Dialect, schema: Schema, pageBytesMax: number): ScopeSql {
  const [scope, second, third, fourth, limit] = [1, 2, 3, 4, 5].map((place) => dialect.param(place)) as [
    string,
    string,
    string,
    string,
    string,
  ]
  const head = 's.incarnation, s.position, s.watermark'
  return {
    // The row lock is held to the commit, so the order of positions is the order of commits and no pull skips a row.
    lock: `INSERT INTO driftline_scopes AS s (scope, incarnation, position, watermark) VALUES (${scope}, ${second}, ${third}, 0)
ON CONFLICT (scope) DO UPDATE SET position = s.position + excluded.position RETURNING incarnation, position, watermark`,
    gate: `SELECT ${dialect.raise('driftline_resync', 's.position')} FROM driftline_scopes AS s WHERE s.scope = ${scope}
AND NOT (s.incarnation = coalesce(${second}, s.incarnation) AND s.watermark <= ${third} AND s.position - ${fourth} >= ${third})`,
    probe: `SELECT ${dialect.raise('driftline_probe', 's.position')} FROM driftline_scopes AS s WHERE s.scope = ${scope}`,
    page: pageSql(dialect, schema, { scope, position: second, start: third, n: fourth, limit }, head, pageBytesMax),
  }
}

/**
 * One statement, so one snapshot: the head and the rows belong together, and no row can lie between two tables' reads.
 * Rows above the head's position less n are this transaction's own and left out. A page ends early once the texts it
 * holds pass the bound on bytes, so that rows of a megabyte do not fill the memory.
 */
function pageSql(
  dialect: Dialect,
  schema: Schema,
  param: Record<'scope' | 'position' | 'start' | 'n' | 'limit', string>,
  head: string,
  bytesMax: number,
): string {
  const upper = baseOf(param.scope, param.n)
  const arms = (select: (table: Table) => string, from: string, tail: string) =>
    schema.tables.map(
      (table) => `SELECT ${select(table)} FROM ${quoted(table.name)} AS t
WHERE scope = ${param.scope} AND position > ${from} AND position <= ${upper} AND (NOT deleted OR position > coalesce(${param.start}, ${upper}))${tail}`,
    )
  const inOrder = (select: (table: Table) => string) => {
    const tail = ` ORDER BY position LIMIT ${param.limit}`
    const all = arms(select, param.position, tail)
    return all.length === 1
      ? `${all[0]}`
      : `${all.map((arm) => `SELECT * FROM (${arm}) AS a`).join('\nUNION ALL\n')}\nORDER BY position`
  }
  const sizes = inOrder((table) => `position, ${rowSize(dialect, table.columns)} AS size`)
  const rows = inOrder((table) => `position, ${changeJson(dialect, table)} AS text`)
  const more = arms(() => '1', 'p.last', '').map((arm) => `EXISTS (${arm})`)
  const page = schema.tables.length === 1 ? `SELECT * FROM (${rows}) AS r ORDER BY position` : rows
  return `SELECT ${head}, p.n, p.last, p.rows, CASE WHEN ${more.join('\nOR ')} THEN 1 ELSE 0 END AS more
FROM driftline_scopes AS s CROSS JOIN (SELECT count(*) AS n, max(u.position) AS last, ${dialect.joinRows} AS rows FROM (${page}
LIMIT (SELECT CASE WHEN coalesce(sum(z.size), 0) <= ${bytesMax} THEN ${param.limit} WHEN max(z.size) >= ${bytesMax} THEN 1 ELSE ${bytesMax} / max(z.size) END
FROM (SELECT size FROM (${sizes}) AS y LIMIT ${param.limit}) AS z)) AS u) AS p
WHERE s.scope = ${param.scope}`
}

function rowSize(dialect: Dialect, columns: readonly TableColumn[]): string {
  const sized = columns.filter(({ type }) => type === 'text' || type === 'json' || type === 'bytes')
  return ['64', ...sized.map(({ name, type }) => `coalesce(${dialect.size(type, quoted(name))}, 0)`)].join(' + ')
}
