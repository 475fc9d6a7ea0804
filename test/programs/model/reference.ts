/**
 * What driftline must do, in plain maps: the contract's rules, one change at a time. Everything is
 * a value; nothing here knows of SQL, HTTP or concurrency. What becomes of one row is told by
 * test/support/merge-row.ts, which knows no more.
 */

import type { Stamp } from '../../../src/model/stamp.ts'
import { counterValue } from '../../support/merge-columns.ts'
import { decide, faultOf, type MergeVerdict, rowStamp, type State } from '../../support/merge-row.ts'
import { hasRules, keyOfTable, modelTables } from './tables.ts'

export type Access = 'read' | 'write'

/** A change as a client sends it. */
export interface SentChange {
  readonly table: string
  readonly op: 'put' | 'patch' | 'delete'
  readonly id: string
  /** Null is what a broken client sends. */
  readonly at: number | null
  readonly scope: string
  readonly create?: true
  /** The stamp of the row that the client saw. */
  readonly if?: Stamp
  readonly row?: Readonly<Record<string, unknown>>
}

/** A row or tombstone as the wire shows it. */
export interface StoredChange {
  readonly scope: string
  readonly table: string
  readonly op: 'put' | 'delete'
  readonly id: string
  readonly at: number
  readonly by: string
  readonly position: number
  readonly row?: Readonly<Record<string, unknown>>
}

export interface ScopeState {
  readonly position: number
  readonly watermark: number
  readonly rows: ReadonlyMap<string, StoredChange>
  /** The same rows, with all that was ever said of them. */
  readonly states: ReadonlyMap<string, State>
  /** What was added to rows whose tombstones are gone. */
  readonly graves: ReadonlyMap<string, State['counters']>
  /** Adds up to this time are forgotten. */
  readonly floor: number
}

export const emptyScope: ScopeState = {
  ...{ position: 0, watermark: 0, floor: 0 },
  ...{ rows: new Map(), states: new Map(), graves: new Map() },
}

/** How far a cursor has read a scope, and where the bootstrap of the scope began. */
export interface Entry {
  readonly position: number
  readonly start: number
}

/** A verdict as the wire shows it; of an error only the code. */
export interface ExpectedVerdict {
  readonly verdict: 'applied' | 'duplicate' | 'stale' | 'rejected'
  readonly action?: 'inserted' | 'updated' | 'deleted'
  readonly lost?: readonly string[]
  readonly code?: string
  readonly current?: StoredChange
}

export const keyOf = ({ table, id }: { readonly table: string; readonly id: string }) => `${table} ${id}`

/** The row of a put into a table without rules. */
export function wholeRow(table: string, row: SentChange['row']): Record<string, unknown> {
  const columns = Object.entries(modelTables[table]?.columns ?? {})
  return { ...Object.fromEntries(columns.map(([name, { preset }]) => [name, preset])), ...row }
}

const driftMicroseconds = 5 * 60_000_000

/** Why a change is refused before any database sees it. */
export function refusalOf(change: SentChange, access: ReadonlyMap<string, Access>, now: number): string | undefined {
  const { table, at, scope } = change
  if (at === null) return 'invalid_stamp'
  if (at > now + driftMicroseconds) return 'clock_ahead'
  const code = modelTables[table] && faultOf(modelTables[table], { ...change, at }, 0)
  if (code) return code
  return access.get(scope) === 'write' ? undefined : 'forbidden_scope'
}

/** A change at its place in the request. */
export interface Placed {
  readonly index: number
  readonly change: SentChange
}

export interface Outcome {
  readonly state: ScopeState
  readonly verdicts: ReadonlyMap<number, ExpectedVerdict>
}

export interface Circumstances {
  readonly returned: 'all' | 'lost'
  /** The server's time, in microseconds. */
  readonly now: number
  /** Whether a change was told that another row holds its key. Undefined: nobody knows. */
  readonly isToldTaken: (index: number) => boolean | undefined
}

/** Rows while a change set is applied to them. */
interface Branch {
  readonly states: Map<string, State>
  readonly rows: Map<string, StoredChange>
  readonly decided: Map<number, MergeVerdict>
}

/**
 * One scope's part of a change set: each change by itself, in stamp order, and of equal stamps the
 * first first. Each row takes a position of its own, in the order of the change set, whether it
 * wins or loses. Several ends are allowed where rows of the change set want a key that another of
 * them has, takes or gives away: then no two may have it in the end.
 */
export function pushTo(
  state: ScopeState,
  by: string,
  all: readonly Placed[],
  { returned, now, isToldTaken }: Circumstances,
): Outcome[] {
  const isExpired = ({ change }: Placed) =>
    faultOf(modelTables[change.table] as never, change as never, state.floor) === 'add_expired'
  const changes = all.filter((one) => !isExpired(one))
  const shownNow = new Date(now / 1000).toISOString()
  let branches: Branch[] = [{ states: new Map(state.states), rows: new Map(state.rows), decided: new Map() }]
  for (const { index, change } of changes.toSorted(inTurn)) {
    const key = keyOf(change)
    const table = modelTables[change.table] as (typeof modelTables)[string]
    branches = branches.flatMap((branch) => {
      const sent = { ...change, at: change.at as number }
      const remembered = state.graves.get(key)
      const { verdict, state: next } = decide(table, branch.states.get(key), sent, {
        by,
        now: shownNow,
        floor: 0,
        remembered,
      })
      const answers = verdict.verdict === 'applied' && next ? takenOf(state, branch, changes, change, next) : [false]
      const told = isToldTaken(index)
      return answers
        .filter((isTaken) => answers.length === 1 || told === undefined || told === isTaken)
        .map((isTaken, place) => {
          const after = place === 0 && answers.length === 1 ? branch : copyOf(branch)
          after.decided.set(index, isTaken ? { verdict: 'rejected', code: 'key_taken' } : verdict)
          if (isTaken || !next) return after
          after.states.set(key, next)
          after.rows.set(key, shownRow(change, next, 0))
          return after
        })
    })
  }
  return branches
    .filter(hasUniqueKeys)
    .flatMap((branch) => withPositions(state, branch, changes))
    .map(({ branch, count }) => {
      const verdicts = new Map<number, ExpectedVerdict>()
      for (const { index } of all) verdicts.set(index, { verdict: 'rejected', code: 'add_expired' })
      for (const one of changes) verdicts.set(one.index, verdictOf(one, changes, branch, returned))
      const graves = new Map([...state.graves].filter(([key]) => !branch.states.has(key)))
      const { states, rows } = branch
      return { state: { ...state, position: state.position + count, rows, states, graves }, verdicts }
    })
}

/**
 * Each row of the change set takes a position, also one that loses. One of which all is refused for
 * a key that others of the change set want may take none.
 */
function withPositions(
  before: ScopeState,
  branch: Branch,
  changes: readonly Placed[],
): { readonly branch: Branch; readonly count: number }[] {
  const keys = [...new Set(changes.map(({ change }) => keyOf(change)))]
  const ofRow = (key: string) => changes.filter(({ change }) => keyOf(change) === key)
  const isRefused = ({ index }: Placed) => branch.decided.get(index)?.code === 'key_taken'
  const isAmongOthers = ({ change }: Placed) => ofTable(changes, change.table).length > 1
  const mayLack = keys.filter((key) => ofRow(key).every((one) => isRefused(one) && isAmongOthers(one)))
  const lacking = mayLack.reduce<string[][]>((some, key) => some.flatMap((keys) => [keys, [...keys, key]]), [[]])
  return lacking.map((without) => {
    const counted = keys.filter((key) => !without.includes(key))
    const placed = ([key, row]: [string, StoredChange]): [string, StoredChange] =>
      row === before.rows.get(key)
        ? [key, row]
        : [key, { ...row, position: before.position + counted.indexOf(key) + 1 }]
    return { branch: { ...branch, rows: new Map([...branch.rows].map(placed)) }, count: counted.length }
  })
}

const ofTable = (changes: readonly Placed[], table: string) => [
  ...new Set(changes.filter(({ change }) => change.table === table).map(({ change }) => keyOf(change))),
]

const inTurn = (a: Placed, b: Placed) => (a.change.at ?? 0) - (b.change.at ?? 0) || a.index - b.index

const copyOf = ({ states, rows, decided }: Branch): Branch => ({
  ...{ states: new Map(states), rows: new Map(rows), decided: new Map(decided) },
})

function verdictOf(
  { index, change }: Placed,
  changes: readonly Placed[],
  { decided, rows }: Branch,
  returned: 'all' | 'lost',
): ExpectedVerdict {
  const verdict = decided.get(index) as ExpectedVerdict
  const current = rows.get(keyOf(change))
  if (verdict.verdict === 'rejected' && verdict.code !== 'changed') return verdict
  const isAlone = changes.filter((other) => keyOf(other.change) === keyOf(change)).length === 1
  const isPlain = !hasRules(change.table) && verdict.verdict !== 'rejected'
  const isHeld = returned === 'lost' && isPlain && isAlone && change.op !== 'patch' && verdict.verdict !== 'stale'
  return isHeld || !current ? verdict : { ...verdict, current }
}

function shownRow({ scope, table, id }: SentChange, state: State, position: number): StoredChange {
  const { at, by } = rowStamp(state)
  const stored = { scope, table, id, at, by, position }
  if (state.deleted) return { ...stored, op: 'delete' }
  const counters = Object.entries(state.counters).map(([name, one]) => [name, counterValue(one)])
  return { ...stored, op: 'put', row: { ...state.values, ...Object.fromEntries(counters) } }
}

/** The key that a row has. Null is none. */
const keyIn = (table: string, { deleted, values }: State): unknown =>
  deleted ? null : (values[keyOfTable[table] ?? ''] ?? null)

/** Whether a change that would apply is refused since its key is taken: one answer, or both. */
function takenOf(
  before: ScopeState,
  { states }: Branch,
  all: readonly Placed[],
  change: SentChange,
  next: State,
): boolean[] {
  const column = keyOfTable[change.table]
  const key = column === undefined ? null : keyIn(change.table, next)
  if (column === undefined || key === null || !(column in (change.row ?? {}))) return [false]
  const isOther = (one: string) => one.startsWith(`${change.table} `) && one !== keyOf(change)
  const holds = (some: ReadonlyMap<string, State>) =>
    [...some].some(([one, state]) => isOther(one) && keyIn(change.table, state) === key)
  const others = all.map((one) => one.change).filter((one) => isOther(keyOf(one)))
  // What says nothing of keys takes none and gives none away.
  if (others.every(({ op, row = {} }) => op === 'patch' && !(column in row))) return [holds(states)]
  const isWanted = holds(states) || holds(before.states) || others.some(({ row }) => row?.[column] === key)
  return isWanted ? [false, true] : [false]
}

function hasUniqueKeys({ states }: Branch): boolean {
  const held = new Set<string>()
  return [...states].every(([one, state]) => {
    const [table = ''] = one.split(' ')
    const key = keyIn(table, state)
    const text = `${table} ${key}`
    if (key === null) return true
    return held.size < held.add(text).size
  })
}

/** What a page of a scope may hold, in order: what lies after the cursor and up to `upper`. */
export function pageOf(state: ScopeState, entry: Entry | undefined, upper: number): StoredChange[] {
  const from = entry ?? { position: 0, start: Number.POSITIVE_INFINITY }
  return [...state.rows.values()]
    .filter(({ position }) => position > from.position && position <= upper)
    .filter(({ op, position }) => op === 'put' || position > from.start)
    .toSorted((a, b) => a.position - b.position)
}

/** Where the cursor stands after a page, of which `rows` were handed out. */
export function advance(
  state: ScopeState,
  entry: Entry | undefined,
  rows: readonly StoredChange[],
  isWhole: boolean,
): Entry {
  const start = entry ? entry.start : state.position
  const position = isWhole ? state.position : (rows.at(-1)?.position ?? entry?.position ?? 0)
  return { position, start: start > position ? start : 0 }
}

/** Whether tombstones that a cursor has not read may be gone. */
export function isBehind(state: ScopeState, { position, start }: Entry): boolean {
  return Math.max(position, start) < state.watermark
}

const addsKeptMicroseconds = 14 * 24 * 3_600_000_000

/**
 * Every tombstone goes, and the watermark tells. What was added long ago is forgotten, and the
 * floor tells.
 */
export function pruneScope(state: ScopeState, now: number): ScopeState {
  const gone = [...state.rows].filter(([, { op }]) => op === 'delete')
  const left = <Item>(some: ReadonlyMap<string, Item>) =>
    new Map([...some].filter(([key]) => state.rows.get(key)?.op !== 'delete'))
  const graves = new Map([
    ...state.graves,
    ...gone.map(([key]) => [key, state.states.get(key)?.counters ?? {}] as const),
  ])
  const known = [...state.graves.values(), ...[...state.states.values()].map(({ counters }) => counters)]
  const ats = known.flatMap((counters) => Object.values(counters).flatMap(({ adds }) => adds.map(({ at }) => at)))
  return {
    ...{ ...state, rows: left(state.rows), states: left(state.states), graves },
    watermark: Math.max(state.watermark, ...gone.map(([, { position }]) => position)),
    floor: Math.max(state.floor, ...ats.filter((at) => at < now - addsKeptMicroseconds)),
  }
}
