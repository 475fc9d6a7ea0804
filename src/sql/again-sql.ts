import { limits } from '../model/limits.ts'
import type { Schema, Table, TableColumn } from '../model/table.ts'
import { columnMark, type Known, shown, tableMark } from '../model/view.ts'
import type { Dialect } from './dialect.ts'
import { literal } from './literal.ts'
import { quoted } from './quoted.ts'

/**
 * [scope, position, start, 0, limit] → the head and a page of the rows between the two positions
 * that look different to a client that got them with such columns, and knows all that the schema
 * shows: those in which a column that is new to it is not what it is by default.
 */
export function pageAgain(dialect: Dialect, schema: Schema, known: Known): string {
  const marks = new Set(known)
  const again = (table: Table): string | undefined => {
    // Of a table that is new to it the client has no row at all.
    if (!marks.has(tableMark(table))) return '1 = 1'
    const columns = shown(table).filter((column) => !marks.has(columnMark(table, column)))
    return columns.length > 0 ? columns.map((column) => isSet(column, dialect)).join(' OR ') : undefined
  }
  return dialect.page(schema, { bytesMax: limits.pageBytesMax, sized: true, bootstraps: false, again })
}

/** Whether a column is not what it is by default. */
function isSet({ name, type, default: preset }: TableColumn, dialect: Dialect): string {
  const column = quoted(name)
  if (preset === undefined) return `${column} IS NOT NULL`
  // By its text, as it is sent.
  const value = type === 'json' || type === 'decimal' ? `CAST(${column} AS text)` : column
  return `${value} IS DISTINCT FROM ${literal(type, preset, dialect.name)}`
}
