import type { Schema } from '../../model/table.ts'
import type { Transaction } from '../storage/storage.ts'
import { checkEdit, type Edit, type Edited, storeEdits } from './edit.ts'
import { tableOf } from './fold.ts'

interface Again {
  /** The id of the row. */
  readonly key: string
  readonly edited: Edited
}

/**
 * Writes a rejected change anew, with a new stamp. A patch whose row is gone goes as a put of the
 * row that it was made on.
 */
export async function retryRejected(
  tx: Transaction,
  schema: Schema,
  client: string,
  id: number,
  edit: object = {},
): Promise<Again> {
  const [record] = await tx.get('rejected', [id])
  if (!record) throw new TypeError('There is no rejected change of this id.')
  const { change, before } = record
  const { table, scope, id: key, op } = change
  const row = op === 'delete' ? undefined : { ...change.row, ...edit }
  const again = await onWhatIsThere(tx, schema, { table, scope, id: key, op, ...(row && { row }) }, before)
  const edited = await storeEdits(tx, schema, client, [checkEdit(schema, again)])
  await tx.remove('rejected', [id])
  return { key, edited }
}

/** Writes what a notice tells of as lost anew, with a new stamp. */
export async function restoreNotice(tx: Transaction, schema: Schema, client: string, id: number): Promise<Again> {
  const [record] = await tx.get('notices', [id])
  if (!record) throw new TypeError('There is no notice of this id.')
  const { table, scope, id: key, mine, before } = record
  const edit: Edit = mine ? { table, scope, id: key, op: 'patch', row: mine } : { table, scope, id: key, op: 'delete' }
  const edited = await storeEdits(tx, schema, client, [
    checkEdit(schema, await onWhatIsThere(tx, schema, edit, before)),
  ])
  await tx.remove('notices', [id])
  return { key, edited }
}

async function onWhatIsThere(tx: Transaction, schema: Schema, edit: Edit, before: Edit['row']): Promise<Edit> {
  if (edit.op !== 'patch') return edit
  const [row] = await tx.get('rows', [[edit.table, edit.scope, edit.id]])
  if (row?.row) return edit
  const filled = new Set(
    tableOf(schema, edit.table)?.columns.flatMap(({ wire, filled, readonly }) => (filled || readonly ? [wire] : [])),
  )
  const whole = Object.entries({ ...before, ...edit.row }).filter(([name]) => !filled.has(name))
  return { ...edit, op: 'put', row: Object.fromEntries(whole) }
}

export const discardRejected = (tx: Transaction, id: number): Promise<void> => tx.remove('rejected', [id])
export const dismissNotice = (tx: Transaction, id: number): Promise<void> => tx.remove('notices', [id])
