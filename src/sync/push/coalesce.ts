import { type Change, isStampless } from '../../model/change.ts'
import type { Table } from '../../model/table.ts'
import { isPartial } from '../../model/view.ts'

/** The changes of one row that one pass over the database can apply together. */
export interface RowWrite {
  readonly table: Table
  readonly id: string
  /**
   * 1, 2, 3 … in the order of the change set: the row's position is the scope's position before the
   * push plus this.
   */
  readonly ordinal: number
  /** Whether the change set holds no other change of this row. */
  readonly alone: boolean
  /** In stamp order; of equal stamps the first in the list is first. */
  readonly changes: readonly Change[]
  /**
   * They came without a stamp, and win over whatever is stored. The base then holds the patches
   * after it as well.
   */
  readonly stampless: boolean
  /** The last put or delete. Whatever came before it is gone, if it wins. */
  readonly base: Change | undefined
  /** The patches after it, folded into one. */
  readonly patch: FoldedPatch | undefined
}

/**
 * Patches p1 < p2 < … of one row as one. Of them exactly those later than the stored stamp apply;
 * the last of them that sets a column is later than the stored stamp if any that sets it is. So
 * each column needs only its last value and the stamp of that, and `SET c = CASE WHEN stored stamp
 * < stamp of c …` picks the right suffix, whatever is stored.
 */
export interface FoldedPatch {
  /** The stamp of the last patch, which the row takes. */
  readonly at: number
  /** By place of the column. */
  readonly columns: ReadonlyMap<number, { readonly value: unknown; readonly at: number }>
}

/**
 * Folds the changes of a change set, all of one scope, so that they end exactly as if they had been
 * sent one by one in stamp order, in at most two statements a table. One pass is enough but for one
 * oddity, see `splitPasses`. A change set that a database takes only part after part, such as one
 * in which a unique value goes round, has passes for each part.
 */
export function coalesce(parts: readonly (readonly Change[])[]): RowWrite[][] {
  const [only = []] = parts
  if (parts.length === 1 && isEachAlone(only)) return only.length > 0 ? [only.map(foldAlone)] : []
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
    return passes
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

function foldAlone(change: Change, place: number): RowWrite {
  const [changes, ordinal] = [[change], place + 1]
  if (change.op === 'patch') return foldRow(changes, ordinal, true)
  const { table, id } = change
  return { table, id, ordinal, alone: true, changes, stampless: isStampless(change), base: change, patch: undefined }
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

/**
 * A patch and, after it in the list, a put or delete with the very same stamp: where the patch
 * finds a row it wins and the other is its duplicate; where it finds none it is rejected and the
 * other applies. Which of them it is, only the database knows, so what begins with the other goes
 * into a second pass of the same transaction. Clients that stamp each change anew never see this.
 * Changes without a stamp have a pass of their own as well, after all others of the row. And so has
 * a put behind a delete where the app does not know all columns: it leaves those as they are, and
 * the delete has emptied them.
 */
function splitPasses(row: readonly Change[]): Change[][] {
  const parts: Change[][] = [[]]
  for (const [place, change] of row.entries()) {
    const before = row[place - 1]
    const isBehindPatch = before?.at === change.at && before.op === 'patch' && change.op !== 'patch'
    const isRevival = before?.op === 'delete' && change.op === 'put' && isPartial(change.table)
    if (isBehindPatch || isRevival || (before && isStampless(change) && !isStampless(before))) parts.push([])
    parts.at(-1)?.push(change)
  }
  return parts
}

function foldRow(changes: readonly Change[], ordinal: number, alone: boolean): RowWrite {
  const [first] = changes
  if (!first) throw new TypeError('A row write needs a change')
  let base: Change | undefined
  let patches: Change[] = []
  for (const [place, change] of changes.entries()) {
    // The second of two equal stamps never applies: it is the duplicate of the first.
    if (place > 0 && changes[place - 1]?.at === change.at) continue
    if (change.op === 'patch') {
      patches.push(change)
    } else {
      base = change
      patches = []
    }
  }
  const patch = foldPatches(patches)
  const row = { table: first.table, id: first.id, ordinal, alone, changes, stampless: isStampless(first) }
  // All of them apply, so they are one. Behind a delete no patch finds a row.
  if (row.stampless && base && patch) return { ...row, base: overlay(base, patch), patch: undefined }
  return { ...row, base, patch }
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
