import { indexName, uniqueIndex } from '../model/index-name.ts'
import { baseAt, baseBy, hasStamp, isCounter, stampColumn } from '../model/merge.ts'
import { isAdopted, type Schema, type Table, type TableColumn } from '../model/table.ts'
import type { ColumnType } from '../model/value.ts'
import type { Dialect } from '../sql/dialect.ts'
import { literal } from '../sql/literal.ts'
import { quoted } from '../sql/quoted.ts'
import { adoptTable } from './adopted/adopt-table.ts'

export type DialectName = Dialect['name']
export const dialectNames: readonly DialectName[] = ['postgres', 'sqlite']

/**
 * A column that driftline keeps itself, NOT NULL. `ordered`: text that takes part in keys or in the
 * order of stamps.
 */
export interface SystemColumn {
  readonly name: string
  readonly type: ColumnType
  readonly ordered?: true
}

/** The columns of every synced table before the user's own. */
export const rowColumns: readonly SystemColumn[] = [
  { name: 'scope', type: 'text', ordered: true },
  { name: 'id', type: 'text', ordered: true },
  { name: 'updated_at', type: 'integer' },
  { name: 'updated_by', type: 'text', ordered: true },
  { name: 'deleted', type: 'boolean' },
  { name: 'position', type: 'integer' },
  { name: 'created_position', type: 'integer' },
]

/** The columns of driftline_scopes, whose key is the scope. */
export const scopeColumns: readonly SystemColumn[] = [
  { name: 'scope', type: 'text', ordered: true },
  { name: 'incarnation', type: 'text' },
  { name: 'position', type: 'integer' },
  { name: 'watermark', type: 'integer' },
  { name: 'row_bytes', type: 'integer' },
]

/**
 * A column of driftline_scopes that came later: at or below this time it is not remembered which
 * adds were counted.
 */
export const addsFloor: SystemColumn = { name: 'adds_floor', type: 'integer' }

/**
 * The columns of driftline_adds: what was added to counters, so that each add counts once. Time
 * comes first in its key, so that what is new goes to its end.
 */
export const addColumns: readonly SystemColumn[] = [
  { name: 'scope', type: 'text', ordered: true },
  { name: 'at', type: 'integer' },
  { name: 'by', type: 'text', ordered: true },
  { name: 'tbl', type: 'text', ordered: true },
  { name: 'id', type: 'text', ordered: true },
  { name: 'col', type: 'text', ordered: true },
  { name: 'n', type: 'integer' },
  { name: 'position', type: 'integer' },
]
export const addKey = ['scope', 'at', 'by', 'tbl', 'id', 'col']

/** The columns of driftline_marks: the position that a scope had reached at a time, for pruning. */
export const markColumns: readonly SystemColumn[] = [
  { name: 'scope', type: 'text', ordered: true },
  { name: 'position', type: 'integer' },
  { name: 'at', type: 'integer' },
]

/**
 * The columns of driftline_inbox: the webhooks that took effect, and what came of each change
 * (P14).
 */
export const inboxColumns: readonly SystemColumn[] = [
  { name: 'scope', type: 'text', ordered: true },
  { name: 'source', type: 'text', ordered: true },
  { name: 'id', type: 'text', ordered: true },
  { name: 'received_at', type: 'integer' },
  { name: 'outcome', type: 'text' },
  { name: 'details', type: 'text' },
]

/**
 * The columns of driftline_deliveries: what outgoing webhooks have yet to tell, and when. `next_at`
 * is in microseconds. `disabled_at`: since when this one, the first of its scope and endpoint, is
 * tried no more, and those behind it wait; else 0.
 */
export const deliveryColumns: readonly SystemColumn[] = [
  { name: 'scope', type: 'text', ordered: true },
  { name: 'endpoint', type: 'text', ordered: true },
  { name: 'position', type: 'integer' },
  { name: 'from_position', type: 'integer' },
  { name: 'id', type: 'text' },
  { name: 'created_at', type: 'integer' },
  { name: 'next_at', type: 'integer' },
  { name: 'attempts', type: 'integer' },
  { name: 'last_error', type: 'text' },
  { name: 'disabled_at', type: 'integer' },
]

/** What each column type is in a database. */
export const sqlTypes: { readonly [name in DialectName]: { readonly [type in ColumnType]: string } } = {
  postgres: {
    text: 'text',
    integer: 'bigint',
    real: 'double precision',
    decimal: 'numeric',
    boolean: 'boolean',
    json: 'json',
    timestamp: 'timestamptz',
    uuid: 'uuid',
    bytes: 'bytea',
  },
  sqlite: {
    text: 'TEXT',
    integer: 'INTEGER',
    real: 'REAL',
    decimal: 'TEXT',
    boolean: 'INTEGER',
    json: 'TEXT',
    timestamp: 'TEXT',
    uuid: 'TEXT',
    bytes: 'BLOB',
  },
}

/**
 * Only a STRICT table turns the numbers that JavaScript binds back into integers, and refuses what
 * is none.
 */
const tableEnd = { postgres: ')', sqlite: ') STRICT' }

/** All of a schema's tables, driftline's own first, as statements without semicolons. */
export function createTables(schema: Schema, dialect: DialectName): string[] {
  return [...createSystem(dialect), ...schema.tables.flatMap((table) => createTable(table, dialect))]
}

/** The tables that driftline keeps beside those of the schema. */
export function createSystem(dialect: DialectName): string[] {
  const [scope, ...rest] = scopeColumns.map((column) => systemColumn(column, dialect))
  const required = (column: string) => `${column} NOT NULL`
  const columnsOf = (columns: readonly SystemColumn[]) =>
    columns.map((column) => required(systemColumn(column, dialect)))
  return [
    createStatement(
      'driftline_scopes',
      [`${scope} PRIMARY KEY`, ...rest.map(required), `${required(systemColumn(addsFloor, dialect))} DEFAULT 0`],
      dialect,
    ),
    createStatement('driftline_marks', [...columnsOf(markColumns), 'PRIMARY KEY (scope, position)'], dialect),
    createStatement('driftline_inbox', [...columnsOf(inboxColumns), 'PRIMARY KEY (scope, source, id)'], dialect),
    'CREATE INDEX driftline_inbox_received ON driftline_inbox (received_at)',
    createStatement(
      'driftline_deliveries',
      [...columnsOf(deliveryColumns), 'PRIMARY KEY (scope, endpoint, position)'],
      dialect,
    ),
    'CREATE INDEX driftline_deliveries_due ON driftline_deliveries (endpoint, next_at)',
    createStatement(
      'driftline_adds',
      [...columnsOf(addColumns), `PRIMARY KEY (${addKey.join(', ')})`],
      dialect,
      'keyed',
    ),
  ]
}

/** A table and its indexes. */
export function createTable(table: Table, dialect: DialectName): string[] {
  if (isAdopted(table)) return adoptTable(table, dialect)
  return [
    createRows(table, dialect),
    createPositionIndex(table.name),
    createLivingIndex(table.name),
    ...table.unique.map((key) => createUniqueIndex(table.name, key)),
  ]
}

/**
 * Of the rows that live: a tombstone may keep what a server of before does not know, and is in
 * nobody's way.
 */
export function createUniqueIndex(table: string, key: readonly string[]): string {
  return `CREATE UNIQUE INDEX ${quoted(uniqueIndex(table, key))} ON ${quoted(table)} (${['scope', ...key.map(quoted)].join(', ')}) WHERE NOT deleted`
}

export const dropIndex = (name: string): string => `DROP INDEX IF EXISTS ${quoted(name)}`

/** What driftline keeps beside the user's columns: the stamps of those that have their own. */
export function stampColumnsOf(table: Table): readonly SystemColumn[] {
  const own = table.columns.filter((column) => hasStamp(table, column))
  return [
    ...own.map(({ name }): SystemColumn => ({ name: stampColumn(name), type: 'text', ordered: true })),
    ...(table.byColumn ? baseColumns : []),
  ]
}

const baseColumns: readonly SystemColumn[] = [
  { name: baseAt, type: 'integer' },
  { name: baseBy, type: 'text', ordered: true },
]

/** A column with stamps, which is NULL where they are the row's. */
export function addStampColumn(table: string, column: SystemColumn, dialect: DialectName): string {
  return `ALTER TABLE ${quoted(table)} ADD COLUMN ${stampColumnText(column, dialect)}`
}

const stampColumnText = ({ name, ...column }: SystemColumn, dialect: DialectName) =>
  systemColumn({ name: quoted(name), ...column }, dialect)

/**
 * The table alone. One that takes the place of another has another `name` first, and the defaults
 * that `addColumn` may have given that. The scope comes first in the key: isolation is in the key,
 * not in a filter that someone can forget.
 */
export function createRows(table: Table, dialect: DialectName, name?: string): string {
  const lines = [
    ...rowColumns.map((column) => `${systemColumn(column, dialect)} NOT NULL`),
    ...table.columns.map((column) => userColumn(column, dialect, name === undefined ? undefined : column.default)),
    ...stampColumnsOf(table).map((column) => stampColumnText(column, dialect)),
    'PRIMARY KEY (scope, id)',
  ]
  return createStatement(quoted(name ?? table.name), lines, dialect)
}

/** The order of pulls. */
export function createPositionIndex(table: string): string {
  return `CREATE INDEX ${quoted(positionIndex(table))} ON ${quoted(table)} (scope, position)`
}

/**
 * The order of bootstraps, which so pass over tombstones, however many there are. Without it they
 * read them all.
 */
export function createLivingIndex(table: string): string {
  return `CREATE INDEX ${quoted(livingIndex(table))} ON ${quoted(table)} (scope, position, deleted) WHERE NOT deleted`
}

export const positionIndex = (table: string): string => indexName(table, '_position')
export const livingIndex = (table: string): string => indexName(table, '_position_living')

/**
 * A new column of a table that may hold rows. A column that is nullable comes as it is: the rows
 * have NULL. One with a default gets it in the database too, for the rows that exist and for those
 * that an older server, which does not know the column, still inserts; tombstones get it as well,
 * and nobody sees it there. Both databases keep the default beside the rows and rewrite none of
 * them, but read all once for the CHECK. `fillColumn` gives the rows another value than its 0.
 */
export function addColumn(table: Table, column: TableColumn, dialect: DialectName): string {
  const preset = isNumbered(column) && !column.nullable ? 0 : column.default
  if (!column.nullable && preset === undefined) {
    throw new TypeError(`${table.name}.${column.name} needs a default, or nullable: true, to be added to a table`)
  }
  return `ALTER TABLE ${quoted(table.name)} ADD COLUMN ${userColumn(column, dialect, preset)}`
}

/** Whether a column holds the position of the put that made the row, which each row has kept. */
export const isNumbered = ({ filled, type }: Pick<TableColumn, 'filled' | 'type'>): boolean =>
  filled === 'created' && type === 'integer'

/** What the rows that exist have in a new column of that kind. */
export function fillColumn(table: Table, { name }: TableColumn): string {
  return `UPDATE ${quoted(table.name)} SET ${quoted(name)} = CASE WHEN NOT deleted THEN created_position END`
}

function createStatement(name: string, lines: readonly string[], dialect: DialectName, keyed?: 'keyed'): string {
  const end = `${tableEnd[dialect]}${keyed && dialect === 'sqlite' ? ', WITHOUT ROWID' : ''}`
  return `CREATE TABLE ${name} (\n${lines.map((line) => `  ${line}`).join(',\n')}\n${end}`
}

/**
 * COLLATE "C": by bytes, as JavaScript and SQLite order them, and not as the language of the
 * database does.
 */
function systemColumn({ name, type, ordered }: SystemColumn, dialect: DialectName): string {
  return `${name} ${sqlTypes[dialect][type]}${ordered && dialect === 'postgres' ? ' COLLATE "C"' : ''}`
}

/**
 * A tombstone keeps no value, so a required column is not NOT NULL but must have one as long as the
 * row lives.
 */
function userColumn(column: TableColumn, dialect: DialectName, value?: unknown): string {
  const { name, type, nullable } = column
  const preset = value === undefined ? '' : ` DEFAULT ${literal(type, value, dialect)}`
  const check = nullable ? '' : ` CHECK (deleted OR ${quoted(name)} IS NOT NULL)`
  const range = isCounter(column) ? ` ${counterRange(name)}` : ''
  return `${quoted(name)} ${sqlTypes[dialect][type]}${preset}${check}${range}`
}

/** What is added must not lead beyond the integers that JavaScript counts. */
export function counterRange(column: string): string {
  const safe = Number.MAX_SAFE_INTEGER
  return `CHECK (${quoted(column)} BETWEEN -${safe} AND ${safe})`
}
