import type { Table, TableColumn } from '../../model/table.ts'
import { type AdoptedSpelling, appColumns, isAlive, sourceOf } from '../adopted/spelling.ts'
import { quoted } from '../quoted.ts'

/** Side rows lie in a schema of their own, where no tool of the app's meets them. */
export const adoptedInPostgres: AdoptedSpelling = {
  side: ({ name }) => `driftline.${quoted(name)}`,
  app: ({ schema, table }) => (schema === undefined ? quoted(table) : `${quoted(schema)}.${quoted(table)}`),
  key: ({ keyType }, id) => (keyType === 'text' ? id : `${id}::${keyType === 'uuid' ? 'uuid' : 'bigint'}`),
  id: ({ key }, row) => `${row}.${quoted(key)}::text`,
  scope: ({ scope }, row) => ('column' in scope ? `${row}.${quoted(scope.column)}::text` : `(${scope.sql})::text`),
  read,
  // The function takes the type of the column: enum, citext, inet and whatever else is text to a
  // phone.
  write: (adopted, column, value, type) =>
    type === 'text' || type === 'uuid' || type === 'json'
      ? `driftline.typed(${type === 'text' ? value : `${value}::text`}, (NULL::${adoptedInPostgres.app(adopted)}).${quoted(column)})`
      : value,
  now: 'now()',
}

/** What Postgres stores and no phone can hold (infinite, not a number, before Christ) is null. */
function read(column: TableColumn, row: string): string {
  const value = `${row}.${quoted(sourceOf(column))}`
  switch (column.type) {
    case 'real':
      return `CASE WHEN ${value}::double precision - ${value}::double precision = 0 THEN ${value}::double precision END`
    case 'decimal':
      return `CASE WHEN ${value}::numeric - ${value}::numeric = 0 THEN ${value}::numeric END`
    case 'timestamp':
      return `CASE WHEN ${value} >= '0001-01-01Z'::timestamptz AND ${value} < '10000-01-01Z'::timestamptz THEN ${value} END`
    case 'integer':
      return `CASE WHEN ${value} BETWEEN -${Number.MAX_SAFE_INTEGER} AND ${Number.MAX_SAFE_INTEGER} THEN ${value}::bigint END`
    case 'json':
      return `${value}::json`
    case 'text':
    case 'uuid':
      return `${value}::${column.type}`
    default:
      return value
  }
}

/**
 * An id out of a side row has their collation, by which the index of a key that is text knows
 * nothing: as a column of a subquery it gives way to the key's own.
 */
export const plainId = (id: string): string => `${id} COLLATE "default"`

/** OFFSET 0 keeps it a search by the key, row by row, whatever the statistics say. */
export function joinApp(table: Table, side: string): string {
  const { adopted, columns } = table
  if (!adopted || columns.length === 0) return ''
  const { app, key, scope } = adoptedInPostgres
  const own = `own$.${quoted(adopted.key)} = ${key(adopted, 'keyed$.id$')} AND ${scope(adopted, 'own$')} = ${side}.scope`
  return ` LEFT JOIN LATERAL (SELECT ${appColumns(table, adopted, adoptedInPostgres, 'own$')} FROM (SELECT ${plainId(`${side}.id`)} AS id$) AS keyed$ CROSS JOIN ${app(adopted)} AS own$ WHERE ${own}${isAlive(adopted, 'own$')} OFFSET 0) AS app$ ON true`
}
