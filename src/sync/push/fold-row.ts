import { type Change, isStampless } from '../../model/change.ts'
import { counterEdit, counterEdits, hasRules, isCounter, isMerged, isPlain, mergeValues } from '../../model/merge.ts'
import type { Table } from '../../model/table.ts'
import type { Add, FoldedPatch, RowWrite } from './row-write.ts'

export function foldAlone(change: Change, place: number): RowWrite {
  const [changes, ordinal] = [[change], place + 1]
  if (change.op === 'patch' || hasRules(change.table)) return foldRow(changes, ordinal, true)
  const { table, id } = change
  const rest = { created: undefined, patch: undefined, adds: [] }
  return { table, id, ordinal, alone: true, changes, stampless: isStampless(change), base: change, ...rest }
}

export function foldRow(changes: readonly Change[], ordinal: number, alone: boolean): RowWrite {
  const [first] = changes
  if (!first) throw new TypeError('A row write needs a change')
  let base: Change | undefined
  let created: Change | undefined
  let patches: Change[] = []
  for (const [place, change] of changes.entries()) {
    // The second of two equal stamps never applies: it is the duplicate of the first.
    if (place > 0 && changes[place - 1]?.at === change.at) continue
    if (change.op === 'patch') {
      if (change.created) created = change
      patches.push(change)
    } else {
      base = change
      created = undefined
      patches = []
    }
  }
  const { table, id } = first
  const row = { table, id, ordinal, alone, changes, created, stampless: isStampless(first) }
  const edits = base && counterEdits(base).length > 0 ? [base, ...patches] : patches
  const patch = hasRules(table) ? foldByRules(table, edits, base) : foldPatches(patches)
  const adds = hasRules(table) ? addsOf(edits) : []
  // All of them apply, so they are one. Behind a delete no patch finds a row.
  if (row.stampless && base && patch && !hasRules(table))
    return { ...row, base: overlay(base, patch), patch: undefined, adds }
  return { ...row, base, patch, adds }
}

function addsOf(changes: readonly Change[]): Add[] {
  const adds = changes.flatMap((change) =>
    counterEdits(change).flatMap(([place, edit]): Add[] =>
      'add' in edit ? [{ place, at: change.at, n: edit.add }] : [],
    ),
  )
  // Without stamps they are one, which gets one.
  const [first] = changes
  if (!first || !isStampless(first)) return adds
  const sums = new Map<number, Add>()
  for (const add of adds) sums.set(add.place, { ...add, n: add.n + (sums.get(add.place)?.n ?? 0) })
  return [...sums.values()]
}

function overlay(base: Change, patch: FoldedPatch): Change {
  if (base.op === 'delete') return base
  const { columns } = patch
  return {
    ...base,
    values: base.values.map((value, place) => (columns.has(place) ? columns.get(place)?.value : value)),
  }
}

function foldPatches(patches: readonly Change[]): FoldedPatch | undefined {
  const last = patches.at(-1)
  if (!last) return undefined
  const columns = new Map<number, { value: unknown; at: number }>()
  for (const { values, at } of patches) {
    for (const [place, value] of values.entries()) if (value !== undefined) columns.set(place, { value, at })
  }
  return { at: last.at, columns }
}

/**
 * The same where columns meet by rules. Of a counter it holds what it is set to last; what a put
 * sets comes with its patches.
 */
function foldByRules(table: Table, changes: readonly Change[], base: Change | undefined): FoldedPatch | undefined {
  const columns = new Map<number, { value: unknown; at: number }>()
  let last: number | undefined
  for (const change of changes) {
    const { at, values } = change
    for (const [place, column] of table.columns.entries()) {
      const value = values[place]
      if (value === undefined) continue
      if (isCounter(column)) {
        const edit = counterEdit(value)
        if (edit && 'set' in edit) columns.set(place, { value: edit.set, at })
      } else if (change !== base && isMerged(column))
        columns.set(place, { value: mergeValues(column, columns.get(place)?.value, value) ?? null, at })
      else if (change !== base && isPlain(column)) {
        columns.set(place, { value, at })
        last = at
      }
    }
  }
  return columns.size > 0 ? { at: last, columns } : undefined
}
