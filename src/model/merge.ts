import type { Change } from './change.ts'
import type { CounterEdit } from './column.ts'
import {
  compareStamps,
  isExpected,
  judge,
  type Outcome,
  opOn,
  type RowState,
  rejectedChanged,
  type Stamp,
} from './stamp.ts'
import type { Table, TableColumn } from './table.ts'

/**
 * How the columns of a table meet (MERGE 4), one change at a time. The SQL of each dialect says the
 * same in src/sql/merge-sql.ts and beside it, and tests hold both against each other and against a
 * reference.
 */

/** Whether the last writer wins the column. */
export const isPlain = ({ merge, filled }: TableColumn): boolean => !merge && !filled

/** Whether an older change of a living row can still change the column: the greater value stays. */
export const isMerged = ({ merge }: TableColumn): boolean => merge === 'max' || merge === 'min' || merge === 'once'

export const isCounter = ({ merge }: TableColumn): boolean => merge === 'counter'

/** Whether the column has a stamp of its own beside it. */
export const hasStamp = ({ byColumn }: Table, column: TableColumn): boolean =>
  isCounter(column) || (byColumn && isPlain(column))

/** Name of the database's column with the stamp of another. */
export const stampColumn = (name: string): string => `${name}$`

/** The columns of the stamp of the last put, where that is not the row's. */
export const baseAt = 'base$at'
export const baseBy = 'base$by'

/** Whether what is stored may be other than what was sent, though the change applied. */
export const hasRules = ({ byColumn, columns }: Table): boolean =>
  byColumn || columns.some(({ merge, filled }) => merge || filled)

/** Whether an older change can change a living row. */
export const hasMerging = ({ columns }: Table): boolean => columns.some(({ merge }) => merge)

export const hasCounters = ({ columns }: Table): boolean => columns.some(isCounter)

/** Whether the server's time is written into rows. */
export const fillsTime = ({ columns }: Table): boolean =>
  columns.some(({ filled, type }) => filled && type === 'timestamp')

/** A stamp as one text that sorts as the stamp does: sixteen digits, and the client. */
export const stampText = ({ at, by }: Stamp): string => String(at).padStart(stampDigits, '0') + by
export const stampDigits = 16

/** What a change does to a counter, besides what a new row begins with. */
export function counterEdit(value: unknown): CounterEdit | undefined {
  return typeof value === 'object' && value !== null ? (value as CounterEdit) : undefined
}

/** The counters that a change edits, by their places. */
export function counterEdits({ op, table, values }: Pick<Change, 'op' | 'table' | 'values'>): [number, CounterEdit][] {
  if (op === 'delete') return []
  return table.columns.flatMap((column, place): [number, CounterEdit][] => {
    const edit = isCounter(column) ? counterEdit(values[place]) : undefined
    return edit ? [[place, edit]] : []
  })
}

/** What the greatest, the least or the first value is, of what is there and what comes. */
export function mergeValues({ merge }: TableColumn, stored: unknown, sent: unknown): unknown {
  if (sent === null || sent === undefined) return stored
  if (stored === null || stored === undefined) return sent
  if (merge === 'once') return stored
  const isMore = (stored as number | string) < (sent as number | string)
  return (merge === 'max') === isMore ? sent : stored
}

/**
 * A row as the rules need to know it. `base` is the stamp of the last put; where undefined, the
 * row's.
 */
export interface MergeState extends RowState {
  readonly base?: Stamp | undefined
  /**
   * Stamps as text, of columns by their places: of plain ones later than the base, of counters that
   * were set.
   */
  readonly stamps: ReadonlyMap<number, string>
  /** Of columns of which the greatest, the least or the first value stays, by their places. */
  readonly values: ReadonlyMap<number, unknown>
}

/** Whether an add is counted already: its column, and when it was made by the writer. */
export type IsKnown = (place: number, at: number) => boolean

export interface Merged {
  readonly outcome: Outcome
  readonly state: MergeState | undefined
}

/** What one change does to a row: its verdict, and the row after it. */
export function mergeChange(state: MergeState | undefined, change: Change, by: string, isKnown: IsKnown): Merged {
  const { table, op, at } = change
  const stamp = { at, by }
  const lives = state !== undefined && !state.deleted
  if (op === 'delete' || !lives) {
    const outcome = judge(state, opOn(state, change), stamp)
    if (outcome.verdict !== 'applied') return { outcome, state }
    if (!isExpected(change, state)) return { outcome: rejectedChanged, state }
    if (op === 'delete') return { outcome, state: { ...stamp, deleted: true, stamps: noStamps, values: noStamps } }
    return {
      outcome,
      state: firstState(state, table, op === 'put' ? change.values : (change.created ?? []), change, stamp),
    }
  }
  const next = mergeInto(state, change, stamp, isKnown)
  if (next.outcome.verdict === 'applied' && !isExpected(change, state)) return { outcome: rejectedChanged, state }
  return next
}

const noStamps: ReadonlyMap<number, never> = new Map<number, never>()

/** A new row, or one that comes back. */
function firstState(
  before: MergeState | undefined,
  table: Table,
  values: readonly unknown[],
  change: Change,
  stamp: Stamp,
): MergeState {
  const stamps = new Map<number, string>()
  const kept = new Map<number, unknown>()
  for (const [place, column] of table.columns.entries()) {
    // What was added before the deletion does not count any more.
    if (isCounter(column) && before) stamps.set(place, stampText(before))
    if (isMerged(column)) kept.set(place, values[place])
  }
  for (const [place, edit] of counterEdits(change)) if ('set' in edit) stamps.set(place, stampText(stamp))
  return { ...stamp, deleted: false, stamps, values: kept }
}

/** What a put or patch does to a row that lives. */
function mergeInto(state: MergeState, change: Change, stamp: Stamp, isKnown: IsKnown): Merged {
  const { table, op, values } = change
  const text = stampText(stamp)
  const base = state.base ?? state
  const [stamps, merged] = [new Map(state.stamps), new Map(state.values)]
  const lost: string[] = []
  let took = false
  let isGreater = false
  let isEqual = false
  let newest: Stamp = state
  const isLater = compareStamps(stamp, state) > 0
  const beyondBase = compareStamps(stamp, base) > 0
  for (const [place, column] of table.columns.entries()) {
    const value = values[place]
    if (value === undefined || column.filled || (op === 'put' && column.kept)) continue
    if (isMerged(column)) {
      const next = mergeValues(column, merged.get(place), value)
      if (next !== merged.get(place) && !(next === null && merged.get(place) === undefined)) {
        took = true
        merged.set(place, next)
      } else if (value !== null && !isSameValue(value, next)) isGreater = true
      else isEqual = true
      continue
    }
    if (isCounter(column)) {
      const edit = counterEdit(value)
      if (!edit) continue
      const set = stamps.get(place)
      if ('add' in edit && isKnown(place, stamp.at)) isEqual = true
      else if (set === undefined || set < text) {
        took = true
        if ('set' in edit) stamps.set(place, text)
      } else if (set === text) isEqual = true
      else {
        isGreater = true
        if ('set' in edit) lost.push(column.wire)
      }
      continue
    }
    const order = table.byColumn ? compareText(text, stamps.get(place) ?? stampText(base)) : compareStamps(stamp, state)
    if (order > 0 && (op === 'patch' || !table.byColumn || beyondBase)) {
      took = true
      if (isLater) newest = stamp
      if (table.byColumn && op === 'patch') stamps.set(place, text)
    } else if (order === 0) isEqual = true
    else {
      isGreater = true
      lost.push(column.wire)
    }
  }
  // A table of which no column is plain has the stamp of its last put.
  if (op === 'put' && !table.columns.some(isPlain)) {
    if (beyondBase) took = true
    else if (compareStamps(stamp, base) === 0) isEqual = true
    else isGreater = true
    if (isLater) newest = stamp
  }
  if (!took) return { outcome: { verdict: isGreater || !isEqual ? 'stale' : 'duplicate' }, state }
  if (op === 'put' && table.byColumn && beyondBase) {
    for (const [place, column] of table.columns.entries())
      if (isPlain(column) && !column.kept && (stamps.get(place) ?? '') < text) stamps.delete(place)
  }
  const newBase = op === 'put' && beyondBase ? stamp : base
  return {
    outcome: { verdict: 'applied', action: 'updated', ...(lost.length > 0 && { lost }) },
    state: {
      ...{ at: newest.at, by: newest.by, deleted: false, stamps, values: merged },
      base: compareStamps(newBase, newest) === 0 ? undefined : newBase,
    },
  }
}

/** JSON is a value as any other: it is the same where its text is. */
const isSameValue = (a: unknown, b: unknown) =>
  a === b || (typeof a === 'object' && JSON.stringify(a) === JSON.stringify(b))

const compareText = (a: string, b: string) => (a === b ? 0 : a < b ? -1 : 1)

/** What a change that applied has lost to greater stamps, by the row that it left. */
export function lostColumns(after: MergeState, { table, op, values, at }: Change, by: string): readonly string[] {
  if (op === 'delete') return []
  const text = stampText({ at, by })
  const base = stampText(after.base ?? after)
  return table.columns.flatMap((column, place) => {
    const value = values[place]
    if (value === undefined || column.filled || isMerged(column) || (op === 'put' && column.kept)) return []
    if (isCounter(column)) {
      const edit = counterEdit(value)
      return edit && 'set' in edit && (after.stamps.get(place) ?? '') > text ? [column.wire] : []
    }
    return (table.byColumn ? (after.stamps.get(place) ?? base) : stampText(after)) > text ? [column.wire] : []
  })
}
