/**
 * A phone, written by docs/wire.md alone: rows, an outbox, a cursor and a clock. Its state is one
 * value, so a crash is to take the saved one again. It saves before it sends: no stamp that was
 * seen outside is ever given twice.
 */
import { type SentChange, type StoredChange, wholeRow } from './reference.ts'
import { hasRules } from './tables.ts'

export interface ClientState {
  /** By scope, table and id. */
  readonly rows: ReadonlyMap<string, ClientRow>
  readonly cursor: string | null
  readonly outbox: readonly SentChange[]
  /** The last stamp that was given. */
  readonly last: number
  /** The greatest stamp that the server took. */
  readonly taken: number
  /** What the server's clock was found to be ahead of this one, in milliseconds. */
  readonly offsetMs: number
  /** The scopes that the cursor tells of. */
  readonly pulled: ReadonlySet<string>
}

export interface ClientRow {
  readonly scope: string
  readonly table: string
  readonly id: string
  readonly at: number
  readonly by: string
  readonly row: unknown
}

export type Half = 'sync' | 'push' | 'pull'

/** A request and what it was made of. */
export interface ClientRequest {
  readonly half: Half
  readonly changes: readonly SentChange[]
  /** Absent: a push before the first pull. */
  readonly cursor?: string | null
  readonly limit: number
  readonly return: 'all' | 'lost'
  /** The scopes of the token. */
  readonly scopes: readonly string[]
}

export const newClient: ClientState = {
  rows: new Map(),
  cursor: null,
  outbox: [],
  last: 0,
  taken: 0,
  offsetMs: 0,
  pulled: new Set(),
}

const rowKey = ({ scope, table, id }: { scope: string; table: string; id: string }) => `${scope}\n${table}\n${id}`

/** The row as the client has it from the server. */
export const heldRow = ({ rows }: ClientState, change: { scope: string; table: string; id: string }) =>
  rows.get(rowKey(change))

/** A hybrid logical clock: the wall clock, and always later than the last stamp. */
function stamp(state: ClientState, wallMs: number): number {
  return Math.max((wallMs + state.offsetMs) * 1000, state.last + 1)
}

export function edit(state: ClientState, wallMs: number, change: Omit<SentChange, 'at'>): ClientState {
  const at = stamp(state, wallMs)
  return { ...state, outbox: [...state.outbox, { ...change, at }], last: at }
}

export function compose(
  state: ClientState,
  half: Half,
  options: { readonly limit: number; readonly return: 'all' | 'lost'; readonly scopes: readonly string[] },
): ClientRequest {
  const changes = half === 'pull' ? [] : state.outbox
  // A push takes the cursor along: without it an edit of a row that was deleted and pruned would
  // bring the row back.
  if (half === 'push' && state.cursor === null) return { half, changes, ...options }
  return { half, changes, cursor: state.cursor, ...options }
}

/**
 * The state after an answer. Anything but 200 and 410 leaves all as it was, and the client sends
 * the same again.
 */
export function receive(
  state: ClientState,
  name: string,
  wallMs: number,
  request: ClientRequest,
  { status, body }: { readonly status: number; readonly body: Body },
): ClientState {
  if (status === 410) {
    const dropped = new Set(body.scopes)
    return { ...dropScopes(state, dropped), cursor: body.cursor ?? null }
  }
  if (status !== 200) return state
  let next = settle(state, wallMs, request, body)
  // A bootstrap begins with nothing: it leaves out the tombstones of what was held before.
  if (request.half !== 'push' && request.cursor === null) next = { ...next, rows: new Map() }
  const pulled = request.half === 'push' ? next.pulled : new Set(request.scopes)
  const rows = new Map(next.rows)
  for (const change of heldRows(name, request, body)) {
    // The first pull of a scope brings its rows, but not what was deleted before: until then none
    // is kept.
    if (pulled.has(change.scope)) take(rows, change)
  }
  for (const change of body.changes ?? []) take(rows, change)
  next = { ...next, rows, pulled, cursor: request.half === 'push' ? next.cursor : (body.cursor ?? null) }
  return dropScopes(next, new Set(body.removed_scopes))
}

/** Members of an answer that a client reads. */
export interface Body {
  readonly now: number
  readonly verdicts?: readonly Verdict[]
  readonly changes?: readonly StoredChange[]
  readonly cursor?: string
  readonly more?: boolean
  readonly removed_scopes?: readonly string[]
  /** Of a 410. */
  readonly reason?: string
  readonly scopes?: readonly string[]
}

export interface Verdict {
  readonly verdict: 'applied' | 'duplicate' | 'stale' | 'rejected'
  readonly action?: string
  readonly error?: { readonly code: string }
  readonly current?: StoredChange
}

/** What the verdicts say of rows: the one that won, or the client's own, which it holds already. */
function heldRows(name: string, { changes }: ClientRequest, { verdicts = [] }: Body): StoredChange[] {
  return verdicts.flatMap(({ verdict, current }, index) => {
    const change = changes[index] as SentChange
    if (current) return [current]
    if (verdict !== 'applied' && verdict !== 'duplicate') return []
    // What is stored of it is told, or it is a row that the server has no more.
    if (hasRules(change.table)) return []
    const own = { ...change, at: change.at as number, by: name, position: 0 }
    if (change.op === 'delete') return [{ ...own, op: 'delete' as const }]
    return [{ ...own, op: 'put' as const, row: wholeRow(change.table, change.row) }]
  })
}

function take(rows: Map<string, ClientRow>, change: StoredChange): void {
  const { scope, table, id, at, by, row } = change
  if (change.op === 'delete') rows.delete(rowKey(change))
  else rows.set(rowKey(change), { scope, table, id, at, by, row })
}

/**
 * A change leaves the outbox with its verdict, but one from too far ahead: the clock is set and it
 * is stamped again.
 */
function settle(state: ClientState, wallMs: number, { changes }: ClientRequest, body: Body): ClientState {
  const verdicts = new Map(changes.map((change, index) => [change, body.verdicts?.[index]]))
  const isAhead = (change: SentChange) => verdicts.get(change)?.error?.code === 'clock_ahead'
  const outbox = state.outbox.filter((change) => !verdicts.get(change) || isAhead(change))
  const took = changes.filter((change) => change.at !== null && !isAhead(change)).map(({ at }) => at as number)
  const taken = Math.max(state.taken, ...took)
  if (!outbox.some(isAhead)) return { ...state, outbox, taken }
  const offsetMs = Math.floor(body.now / 1000) - wallMs
  const start: ClientState = { ...state, outbox: [], taken, last: taken, offsetMs }
  return outbox.reduce((next, change) => edit(next, wallMs, change), start)
}

function dropScopes(state: ClientState, scopes: ReadonlySet<string>): ClientState {
  return {
    ...state,
    rows: new Map([...state.rows].filter(([, { scope }]) => !scopes.has(scope))),
    pulled: new Set([...state.pulled].filter((scope) => !scopes.has(scope))),
  }
}
