import { limits } from '../model/limits.ts'
import type { Table, TableColumn } from '../model/table.ts'
import { isLong } from '../model/value.ts'
import type { Dialect } from './dialect.ts'
import type { Raise } from './markers.ts'
import { quoted } from './quoted.ts'

/**
 * Aborts where a patch that applies would make a row larger than a put may be, and larger than it
 * is: what only shrinks a row that is too large goes through. In a scope of ordinary rows it is one
 * comparison for each patch, and no size is looked at.
 */
export function grown(
  dialect: Dialect,
  { columns }: Table,
  patched: (column: TableColumn) => string,
  guard: string,
  raise: Raise,
): string {
  const long = columns.filter(({ type }) => isLong(type))
  if (long.length === 0) return ''
  const { changeBytesMax: most } = limits
  const sizeOf = (expression: (column: TableColumn) => string) =>
    long.map((column) => `coalesce(${dialect.octets(column.type, expression(column))}, 0)`).join(' + ')
  const stored = sizeOf(({ name }) => `found$.${quoted(name)}`)
  return `
AND CASE WHEN NOT found$.deleted${guard} AND scope$.largest$ > ${most >> 1}
AND ${sizeOf(patched)} > CASE WHEN ${stored} > ${most} THEN ${stored} ELSE ${most} END
THEN ${raise('driftline_grown', 'sent$.ordinal$')} END IS NULL`
}
