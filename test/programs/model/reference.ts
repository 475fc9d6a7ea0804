/**
 * What driftline must do, in plain maps and without a line of its code: the contract's rules, one
 * change at a time. Everything is a value; nothing here knows of SQL, HTTP or concurrency.
 */

export type Access = 'read' | 'write'

/** A change as a client sends it. */
export interface SentChange {
  readonly table: string
  readonly op: 'put' | 'patch' | 'delete'
  readonly id: string
  /** Null is what a broken client sends. */
  readonly at: number | null
  readonly scope: string
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
}

export const emptyScope: ScopeState = { position: 0, watermark: 0, rows: new Map() }

/** How far a cursor has read a scope, and where the bootstrap of the scope began. */
export interface Entry {
  readonly position: number
  readonly start: number
}

/** A verdict as the wire shows it; of an error only the code. */
export interface ExpectedVerdict {
  readonly verdict: 'applied' | 'duplicate' | 'stale' | 'rejected'
  readonly action?: 'inserted' | 'updated' | 'deleted'
  readonly code?: string
  readonly current?: StoredChange
}

export const keyOf = ({ table, id }: { readonly table: string; readonly id: string }) => `${table} ${id}`

/** The sample schema's columns, as a put fills them that names none. */
const defaults: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  lists: {},
  todos: { done: false, priority: 0, notes: null, amount: null, list_id: null },
}

export function wholeRow(table: string, row: SentChange['row']): Record<string, unknown> {
  return { ...defaults[table], ...row }
}

const driftMicroseconds = 5 * 60_000_000

/** Why a change is refused before any database sees it. */
export function refusalOf(
  { at, scope }: SentChange,
  access: ReadonlyMap<string, Access>,
  now: number,
): string | undefined {
  if (at === null) return 'invalid_stamp'
  if (at > now + driftMicroseconds) return 'clock_ahead'
  return access.get(scope) === 'write' ? undefined : 'forbidden_scope'
}

/** Last writer wins, for one change of one row. */
function decide(row: StoredChange | undefined, { op, at }: SentChange, by: string): ExpectedVerdict {
  const [stamp, stored] = [at as number, row?.at ?? Number.NEGATIVE_INFINITY]
  const isSame = row !== undefined && stamp === stored && by === row.by
  const isLater = row === undefined || stamp > stored || (stamp === stored && by > row.by)
  if (op === 'patch' && (!row || (row.op === 'delete' && isLater))) return { verdict: 'rejected', code: 'row_missing' }
  if (op === 'patch' && row?.op === 'delete') return { verdict: 'stale' }
  if (isSame) return { verdict: 'duplicate' }
  if (!isLater) return { verdict: 'stale' }
  return { verdict: 'applied', action: op === 'delete' ? 'deleted' : row ? 'updated' : 'inserted' }
}

/**
 * One scope's part of a change set: each change by itself, in stamp order, and of equal stamps the
 * first first. Each row takes a position of its own, in the order of the change set, whether it
 * wins or loses.
 */
export function pushTo(
  state: ScopeState,
  by: string,
  changes: readonly { readonly index: number; readonly change: SentChange }[],
  returned: 'all' | 'lost',
): { readonly state: ScopeState; readonly verdicts: ReadonlyMap<number, ExpectedVerdict> } {
  const keys = [...new Set(changes.map(({ change }) => keyOf(change)))]
  const rows = new Map(state.rows)
  const decided = new Map<number, ExpectedVerdict>()
  const inTurn = changes.toSorted((a, b) => (a.change.at ?? 0) - (b.change.at ?? 0) || a.index - b.index)
  for (const { index, change } of inTurn) {
    const key = keyOf(change)
    const before = rows.get(key)
    const verdict = decide(before, change, by)
    decided.set(index, verdict)
    if (verdict.verdict !== 'applied') continue
    const { scope, table, id, op } = change
    const position = state.position + keys.indexOf(key) + 1
    const stored = { scope, table, id, at: change.at as number, by, position }
    const row = op === 'patch' ? { ...before?.row, ...change.row } : wholeRow(table, change.row)
    rows.set(key, op === 'delete' ? { ...stored, op } : { ...stored, op: 'put', row })
  }
  const verdicts = new Map<number, ExpectedVerdict>()
  for (const { index, change } of changes) {
    const verdict = decided.get(index) as ExpectedVerdict
    const current = rows.get(keyOf(change))
    const isAlone = changes.filter((other) => keyOf(other.change) === keyOf(change)).length === 1
    const isHeld = returned === 'lost' && isAlone && change.op !== 'patch' && verdict.verdict !== 'stale'
    verdicts.set(index, verdict.verdict === 'rejected' || isHeld || !current ? verdict : { ...verdict, current })
  }
  return { state: { ...state, position: state.position + keys.length, rows }, verdicts }
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

/** Every tombstone goes, and the watermark tells. */
export function pruneScope(state: ScopeState): ScopeState {
  const gone = [...state.rows.values()].filter(({ op }) => op === 'delete').map(({ position }) => position)
  const rows = new Map([...state.rows].filter(([, { op }]) => op !== 'delete'))
  return { ...state, rows, watermark: Math.max(state.watermark, ...gone) }
}
