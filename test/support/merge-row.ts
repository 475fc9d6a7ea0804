import { compareStamps, type Stamp } from '../../src/model/stamp.ts'
import {
  beginCounter,
  buryCounter,
  type Counter,
  type CounterWords,
  comparePart,
  type MergeRule,
  mergeCounter,
  mergeValue,
  type Part,
} from './merge-columns.ts'

export interface ReferenceColumn {
  readonly rule: MergeRule
  /** What a put that leaves it out says. Absent: it must be there. */
  readonly preset?: unknown
}
export interface ReferenceTable {
  readonly byColumn: boolean
  readonly columns: Readonly<Record<string, ReferenceColumn>>
}

/** A change as it is pushed. */
export interface MergeChange {
  readonly table: string
  readonly op: 'put' | 'patch' | 'delete'
  readonly id: string
  readonly at: number
  readonly create?: true
  readonly if?: Stamp
  readonly row?: Readonly<Record<string, unknown>>
}
/** A verdict, of an error only the code. */
export interface MergeVerdict {
  readonly verdict: 'applied' | 'duplicate' | 'stale' | 'rejected'
  readonly action?: 'inserted' | 'updated' | 'deleted'
  readonly lost?: readonly string[]
  readonly code?: string
}
/** A row or tombstone, with all that was ever said of its counters. */
export interface State {
  readonly deleted: boolean
  /** The stamp of the greatest put that was taken, or of the delete. */
  readonly base: Stamp
  /** Of each plain column. */
  readonly stamps: Readonly<Record<string, Stamp>>
  readonly values: Readonly<Record<string, unknown>>
  /** Kept in a tombstone: what was added stays known. */
  readonly counters: Readonly<Record<string, Counter>>
}
export interface Decided {
  readonly verdict: MergeVerdict
  readonly state?: State
}

export interface Circumstances {
  readonly by: string
  /** The server's time as a filled column shows it. */
  readonly now: string
  /** Adds up to this time are forgotten. */
  readonly floor: number
  /** What was added to a row whose tombstone is gone: it stays known. */
  readonly remembered?: Readonly<Record<string, Counter>> | undefined
}

const rejected = (code: string): Decided => ({ verdict: { verdict: 'rejected', code } })
const lost = (part: Part): Decided => ({ verdict: { verdict: part === 'same' ? 'duplicate' : 'stale' } })
const greatest = (stamps: readonly Stamp[]) => stamps.reduce((a, b) => (compareStamps(a, b) < 0 ? b : a))

/** The row's stamp is the greatest of its plain columns'. A row without any has that of its puts. */
export function rowStamp({ base, stamps }: State): Stamp {
  const ofColumns = Object.values(stamps)
  return ofColumns.length === 0 ? base : greatest(ofColumns)
}

/**
 * One change of one row. A change that would take effect, and says which row it saw, is judged
 * against the row's stamp like any, and then the row must be the one that it saw.
 */
export function decide(
  table: ReferenceTable,
  before: State | undefined,
  change: MergeChange,
  circumstances: Circumstances,
): Decided {
  const decided = judge(table, before, change, circumstances)
  if (!change.if || decided.verdict.verdict !== 'applied') return decided
  const stored = before && rowStamp(before)
  return stored && compareStamps(stored, change.if) === 0 ? decided : rejected('changed')
}

function judge(
  table: ReferenceTable,
  before: State | undefined,
  change: MergeChange,
  { by, now, floor, remembered }: Circumstances,
): Decided {
  const { op, at, create, row = {} } = change
  const stamp = { at, by }
  const code = faultOf(table, change, floor)
  if (code) return rejected(code)
  const part = comparePart(stamp, before && rowStamp(before))
  if (op === 'delete') return part === 'took' ? bury(before?.counters ?? remembered, stamp) : lost(part)
  if (before && !before.deleted) return merge(table, before, change, stamp, now)
  if (op === 'patch') {
    if (part !== 'took') return lost('greater')
    if (!create) return rejected('row_missing')
  } else if (part !== 'took') {
    return lost(part)
  }
  if (lacking(table, row)) return rejected('missing_column')
  return make(table, before, before?.counters ?? remembered, row, stamp, now)
}

function bury(known: State['counters'] | undefined, base: Stamp): Decided {
  const counters = Object.entries(known ?? {}).map(([name, counter]) => [name, buryCounter(counter)])
  const state = { deleted: true, base, stamps: {}, values: {}, counters: Object.fromEntries(counters) }
  return { verdict: { verdict: 'applied', action: 'deleted' }, state }
}

/** A new row, or one that lives again after a tombstone: each column is what the put says. */
function make(
  table: ReferenceTable,
  tombstone: State | undefined,
  known: State['counters'] | undefined,
  row: Readonly<Record<string, unknown>>,
  base: Stamp,
  now: string,
): Decided {
  const stamps: Record<string, Stamp> = {}
  const values: Record<string, unknown> = {}
  const counters: Record<string, Counter> = {}
  for (const [name, { rule, preset }] of Object.entries(table.columns)) {
    if (rule === 'counter') {
      const said = row[name] as CounterWords | undefined
      const begun = beginCounter(typeof said === 'number' ? said : 0, tombstone?.base, known?.[name])
      counters[name] = mergeCounter(begun, said, base)?.counter ?? begun
    } else if (rule === 'created' || rule === 'written') {
      values[name] = now
    } else {
      values[name] = name in row ? row[name] : preset
      if (rule === 'plain') stamps[name] = base
    }
  }
  const state = { deleted: false, base, stamps, values, counters }
  return { verdict: { verdict: 'applied', action: tombstone ? 'updated' : 'inserted' }, state }
}

/** A put or patch of a row that lives. */
function merge(
  table: ReferenceTable,
  before: State,
  { op, row = {} }: MergeChange,
  stamp: Stamp,
  now: string,
): Decided {
  const stamps = { ...before.stamps }
  const values = { ...before.values }
  const counters = { ...before.counters }
  const parts: Part[] = []
  const lostNames: string[] = []
  const columns = Object.entries(table.columns)
  for (const [name, { rule, preset }] of columns) {
    if (op === 'patch' && !(name in row)) continue
    const said = name in row ? row[name] : preset
    if (rule === 'plain') {
      const part = comparePart(stamp, before.stamps[name])
      if (part === 'took') [values[name], stamps[name]] = [said, stamp]
      if (part === 'greater') lostNames.push(name)
      parts.push(part)
    } else if (rule === 'counter') {
      const merged = mergeCounter(before.counters[name] as Counter, row[name] as CounterWords | undefined, stamp)
      if (!merged) continue
      counters[name] = merged.counter
      if (merged.part === 'greater' && 'set' in (said as object)) lostNames.push(name)
      parts.push(merged.part)
    } else if (rule === 'max' || rule === 'min' || rule === 'once') {
      const { value, part } = mergeValue(rule, before.values[name], said)
      values[name] = value
      parts.push(part)
    }
  }
  // What plain columns share, where they have no stamp of their own each.
  const sharesStamp = !table.byColumn && columns.some(([name]) => stamps[name] !== before.stamps[name])
  if (sharesStamp) for (const name of Object.keys(stamps)) stamps[name] = stamp
  const hasPlain = Object.keys(stamps).length > 0
  if (op === 'put' && !hasPlain) parts.push(comparePart(stamp, before.base))

  if (!parts.includes('took')) return lost(parts.includes('greater') ? 'greater' : 'same')
  for (const [name, { rule }] of columns) if (rule === 'written') values[name] = now
  const base = op === 'put' ? greatest([before.base, stamp]) : before.base
  const verdict = { verdict: 'applied', action: 'updated', ...(lostNames.length > 0 && { lost: lostNames }) } as const
  return { verdict, state: { deleted: false, base, stamps, values, counters } }
}

/** What is refused whatever the row is. */
export function faultOf(
  table: ReferenceTable,
  { op, at, create, row = {} }: MergeChange,
  floor: number,
): string | undefined {
  const said = Object.entries(row).map(([name, value]) => ({ rule: table.columns[name]?.rule, value }))
  if ((op === 'put' || create) && lacking(table, row)) return 'missing_column'
  if (said.some(({ rule }) => rule === 'created' || rule === 'written')) return 'invalid_value'
  const ofCounters = said.filter(({ rule }) => rule === 'counter')
  if (op === 'patch' && ofCounters.some(({ value }) => typeof value === 'number')) return 'invalid_value'
  const counts = ofCounters.some(({ value }) => typeof value === 'object')
  return counts && at <= floor ? 'add_expired' : undefined
}

/** Whether a put of these columns lacks one that has no default. */
function lacking({ columns }: ReferenceTable, row: Readonly<Record<string, unknown>>): boolean {
  const needed = Object.entries(columns).filter(([, column]) => ['plain', 'max', 'min', 'once'].includes(column.rule))
  return needed.some(([name, column]) => !(name in row) && !('preset' in column))
}
