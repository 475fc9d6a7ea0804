import { hasStamp, isCounter, isMerged, isPlain, stampColumn } from '../model/merge.ts'
import type { Table, TableColumn } from '../model/table.ts'
import { anyOf, type Dialect } from './dialect.ts'
import { baseOf, takes } from './merge-sql.ts'
import { quoted } from './quoted.ts'
import { stampKey } from './row-fields.ts'

/** How a put or delete of an import stands to the row that is there. */
export const standings = { applies: 0, duplicate: 1, stale: 2 } as const

/**
 * The standing of `sent$` to `found$` by the rules of a table, as `mergeChange` in model/merge.ts
 * has it, but for what was added: no row of an import adds.
 */
export function standing(dialect: Pick<Dialect, 'stampText'>, table: Table): string {
  const row = '(found$.updated_at, found$.updated_by)'
  const sent = '(sent$.at$, sent$.by$)'
  const { applies, duplicate, stale } = standings
  const byStamp = `CASE WHEN ${row} < ${sent} THEN ${applies} WHEN ${row} = ${sent} THEN ${duplicate} ELSE ${stale} END`
  const said = table.columns.filter((column) => !column.filled && !column.kept)
  const parts = said.flatMap((column) => standingOf(dialect, table, column))
  const base = `(${baseOf('found$').join(', ')})`
  const ofRow = table.byColumn ? base : row
  // A table of which no column is plain has the stamp of its last put.
  if (!table.columns.some(isPlain))
    parts.push({ takes: `${ofRow} < ${sent}`, loses: `${ofRow} > ${sent}`, equals: `${ofRow} = ${sent}` })
  const some = (of: keyof Part) => anyOf(parts.map((part) => part[of]))
  return `CASE WHEN found$.id IS NULL THEN ${applies} WHEN found$.deleted OR sent$.deleted$ IS NOT NULL THEN ${byStamp}
WHEN ${row} < ${sent} THEN ${applies} WHEN ${some('takes')} THEN ${applies} WHEN ${some('loses')} THEN ${stale} WHEN ${some('equals')} THEN ${duplicate} ELSE ${stale} END`
}

/** What a column says of the change. `loses` and `equals` hold where it takes nothing. */
interface Part {
  readonly takes: string
  readonly loses: string
  readonly equals: string
}

function standingOf(dialect: Pick<Dialect, 'stampText'>, table: Table, column: TableColumn): Part[] {
  const text = dialect.stampText('sent$.at$', 'sent$.by$')
  const stamp = `found$.${quoted(stampColumn(column.name))}`
  const [own, other] = [`found$.${quoted(column.name)}`, `sent$.${column.key}`]
  if (isMerged(column)) {
    const isSame = `${other} IS NULL OR ${asSpelled(column, own)} = ${asSpelled(column, other)}`
    return [{ takes: takes(column, own, other), loses: `NOT (${isSame})`, equals: isSame }]
  }
  if (isCounter(column)) {
    const set = (condition: string) => `sent$.${stampKey(column.key)} IS NOT NULL AND (${condition})`
    return [
      {
        takes: set(`${stamp} IS NULL OR ${stamp} < ${text}`),
        loses: set(`${stamp} > ${text}`),
        equals: set(`${stamp} = ${text}`),
      },
    ]
  }
  const isOwn = hasStamp(table, column)
  const [row, sent] = ['(found$.updated_at, found$.updated_by)', '(sent$.at$, sent$.by$)']
  // In a table without `byColumn` all plain columns share the row's stamp, which was looked at.
  if (!isOwn) return [{ takes: '1 = 0', loses: `${row} > ${sent}`, equals: `${row} = ${sent}` }]
  const base = `(${baseOf('found$').join(', ')})`
  const where = (order: '<' | '>' | '=') =>
    `CASE WHEN ${stamp} IS NULL THEN ${base} ${order} ${sent} ELSE ${stamp} ${order} ${text} END`
  return [{ takes: `${base} < ${sent} AND (${where('<')})`, loses: where('>'), equals: where('=') }]
}

/** JSON has no order in Postgres, and decimals differ by their noughts. */
const asSpelled = ({ type }: TableColumn, value: string) =>
  type === 'json' || type === 'decimal' ? `CAST(${value} AS text)` : value
