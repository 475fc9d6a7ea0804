import { checkCursor } from '../../model/cursor.ts'
import type { Cursor, CursorEntry, ScopeHead } from '../../model/cursor-entry.ts'
import { limits } from '../../model/limits.ts'
import { emptyPage, type ScopePage } from '../../sql/scope-page.ts'
import type { Cells, Statement } from '../../sql/statement.ts'
import type { Call } from '../call.ts'
import { inTurns } from '../in-turns.ts'
import { groupByPlace } from '../places.ts'
import { planPage } from './plan-reads.ts'
import { parseStates, planStates, readStates, type ScopeState } from './scope-states.ts'

type PageOf = readonly [scope: string, page: ScopePage]

/** What the answer still has room for, over all scopes: rows, and bytes of their text. */
export interface Budget {
  rows: number
  bytes: number
}

/** How to read the scopes of one database: statements, and what to make of their results. */
export interface Survey {
  readonly plan: readonly Statement[]
  finish(results: readonly (readonly Cells[])[]): Promise<readonly PageOf[]>
}

export const startBudget = (limit: number): Budget => ({ rows: limit, bytes: limits.pageBytesMax })

/**
 * A page of each scope, of which `joinPages` makes one. The scopes of a database are read together:
 * a few of them by one batch; of more of them the positions by one statement, and then by one batch
 * the pages of those that moved, as many as the answer has room for.
 */
export async function readScopes(
  call: Call,
  scopes: readonly string[],
  cursor: Cursor | null,
  budget: Budget,
): Promise<ReadonlyMap<string, ScopePage>> {
  const places = await groupByPlace(call.store, scopes)
  const read = await inTurns(places, async (some) => {
    const { plan, finish } = surveyPlace(call, some, cursor, budget)
    return finish(await call.batch(some[0] ?? '', plan))
  })
  return new Map(read.flat())
}

export function surveyPlace(call: Call, scopes: readonly string[], cursor: Cursor | null, budget: Budget): Survey {
  if (scopes.length <= limits.pagesAtOnceMax) return surveyPages(call, scopes, cursor, budget)
  const finish: Survey['finish'] = async (results) => {
    const states = parseStates(results)
    const pages: PageOf[] = []
    const waiting: Waiting[] = []
    for (const scope of scopes) {
      const state = states.get(scope)
      const entry = cursor?.get(scope)
      if (state && isBehind(entry, state.head)) waiting.push({ scope, entry, state })
      else pages.push([scope, { ...emptyPage, head: state?.head }])
    }
    let at = 0
    while (at < waiting.length && budget.rows > 0 && budget.bytes > 0) {
      const some = takeFitting(waiting.slice(at), budget).map(({ scope }) => scope)
      const { plan, finish: read } = surveyPages(call, some, cursor, budget)
      pages.push(...(await read(await call.batch(some[0] ?? '', plan))))
      at += some.length
    }
    // They have rows, for which there is no room left.
    for (const { scope, state } of waiting.slice(at))
      pages.push([scope, { ...emptyPage, head: state.head, more: true }])
    return pages
  }
  return { plan: planStates(call.store, scopes), finish }
}

/** A page of each. Once the answer is full, the rest is asked for little more than its heads. */
function surveyPages({ sql, pages }: Call, scopes: readonly string[], cursor: Cursor | null, budget: Budget): Survey {
  const limit = budget.rows > 0 && budget.bytes > 0 ? budget.rows : 1
  return {
    plan: scopes.map((scope) => planPage(sql, scope, pages.rangeOf(scope, cursor, limit))),
    async finish(results) {
      const read = scopes.map((scope, place) => [scope, pages.read(scope, results[place])] as const)
      for (const [, page] of read) {
        budget.rows -= page.count
        budget.bytes -= page.rows.length
      }
      return read
    },
  }
}

/** A scope that has moved on. */
interface Waiting {
  readonly scope: string
  readonly entry: CursorEntry | undefined
  readonly state: ScopeState
}

/** What a cursor that must resync would read is read by nobody. */
function isBehind(entry: CursorEntry | undefined, head: ScopeHead): boolean {
  return entry?.position !== head.position && !(entry && checkCursor(entry, head))
}

/**
 * As many scopes from the first on as fill the answer, and no more text than it may have: a scope
 * has no more rows than positions since the cursor, and none larger than its largest. At least one.
 */
function takeFitting(waiting: readonly Waiting[], { rows, bytes }: Budget): readonly Waiting[] {
  let [rowsLeft, bytesLeft] = [rows, bytes]
  let count = 0
  for (const { entry, state } of waiting) {
    const most = Math.min(state.head.position - (entry?.position ?? 0), rows)
    bytesLeft -= most * state.rowBytes
    if (count > 0 && (rowsLeft <= 0 || bytesLeft < 0)) break
    rowsLeft -= most
    count++
    if (count === batchScopesMax) break
  }
  return waiting.slice(0, count)
}

/** Page statements of one batch: each is some thousand characters long. */
const batchScopesMax = 16

export function headsOf(pages: ReadonlyMap<string, ScopePage>): ReadonlyMap<string, ScopeHead | undefined> {
  return new Map([...pages].map(([scope, { head }]) => [scope, head]))
}

/** What the cursor is held against, of those scopes that it knows. */
export async function readHeads(
  { batch, store }: Call,
  scopes: readonly string[],
  cursor: Cursor | null | undefined,
): Promise<ReadonlyMap<string, ScopeHead | undefined>> {
  const known = scopes.filter((scope) => cursor?.has(scope))
  const places = await groupByPlace(store, known)
  const read = await inTurns(places, async (some) => {
    const states = await readStates(store, batch, some)
    return some.map((scope) => [scope, states.get(scope)?.head] as const)
  })
  return new Map(read.flat())
}
