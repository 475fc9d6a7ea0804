import { base64urlToHex } from '../sync/bytes.ts'
import type { Schema, Table, TableColumn } from '../sync/table.ts'
import type { ColumnType } from '../sync/value.ts'

export type DialectName = 'postgres' | 'sqlite'

/** What the columns are made of, per dialect. SQLite's tables are STRICT, so that a type is kept and not a wish. */
const columnTypes: Record<DialectName, Record<ColumnType, string>> = {
  postgres: {
    text: 'text',
    integer: 'bigint',
    real: 'double precision',
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
    boolean: 'INTEGER',
    json: 'TEXT',
    timestamp: 'TEXT',
    uuid: 'TEXT',
    bytes: 'BLOB',
  },
}

/** A column of the database: what a table must have. */
export interface DatabaseColumn {
  readonly name: string
  readonly type: string
  /** Text that takes part in keys and in the order of stamps is compared byte by byte everywhere. */
  readonly key: boolean
}

/** driftline's own table: a row for each scope. */
export function scopeColumns(dialect: DialectName): DatabaseColumn[] {
  const { text, integer } = columnTypes[dialect]
  return [
    { name: 'scope', type: text, key: true },
    { name: 'incarnation', type: text, key: false },
    { name: 'position', type: integer, key: false },
    { name: 'watermark', type: integer, key: false },
    { name: 'row_bytes', type: integer, key: false },
  ]
}

/** The columns of driftline in every synced table, all NOT NULL. */
export function systemColumnsOf(dialect: DialectName): DatabaseColumn[] {
  const { text, integer, boolean } = columnTypes[dialect]
  return [
    { name: 'scope', type: text, key: true },
    { name: 'id', type: text, key: true },
    { name: 'updated_at', type: integer, key: false },
    { name: 'updated_by', type: text, key: true },
    { name: 'deleted', type: boolean, key: false },
    { name: 'position', type: integer, key: false },
    { name: 'created_position', type: integer, key: false },
  ]
}

export function columnType(dialect: DialectName, type: ColumnType): string {
  return columnTypes[dialect][type]
}

/** All of a schema, driftline's own table first. */
export function createTables(schema: Schema, dialect: DialectName): string[] {
  const scopes = scopeColumns(dialect).map((column, place) =>
    place === 0 ? `${keyed(dialect, column)} PRIMARY KEY` : required(dialect, column),
  )
  return [
    createStatement(dialect, 'driftline_scopes', scopes),
    ...schema.tables.flatMap((table) => createTable(table, dialect)),
  ]
}

/** A synced table: isolation is in the key, and the index is the order of a pull. */
export function createTable(table: Table, dialect: DialectName): string[] {
  const lines = [
    ...systemColumnsOf(dialect).map((column) => required(dialect, column)),
    ...table.columns.map((column) => userColumn(column, dialect)),
    'PRIMARY KEY (scope, id)',
  ]
  return [
    createStatement(dialect, `"${table.name}"`, lines),
    `CREATE INDEX "${table.name}_position" ON "${table.name}" (scope, position)`,
  ]
}

/**
 * A column for a table that has rows. The DEFAULT serves the rows that are there, and a server of the version before,
 * which still inserts without the column. A required column without one would have no value for them: undefined.
 */
export function addColumn(table: Table, column: TableColumn, dialect: DialectName): string | undefined {
  if (!column.nullable && column.default === undefined) return undefined
  const value = column.default === undefined ? '' : ` DEFAULT ${literal(column, dialect)}`
  const [definition = '', check = ''] = userColumn(column, dialect).split(/(?= CHECK)/)
  return `ALTER TABLE "${table.name}" ADD COLUMN ${definition}${value}${check}`
}

/** Not NOT NULL: a tombstone keeps no value of the user's. */
function userColumn({ name, type, nullable }: TableColumn, dialect: DialectName): string {
  return `"${name}" ${columnTypes[dialect][type]}${nullable ? '' : ` CHECK (deleted OR "${name}" IS NOT NULL)`}`
}

function createStatement(dialect: DialectName, name: string, lines: readonly string[]): string {
  return `CREATE TABLE ${name} (\n  ${lines.join(',\n  ')}\n)${dialect === 'sqlite' ? ' STRICT' : ''}`
}

function required(dialect: DialectName, column: DatabaseColumn): string {
  return `${keyed(dialect, column)} NOT NULL`
}

function keyed(dialect: DialectName, { name, type, key }: DatabaseColumn): string {
  return `${name} ${type}${key && dialect === 'postgres' ? ' COLLATE "C"' : ''}`
}

function literal({ type, default: value }: TableColumn, dialect: DialectName): string {
  if (type === 'boolean') return dialect === 'postgres' ? String(value) : value ? '1' : '0'
  if (type === 'integer' || type === 'real') return String(value)
  if (type === 'bytes') {
    const hex = base64urlToHex(String(value))
    return dialect === 'postgres' ? `'\\x${hex}'` : `x'${hex}'`
  }
  return `'${(type === 'json' ? JSON.stringify(value) : String(value)).replaceAll("'", "''")}'`
}
