import { stampColumn } from '../model/merge.ts'
import { keyColumns, type Table, type TableColumn } from '../model/table.ts'
import type { Dialect } from './dialect.ts'
import { baseOf } from './merge-sql.ts'
import { quoted } from './quoted.ts'
import type { Field } from './statement.ts'

/**
 * A change that says a key, and besides adds to counters or sets them, takes several statements.
 * Where the first of them has passed the row over, since its key is taken, the others must do so
 * too. Such a change is alone in its pass.
 */
export function heldFields(table: Table): Field[] {
  const columns = keyColumns(table)
  if (columns.length === 0) return []
  return [
    { name: 'held_at$', type: 'integer' },
    ...columns.flatMap(({ key, type }): Field[] => [
      { name: heldKey(key), type },
      { name: isHeldKey(key), type: 'boolean' },
    ]),
  ]
}

const heldKey = (key: string) => key.replace('c', 'h')
const isHeldKey = (key: string) => key.replace('c', 'i')

/**
 * Whether `found$` has the key that the change says, or something later. Nothing is asked where
 * `held_at$` is null. Undefined: the table has no key.
 */
export function keepsKey(dialect: Dialect, table: Table, client: string, stampless = false): string | undefined {
  const columns = keyColumns(table)
  if (columns.length === 0) return undefined
  const kept = columns.map((column) => {
    const sent = `sent$.${heldKey(column.key)}`
    const own = `found$.${quoted(column.name)}`
    const isUnsaid = `sent$.${isHeldKey(column.key)} IS NULL`
    const isLater = stampless ? '' : ` OR ${laterThanSent(dialect, table, column, client)}`
    return `(${isUnsaid} OR ${own} IS NOT DISTINCT FROM ${sent}${isLater})`
  })
  return `(sent$.held_at$ IS NULL OR (${kept.join(' AND ')}))`
}

function laterThanSent(dialect: Dialect, { byColumn }: Table, { name }: TableColumn, client: string): string {
  const sent = `(sent$.held_at$, ${client})`
  if (!byColumn) return `(found$.updated_at, found$.updated_by) > ${sent}`
  const stamp = `found$.${quoted(stampColumn(name))}`
  return `CASE WHEN ${stamp} IS NULL THEN (${baseOf('found$').join(', ')}) > ${sent} ELSE ${stamp} > ${dialect.stampText('sent$.held_at$', client)} END`
}
