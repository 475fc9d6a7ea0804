import type { Change } from '../../model/change.ts'
import { foldAlone, foldRow } from './fold-row.ts'
import type { RowWrite } from './row-write.ts'
import { splitPasses } from './split-passes.ts'
import { apartByKey } from './unique-keys.ts'

/**
 * Folds the changes of a change set, all of one scope, so that they end exactly as if they had been
 * sent one by one in stamp order, in at most two statements a table. One pass is enough but for one
 * oddity, see `splitPasses`. A change set that a database takes only part after part, such as one
 * in which a unique value goes round, has passes for each part.
 */
export function coalesce(parts: readonly (readonly Change[])[]): RowWrite[][] {
  const [only = []] = parts
  if (parts.length === 1 && isEachAlone(only)) return only.length > 0 ? apartByKey(only.map(foldAlone)) : []
  const ordinals = new Map<string, { readonly ordinal: number; count: number }>()
  // A row's position goes by the order of the change set, whatever part it is written in.
  const changes = parts.length === 1 ? (parts[0] ?? []) : parts.flat().sort((a, b) => a.index - b.index)
  for (const change of changes) {
    const known = ordinals.get(keyOf(change))
    if (known) known.count++
    else ordinals.set(keyOf(change), { ordinal: ordinals.size + 1, count: 1 })
  }
  return parts.flatMap((part) => {
    const passes: RowWrite[][] = []
    for (const [key, row] of rowsOf(part)) {
      const { ordinal = 0, count = 0 } = ordinals.get(key) ?? {}
      const split = row.length === 1 ? [row] : splitPasses(row.sort((a, b) => a.at - b.at || a.index - b.index))
      for (const [pass, some] of split.entries()) {
        const write = foldRow(some, ordinal, count === 1)
        const writes = passes[pass]
        if (writes) writes.push(write)
        else passes.push([write])
      }
    }
    return passes.flatMap(apartByKey)
  })
}

/** Nearly always: each change is of another row. Without a key that would be made for each. */
function isEachAlone(changes: readonly Change[]): boolean {
  const ids = new Map<string, Set<string>>()
  for (const { table, id } of changes) {
    const known = ids.get(table.name)
    if (!known) ids.set(table.name, new Set([id]))
    else if (known.size === known.add(id).size) return false
  }
  return true
}

/** The changes of each row, by `keyOf`. */
export function rowsOf(changes: readonly Change[]): Map<string, Change[]> {
  const rows = new Map<string, Change[]>()
  for (const change of changes) {
    const row = rows.get(keyOf(change))
    if (row) row.push(change)
    else rows.set(keyOf(change), [change])
  }
  return rows
}

export const keyOf = ({ table, id }: Pick<Change, 'table' | 'id'>): string => `${table.name}\n${id}`
