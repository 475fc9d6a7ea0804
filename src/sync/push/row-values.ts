import type { Change } from '../../model/change.ts'
import { counterEdit, counterEdits, hasCounters } from '../../model/merge.ts'
import { keyColumns, type Table } from '../../model/table.ts'
import type { TableSql } from '../../sql/table-sql.ts'
import type { RowWrite } from './row-write.ts'
import { saysKey } from './unique-keys.ts'

/** The values of `fields` of the keys, where the row's first change says one. */
export function keyValues({ keys }: TableSql, row: RowWrite): unknown[][] {
  const [change] = row.changes
  if (!keys || !change || !saysKey(change)) return []
  const { table, id, ordinal } = row
  const made = change.created ?? change.values
  const values = keys.columns.flatMap((column) => {
    const place = table.columns.indexOf(column)
    return change.values[place] === undefined
      ? [made[place], change.created ? true : null]
      : [change.values[place], true]
  })
  return [[id, ordinal, change.at, ...values]]
}

/** The server's time as a parameter, with six digits of a second. */
export function timeOf(micros: number): string {
  return new Date(Math.floor(micros / 1000)).toISOString().replace('Z', `${String(micros % 1000).padStart(3, '0')}Z`)
}

/** The values of `rowFields`, and of `seenFields` behind them where the change asks for that. */
export function putValues({ id, ordinal, table }: RowWrite, change: Change, at: number | undefined): unknown[] {
  const values = change.created ?? change.values
  return [id, ordinal, at, change.op === 'delete' || null, ...firstValues(table, values), ...seenValues(change)]
}

const seenValues = ({ if: seen, at }: Change) => (seen ? [seen.at, seen.by, at] : [])

/** What a new row holds: of a counter the number that it begins with. */
function firstValues(table: Table, values: readonly unknown[]): readonly unknown[] {
  if (!hasCounters(table)) return values
  return values.map((value, place) => (table.columns[place]?.merge === 'counter' && counterEdit(value) ? 0 : value))
}

/** The values of `bulkFields` behind the row's own: what a counter begins with or is set to. */
export function bulkValues({ table, values }: Pick<Change, 'table' | 'values'>): readonly unknown[] {
  if (!hasCounters(table)) return values
  const edits = values.map((value, place) =>
    table.columns[place]?.merge === 'counter' ? counterEdit(value) : undefined,
  )
  const numbers = values.map((value, place) => {
    const edit = edits[place]
    return edit ? ('set' in edit ? edit.set : 0) : value
  })
  const isSet = table.columns.flatMap((column, place) => {
    const edit = edits[place]
    return column.merge === 'counter' ? [(edit && 'set' in edit) || null] : []
  })
  return [...numbers, ...isSet]
}

/** The values of `addFields`, a row each, and of `seenFields` behind them. */
export function addValues(
  { id, ordinal, table, adds, changes }: RowWrite,
  stampOf: (at: number) => number | undefined,
): unknown[][] {
  const [first] = changes
  const behind = [...heldValues(table, first), ...(first ? seenValues(first) : [])]
  return adds.map(({ place, at, n }) => [id, ordinal, stampOf(at), table.columns[place]?.name, n, ...behind])
}

/**
 * The values of `heldFields`: the key that a change says which edits counters besides, and which is
 * alone in its pass.
 */
function heldValues(table: Table, change: Change | undefined): unknown[] {
  const columns = keyColumns(table)
  if (columns.length === 0) return []
  if (!change || !saysKey(change) || counterEdits(change).length === 0)
    return [null, ...columns.flatMap(() => [null, null])]
  const { at, values } = change
  const said = columns.flatMap((column) => {
    const value = values[table.columns.indexOf(column)]
    return value === undefined ? [null, null] : [value, true]
  })
  return [at, ...said]
}

/** The values of `patchFields`, and of `seenFields` behind them where the change asks for that. */
export function patchValues(row: RowWrite, at: number | undefined, receivedAt?: number): unknown[] {
  const { id, ordinal, table, base, patch, stampless, changes } = row
  return [
    id,
    ordinal,
    at,
    ...table.columns.flatMap((_, place) => {
      const set = patch?.columns.get(place)
      return set ? [set.value, stampless ? (receivedAt ?? set.at) : set.at] : [null, null]
    }),
    // What a patch says of keys it says itself. What a put sets comes behind it.
    ...(hasCounters(table) ? heldValues(table, base) : []),
    ...changes.slice(0, 1).flatMap(seenValues),
  ]
}

interface Kind {
  readonly stampless: boolean
  readonly seen: boolean
}

/**
 * Rows by how they are written: without stamps, and only as they were seen, which is one change.
 */
export function byKind(rows: readonly RowWrite[]): (readonly [kind: Kind, rows: readonly RowWrite[]])[] {
  const kinds = [false, true].flatMap((seen) => [false, true].map((stampless): Kind => ({ seen, stampless })))
  const isSeen = ({ changes }: RowWrite) => changes.some((change) => change.if)
  const parts = kinds.map(
    (kind) => [kind, rows.filter((row) => row.stampless === kind.stampless && isSeen(row) === kind.seen)] as const,
  )
  return parts.filter(([, some]) => some.length > 0)
}

/** Changes that ask for a row as it was seen: the values of `changedFields`. */
export function seenSteps({ id, ordinal, changes }: RowWrite): unknown[][] {
  return changes.flatMap((change) => (change.if ? [[id, ordinal, change.at, ...seenValues(change).slice(0, 2)]] : []))
}

/**
 * The patches of a row that could find no row, each with the put or delete before it in the change
 * set.
 */
export function patchSteps({ id, ordinal, changes }: RowWrite): unknown[][] {
  const steps: unknown[][] = []
  let before: Change | undefined
  for (const [place, change] of changes.entries()) {
    // The second of two equal stamps never applies: it is the duplicate of the first.
    if (changes[place - 1]?.at === change.at) continue
    if (change.op === 'patch' && !change.created)
      steps.push([id, ordinal, change.at, before?.at, before && before.op === 'delete'])
    else before = change
  }
  return steps
}

/**
 * The values of `reachFields`. Behind a delete no patch finds a row. `stamplessAt` is the least
 * stamp that a change without one gets.
 */
export function reachOf(row: RowWrite, stamplessAt?: number): unknown[] {
  const { id, ordinal, base, created, patch, stampless } = row
  const last = base?.op === 'delete' || patch?.at === undefined ? base : patch
  const isMade = base !== undefined || created !== undefined
  return [id, ordinal, stampless && stamplessAt !== undefined ? stamplessAt : last?.at, isMade]
}
