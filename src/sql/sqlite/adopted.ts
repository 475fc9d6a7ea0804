import type { Table, TableColumn } from '../../model/table.ts'
import { type AdoptedSpelling, appColumns, isAlive, sourceOf } from '../adopted/spelling.ts'
import { quoted } from '../quoted.ts'

export const adoptedInSqlite: AdoptedSpelling = {
  side: ({ name }) => quoted(`driftline_rows_${name}`),
  app: ({ table }) => quoted(table),
  key: ({ keyType }, id) => (keyType === 'integer' ? `CAST(${id} AS INTEGER)` : id),
  id: ({ key }, row) => `CAST(${row}.${quoted(key)} AS TEXT)`,
  scope: ({ scope }, row) =>
    'column' in scope ? `CAST(${row}.${quoted(scope.column)} AS TEXT)` : `CAST((${scope.sql}) AS TEXT)`,
  read,
  write: (_adopted, _column, value) => value,
  now: "strftime('%Y-%m-%dT%H:%M:%fZ')",
}

/**
 * A table that is not STRICT may hold anything in any column. Bytes that are no text would end the
 * process: the driver takes what SQLite calls text for UTF-8.
 */
function read(column: TableColumn, row: string): string {
  const value = `${row}.${quoted(sourceOf(column))}`
  switch (column.type) {
    case 'integer':
      return `CASE WHEN typeof(${value}) <> 'blob' AND abs(CAST(${value} AS REAL)) <= ${Number.MAX_SAFE_INTEGER} THEN CAST(${value} AS INTEGER) END`
    case 'real':
      return `CASE WHEN abs(CAST(${value} AS REAL)) <= 1.7976931348623157e308 THEN CAST(${value} AS REAL) END`
    case 'boolean':
      return `CASE WHEN ${value} IS NULL THEN NULL WHEN ${value} THEN 1 ELSE 0 END`
    case 'json':
      return `CASE WHEN typeof(${value}) <> 'blob' AND json_valid(${value}) THEN json(${value}) END`
    case 'timestamp':
      return timeText(value, column.rules.digits)
    case 'uuid':
      return `lower(${asText(value)})`
    case 'bytes':
      return `CAST(${value} AS BLOB)`
    default:
      return asText(value)
  }
}

const asText = (value: string) => `CASE WHEN typeof(${value}) <> 'blob' THEN CAST(${value} AS TEXT) END`

/** As driftline writes it, or in another form that SQLite knows, CURRENT_TIMESTAMP before all. */
const timeText = (value: string, digits = 3) =>
  digits === 3
    ? `strftime('%Y-%m-%dT%H:%M:%fZ', ${value})`
    : `CASE WHEN ${value} GLOB '????-??-??T??:??:??.??????Z' THEN ${value} ELSE strftime('%Y-%m-%dT%H:%M:%f000Z', ${value}) END`

/** SQLite looks the key up by its index: what the subquery renames it takes for the columns. */
export function joinApp(table: Table, side: string): string {
  const { adopted, columns } = table
  if (!adopted || columns.length === 0) return ''
  const { app, key, scope } = adoptedInSqlite
  const own = `app$.key$ = ${key(adopted, `${side}.id`)} AND app$.scope$ = ${side}.scope`
  return ` LEFT JOIN (SELECT ${appColumns(table, adopted, adoptedInSqlite, 'own$')}, ${scope(adopted, 'own$')} AS scope$ FROM ${app(adopted)} AS own$ WHERE 1 = 1${isAlive(adopted, 'own$')}) AS app$ ON ${own}`
}
