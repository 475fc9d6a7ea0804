import type { Change } from '../../model/change.ts'
import { isLong } from '../../model/value.ts'
import { isPartial } from '../../model/view.ts'
import { encodeParts } from '../../sql/parts.ts'
import { weightFields } from '../../sql/row-fields.ts'
import type { Sql } from '../../sql/schema-sql.ts'
import type { Planned } from './planned.ts'
import type { RowWrite } from './row-write.ts'

/**
 * Aborts where the rows that the verdicts repeat, as they are stored and as they are written, are
 * beyond so many bytes.
 */
export function planWeight(
  { dialect, tables, scope: { weigh }, paramBytesMax }: Sql,
  scope: string,
  passes: readonly (readonly RowWrite[])[],
  bytesMax: number,
): Planned {
  const rows = passes.flat()
  const written = rows.reduce((sum, row) => sum + row.changes.length * writtenUnits(row), 0)
  const params: (string | number)[] = [scope, bytesMax - written]
  const terms = tables.flatMap(({ table, weight }) => {
    const values = rows.filter((row) => row.table === table).map(({ id, changes }) => [id, changes.length])
    if (values.length === 0) return []
    return encodeParts(values, (part) => dialect.encodeRows(weightFields, part), paramBytesMax).map((part) => {
      const first = params.length + 1
      params.push(...part)
      return weight(first)
    })
  })
  return { sql: `${weigh}${terms.join(' + ')}`, params, reads: true, role: { kind: 'guard' } }
}

/**
 * The most that the texts of one row can take, in bytes, and a little for the rest. The scope
 * remembers the largest, so that a page of ordinary rows need not look at their sizes. Three bytes
 * of UTF-8 at the most for each unit of text. A row may be put together by patches, so a patch
 * counts as if all columns were as large as its largest: with a put before it a row has twice that
 * at the most.
 */
export function rowBytesMax(changes: readonly Change[]): number {
  let most = 0
  for (const change of changes) {
    // What the row holds already is beside it.
    const isPart = change.op === 'patch' || (change.op === 'put' && isPartial(change.table))
    const largest = isPart ? Math.max(...change.values.map(unitsOf)) : 0
    const units =
      largest === 0 ? textUnits(change) : largest * change.table.columns.filter(({ type }) => isLong(type)).length
    most = Math.max(most, units)
  }
  return 64 + 3 * most
}

function textUnits({ values }: Change): number {
  let units = 0
  for (const value of values) units += unitsOf(value)
  return units
}

function unitsOf(value: unknown): number {
  if (typeof value === 'string') return value.length
  return typeof value === 'object' && value !== null ? JSON.stringify(value).length : 0
}

/** The text of a row at the most, whichever of its changes win. */
function writtenUnits({ table, changes }: RowWrite): number {
  return table.columns.reduce(
    (sum, _, place) => sum + Math.max(...changes.map(({ values }) => unitsOf(values[place]))),
    0,
  )
}
