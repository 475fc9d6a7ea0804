import { type Change, isStampless } from '../../model/change.ts'
import {
  counterEdit,
  counterEdits,
  hasMerging,
  hasRules,
  isCounter,
  isMerged,
  isPlain,
  mergeValues,
} from '../../model/merge.ts'
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
  /** The patch that makes the row where none lives. It is among those of `patch` as well. */
  readonly created: Change | undefined
  /** The patches after it, folded into one. */
  readonly patch: FoldedPatch | undefined
  /** What is added to counters, after all else. */
  readonly adds: readonly Add[]
}

/** What is added to the counter at a place of the columns, and when its writer did it. */
export interface Add {
  readonly place: number
  readonly at: number
  readonly n: number
}

/**
 * Patches p1 < p2 < … of one row as one. Of them exactly those later than the stored stamp apply;
 * the last of them that sets a column is later than the stored stamp if any that sets it is. So
 * each column needs only its last value and the stamp of that, and `SET c = CASE WHEN stored stamp
 * < stamp of c …` picks the right suffix, whatever is stored.
 */
export interface FoldedPatch {
  /**
   * The stamp of the last patch, which the row takes. Undefined: it names only columns that merge.
   */
  readonly at: number | undefined
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

function foldAlone(change: Change, place: number): RowWrite {
  const [changes, ordinal] = [[change], place + 1]
  if (change.op === 'patch' || hasRules(change.table)) return foldRow(changes, ordinal, true)
  const { table, id } = change
  const rest = { created: undefined, patch: undefined, adds: [] }
  return { table, id, ordinal, alone: true, changes, stampless: isStampless(change), base: change, ...rest }
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
  const parts: Change[][] = []
  let part: Change[] = []
  for (const change of row) {
    if (part.length === 0 || beginsPass(change, part)) {
      part = []
      parts.push(part)
    }
    part.push(change)
  }
  return parts
}

/** Whether a change cannot go with those before it. */
function beginsPass(change: Change, part: readonly Change[]): boolean {
  const { table } = change
  const before = part.at(-1)
  if (!before) return false
  const isBehindPatch = before.at === change.at && before.op === 'patch' && change.op !== 'patch'
  const isRevival = before.op === 'delete' && change.op === 'put' && isPartial(change.table)
  if (isBehindPatch || isRevival || (isStampless(change) && !isStampless(before))) return true
  // Whether the row is as it was seen, and whether there is one, is asked once those before are
  // done.
  if (change.if || before.if || change.created) return true
  // Whether its key is taken decides over the change, and over no other.
  if (table.unique.length > 0) {
    if (saysKey(change) && !hasSameKeys(before, change)) return true
    if (before.op === 'patch' && change.op === 'patch' && saysKey(before)) return true
  }
  return hasRules(table) && meetsByItself(change, part)
}

/** Whether a change names a column of a key. A delete gives all keys away. */
export function saysKey({ op, table, values }: Change): boolean {
  return (
    op !== 'delete' && table.unique.some((key) => placesOf(table, key).some((place) => values[place] !== undefined))
  )
}

const placesOf = ({ columns }: Table, key: readonly string[]): number[] =>
  key.map((name) => columns.findIndex((column) => column.name === name))

/** Two puts, the second of which can find taken only what the first has found. */
function hasSameKeys(before: Change, change: Change): boolean {
  const { op, table, values } = change
  const isSame = (place: number) => before.values[place] === values[place]
  return op === 'put' && before.op === 'put' && table.unique.every((key) => placesOf(table, key).every(isSame))
}

/**
 * Rows of a pass that would take a key that another row of the pass has taken, by the order in
 * which they are written, come in a pass of their own behind it: which of them gets it, only the
 * database knows.
 */
function apartByKey(rows: readonly RowWrite[]): RowWrite[][] {
  if (!rows.some(({ table }) => table.unique.length > 0)) return [[...rows]]
  const [first, rest]: [RowWrite[], RowWrite[]] = [[], []]
  const taken = new Set<string>()
  for (const row of inWriteOrder(rows)) {
    const keys = keysOf(row)
    if (keys.some((key) => taken.has(key))) rest.push(row)
    else {
      first.push(row)
      for (const key of keys) taken.add(key)
    }
  }
  return rest.length > 0 ? [first, ...apartByKey(rest)] : [first]
}

/** The keys that a row would take, as far as its change says them whole. */
function keysOf({ table, base, created, patch }: RowWrite): string[] {
  const made = base?.op === 'put' ? base.values : created?.created
  return table.unique.flatMap((key) => {
    const values = placesOf(table, key).map((place) => {
      const patched = patch?.columns.get(place)
      return patched ? patched.value : made?.[place]
    })
    const isKey = values.every((value) => value !== undefined && value !== null)
    return isKey ? [JSON.stringify([table.name, key, values])] : []
  })
}

/**
 * As a database checks constraints row by row, a unique value may move from one row to another:
 * first the deletes, then the rows in the order of their stamps. The scope's lock keeps driftline's
 * writers apart, so ids need no order.
 */
export function inWriteOrder(rows: readonly RowWrite[]): RowWrite[] {
  const rank = ({ base }: RowWrite) => (base?.op === 'delete' ? 0 : 1)
  const at = ({ base, created, patch }: RowWrite) => (base ?? created ?? patch)?.at ?? 0
  return rows.toSorted((a, b) => rank(a) - rank(b) || at(a) - at(b) || a.ordinal - b.ordinal)
}

/**
 * Where columns meet by rules what comes before a put or delete may count beside it (MERGE 6). So a
 * delete begins a pass, which may lose where an older change does not; and a put that stands behind
 * what would stay if the row lived and would not against a tombstone between the two. A counter is
 * set before anything is added to it.
 */
function meetsByItself(change: Change, part: readonly Change[]): boolean {
  const { op, table } = change
  // What merges may count beside a change of the very same stamp.
  if (part.at(-1)?.at === change.at) return true
  if (op === 'delete') return true
  if (op === 'patch') {
    const added = new Set(part.flatMap(counterEdits).flatMap(([place, edit]) => ('add' in edit ? [place] : [])))
    return counterEdits(change).some(([place, edit]) => 'set' in edit && added.has(place))
  }
  if (!hasMerging(table) && !table.columns.some(({ filled }) => filled)) return false
  return part.some((before) => before.op === 'delete' || before.created || staysBeside(before, change))
}

function staysBeside(before: Change, put: Change): boolean {
  if (counterEdits(before).length > 0) return true
  return put.table.columns.some((column, place) => {
    const value = before.values[place]
    if (value === undefined) return false
    if (isCounter(column)) return before.op === 'put' && value !== put.values[place]
    if (!isMerged(column)) return false
    return before.op === 'patch' || mergeValues(column, value, put.values[place]) !== put.values[place]
  })
}

function foldRow(changes: readonly Change[], ordinal: number, alone: boolean): RowWrite {
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
