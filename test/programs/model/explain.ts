/**
 * Holds answers against the reference. Requests that ran at the same time may have met each scope
 * in any order, but in some order the reference must give exactly these answers: verdicts, rows,
 * positions, pages and cursors.
 */
import { isDeepStrictEqual } from 'node:util'
import { parseCursor } from '../../../src/model/cursor.ts'
import type { Body, ClientRequest } from './client.ts'
import {
  type Access,
  advance,
  type Entry,
  type ExpectedVerdict,
  emptyScope,
  isBehind,
  type Outcome,
  type Placed,
  pageOf,
  pushTo,
  refusalOf,
  type ScopeState,
  type SentChange,
  type StoredChange,
} from './reference.ts'
import { keyOfTable } from './tables.ts'

export type Scopes = ReadonlyMap<string, ScopeState>

/** A request, what it was allowed, and what came of it. */
export interface Exchange {
  readonly client: string
  readonly request: ClientRequest
  readonly access: ReadonlyMap<string, Access>
  /** The server's time in microseconds when it came in. */
  readonly now: number
  readonly status: number
  readonly body: Body
  /** What a fault did not keep from being written: the answer is a 503 then. */
  readonly fault?: { readonly written: ReadonlySet<string> } | undefined
}

/** Fails with what was expected and what came. */
export class Broken extends Error {}

function must(holds: boolean, what: string, expected: unknown, got: unknown): asserts holds {
  if (!holds) throw new Broken(`${what}\n  expected ${JSON.stringify(expected)}\n  got      ${JSON.stringify(got)}`)
}

function mustEqual(what: string, expected: unknown, got: unknown): void {
  must(isDeepStrictEqual(got, expected), what, expected, got)
}

/**
 * The states that each scope can have after these answers, which were given at the same time: what
 * nobody was told, such as the position of a row, may be another in another order. After one answer
 * there are several where nobody was told who got a key.
 */
export function explainOrders(
  before: Scopes,
  exchanges: readonly Exchange[],
): ReadonlyMap<string, readonly ScopeState[]> {
  const parts = new Map<string, Part[]>()
  for (const exchange of exchanges) {
    for (const part of partsOf(before, exchange)) {
      parts.set(part.scope, [...(parts.get(part.scope) ?? []), part])
    }
  }
  return new Map([...parts].map(([scope, some]) => [scope, findOrders(before.get(scope) ?? emptyScope, some)]))
}

/** What one request had to do with one scope. */
interface Part {
  readonly scope: string
  readonly exchange: Exchange
  readonly changes: readonly Placed[]
  /** Undefined: it read nothing, or nobody saw what it read. */
  readonly page?: PagePart
}

interface PagePart {
  readonly rows: readonly StoredChange[]
  readonly entry: Entry | undefined
  /** Rows that the page still had room for when the scope's turn came. */
  readonly room: number
  readonly claim: Entry | undefined
}

function partsOf(before: Scopes, exchange: Exchange): Part[] {
  const { request, access, now, status, body, fault } = exchange
  const refusals = request.changes.map((change) => refusalOf(change, access, now))
  const cursor = readCursor(request.cursor)
  const written = new Map<string, Placed[]>()
  for (const [index, change] of request.changes.entries()) {
    if (refusals[index]) continue
    written.set(change.scope, [...(written.get(change.scope) ?? []), { index, change }])
  }
  if (fault) {
    mustEqual('P13 a fault is a 503', 503, status)
    return [...written].flatMap(([scope, changes]) => (fault.written.has(scope) ? [{ scope, exchange, changes }] : []))
  }

  const behind = [...access.keys()].filter((scope) => {
    const entry = cursor.get(scope)
    return entry && isBehind(before.get(scope) ?? emptyScope, entry)
  })
  if (behind.length > 0) {
    must(status === 410, 'P9 a cursor below the watermark is answered with 410', behind, { status, body })
    mustEqual('the reason of a resync', 'pruned', body.reason)
    const { scopes = [] } = body
    const isTold = scopes.length > 0 && scopes.every((scope) => behind.includes(scope))
    must(isTold, 'the scopes of a resync are behind', behind, scopes)
    const rest = [...cursor].filter(([scope]) => !scopes.includes(scope))
    mustEqual('the cursor of a resync', new Map(rest), readCursor(body.cursor))
    return []
  }

  must(status === 200, 'the request is answered', 200, { status, body })
  const members = ['now']
  if (request.half !== 'pull') members.push('verdicts')
  if (request.half !== 'push') members.push('changes', 'cursor', 'more')
  const removed = [...cursor.keys()].filter((scope) => !access.has(scope))
  if (request.half !== 'push' && removed.length > 0) members.push('removed_scopes')
  mustEqual('the members of an answer', members.toSorted(), Object.keys(body).toSorted())
  mustEqual('P12 a verdict for each change', request.half === 'pull' ? 0 : refusals.length, body.verdicts?.length ?? 0)
  for (const [index, code] of refusals.entries()) {
    const verdict = body.verdicts?.[index]
    if (code) mustEqual(`the verdict on change ${index}`, { verdict: 'rejected', code }, plainVerdict(verdict))
  }
  const pages = request.half === 'push' ? undefined : pagesOf(exchange, cursor)
  if (pages) mustEqual('the scopes that are gone', removed, body.removed_scopes ?? [])
  const touched = new Set([...written.keys(), ...(pages?.keys() ?? [])])
  return [...touched].map((scope) => {
    const page = pages?.get(scope)
    return { scope, exchange, changes: written.get(scope) ?? [], ...(page && { page }) }
  })
}

/**
 * Takes the page apart by scope: a principal's scopes come in order, each as far as there is room.
 */
function pagesOf({ access, request, body }: Exchange, cursor: ReadonlyMap<string, Entry>): Map<string, PagePart> {
  const { changes = [] } = body
  const claims = readCursor(body.cursor)
  for (const scope of claims.keys())
    must(access.has(scope), 'P11 a cursor of granted scopes', [...access.keys()], scope)
  const pages = new Map<string, PagePart>()
  let room = request.limit
  const inOrder: StoredChange[] = []
  for (const scope of access.keys()) {
    const rows = changes.filter((change) => change.scope === scope)
    inOrder.push(...rows)
    pages.set(scope, { rows, entry: cursor.get(scope), room, claim: claims.get(scope) })
    room -= rows.length
  }
  mustEqual('P11 rows of granted scopes, in their order', inOrder, changes)
  must(room >= 0, 'no more rows than the limit', request.limit, changes.length)
  must(room === 0 || body.more === false, '"more" only of a full page', request.limit, changes.length)
  return pages
}

/** The ends of all orders in which the reference gives these answers. */
function findOrders(before: ScopeState, parts: readonly Part[]): readonly ScopeState[] {
  let fault: unknown
  const ends: ScopeState[] = []
  const search = (state: ScopeState, left: readonly Part[]): void => {
    if (left.length === 0) {
      if (!ends.some((end) => isDeepStrictEqual(end, state))) ends.push(state)
      return
    }
    for (const part of left) {
      const rest = left.filter((other) => other !== part)
      const outcomes = outcomesOf(state, part)
      if (outcomes.length === 0) fault ??= new Broken(`two rows would have one key: ${JSON.stringify(part)}`)
      for (const outcome of outcomes) {
        try {
          check(state, part, outcome)
        } catch (error) {
          if (!(error instanceof Broken)) throw error
          fault ??= error
          continue
        }
        search(outcome.state, rest)
      }
    }
  }
  search(before, parts)
  if (ends.length === 0) throw fault
  return ends
}

function outcomesOf(before: ScopeState, { exchange, changes }: Part): Outcome[] {
  const { client, request, body, now, fault } = exchange
  const isToldTaken = (index: number) => (fault ? undefined : body.verdicts?.[index]?.error?.code === 'key_taken')
  return pushTo(before, client, changes, { returned: request.return, now, isToldTaken })
}

function check(before: ScopeState, { scope, exchange, changes, page }: Part, { state, verdicts }: Outcome): void {
  const { client, body, fault } = exchange
  if (!fault) {
    for (const { index, change } of changes) {
      const told = plainVerdict(body.verdicts?.[index])
      const expected = verdicts.get(index)
      const isTaken = expected?.code === 'key_taken'
      if (isTaken) mustTellHolder(change, told)
      const got = isTaken && told ? { verdict: told.verdict, code: told.code } : told
      mustEqual(`P2 P5 P12 the verdict on change ${index} of ${client}`, expected, got)
    }
  }
  if (page) performPage(scope, exchange, before, state, page)
}

/** Whoever is refused a key is told a row that has it. */
function mustTellHolder({ table, id, row = {} }: SentChange, told: ExpectedVerdict | undefined): void {
  const column = keyOfTable[table] ?? ''
  const holder = told?.current
  const isHolder = holder?.table === table && holder.id !== id && holder.row?.[column] === row[column]
  must(isHolder, 'the row that holds the key', { table, [column]: row[column] }, told)
}

function performPage(
  scope: string,
  { client, body }: Exchange,
  before: ScopeState,
  state: ScopeState,
  page: PagePart,
): void {
  const { rows, entry, room, claim } = page
  // What this very request wrote is left out.
  const all = pageOf(state, entry, before.position)
  mustEqual(`P3 P8 the page of ${scope} for ${client}`, all.slice(0, room), rows)
  // A full page stops before it has looked at the next scope.
  const isServed = room > 0
  const isWhole = isServed && all.length <= room
  if (!isWhole) must(body.more === true, 'more rows are announced', true, body.more)
  const cursor = isServed ? advance(state, entry, rows, isWhole) : (entry ?? { position: 0, start: state.position })
  mustEqual(`P3 P4 the cursor of ${scope} for ${client}`, cursor, claim)
}

function plainVerdict(verdict: NonNullable<Body['verdicts']>[number] | undefined): ExpectedVerdict | undefined {
  if (!verdict) return undefined
  const { error, ...rest } = verdict
  return (error ? { ...rest, code: error.code } : rest) as ExpectedVerdict
}

/** What a cursor claims to have read. To a client it is opaque; whoever checks may look. */
export function readCursor(cursor: string | null | undefined): Map<string, Entry> {
  if (!cursor) return new Map()
  return new Map([...parseCursor(cursor)].map(([scope, { position, start }]) => [scope, { position, start }]))
}
