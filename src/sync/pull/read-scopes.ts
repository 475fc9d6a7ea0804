import type { Cursor, ScopeHead } from '../../model/cursor-entry.ts'
import { limits } from '../../model/limits.ts'
import type { Together } from '../../sql/dialect.ts'
import { encodeParts } from '../../sql/parts.ts'
import type { PagesSql, Sql } from '../../sql/schema-sql.ts'
import type { ScopePage } from '../../sql/scope-page.ts'
import type { AskedPage } from '../../sql/scope-pages.ts'
import type { Cells, Statement } from '../../sql/statement.ts'
import { planWaiting, waitingIn } from '../adopted/plan-settle.ts'
import { settleScopes } from '../adopted/settle.ts'
import type { Call } from '../call.ts'
import { inTurns } from '../in-turns.ts'
import { groupByPlace } from '../places.ts'
import { readStates } from './scope-states.ts'

/** What the answer still has room for, over all scopes: rows, and bytes of their text. */
export interface Budget {
  rows: number
  bytes: number
}

/** How to read the scopes of one database: statements, and what to make of their results. */
export interface Survey {
  readonly plan: readonly Statement[]
  /** The pages of the scopes, in their order. */
  finish(results: readonly (readonly Cells[])[]): readonly ScopePage[]
}

export const startBudget = (limit: number): Budget => ({ rows: limit, bytes: limits.pageBytesMax })

/**
 * As many rows again, and the bytes that are left: for statements that do not come in the order of
 * the scopes, of which `joinPages` takes the first ones.
 */
export const withOwnRows = (budget: Budget): Budget => ({
  rows: budget.rows,
  get bytes() {
    return budget.bytes
  },
  set bytes(left) {
    budget.bytes = left
  },
})

/** The rows that may still be asked for. Of none a page is the head, and whether there are rows. */
export const rowsLeft = ({ rows, bytes }: Budget): number => (rows > 0 && bytes > 0 ? rows : 0)

export function takeRoom(budget: Budget, { count, rows }: Pick<ScopePage, 'count' | 'rows'>): void {
  budget.rows -= count
  budget.bytes -= rows.length
}

/**
 * A page of each scope, of which `joinPages` makes one. The scopes of a database are read in one
 * round trip, whatever has moved, and together no more of their rows than the answer has room for.
 */
export async function readScopes(
  call: Call,
  scopes: readonly string[],
  cursor: Cursor | null,
  budget: Budget,
): Promise<ReadonlyMap<string, ScopePage>> {
  const pages = new Map<string, ScopePage>()
  await inTurns(await groupForReads(call, scopes), async (some) => {
    const { plan, finish } = surveyPlace(call, askPages(some, cursor), budget)
    const waiting = planWaiting(call.sql, some)
    const read = async () => {
      const results = await call.batch(some[0] ?? '', [...waiting, ...plan])
      return { waits: waitingIn(waiting, results), rest: results.slice(waiting.length) }
    }
    let { waits, rest } = await read()
    // What the app's own SQL has touched is settled, and then there are rows to hand out.
    const left = waits.length > 0 ? await settleScopes(call, waits) : []
    if (waits.length > 0) ({ waits, rest } = await read())
    for (const [place, page] of finish(rest).entries()) {
      const scope = some[place] ?? ''
      pages.set(scope, left.includes(scope) ? { ...page, more: true } : page)
    }
  })
  return pages
}

export const askPages = (scopes: readonly string[], cursor: Cursor | null): AskedPage[] =>
  scopes.map((scope, place) => ({ scope, place, entry: cursor?.get(scope), n: 0 }))

/** Scopes that are read by one batch: those of a database, where it takes a statement so long. */
export function groupForReads({ sql, store }: Call, scopes: readonly string[]) {
  return sql.pages ? groupByPlace(store, scopes) : scopes.map((scope) => [scope])
}

/** Reads scopes of one database. */
export function surveyPlace(call: Call, asked: readonly AskedPage[], budget: Budget): Survey {
  const limit = rowsLeft(budget)
  const { pages, dialect } = call.sql
  const survey =
    asked.length > 1 && pages && dialect.together
      ? surveyMany(call.sql, pages, dialect.together, asked, limit)
      : surveyEach(call, asked, limit)
  return {
    plan: survey.plan,
    finish(results) {
      const read = survey.finish(results)
      for (const page of read) takeRoom(budget, page)
      return read
    },
  }
}

/** By the statement of a scope alone, which is the cheapest. */
function surveyEach({ pages }: Call, asked: readonly AskedPage[], limit: number): Survey {
  return {
    plan: asked.map((one) => pages.plan(one, limit)),
    finish: (results) => asked.map(({ scope }, place) => pages.read(scope, results[place])),
  }
}

/**
 * Those that go on by one statement and those that bootstrap by another: nearly always all of them
 * do the same. More scopes than a parameter holds are further statements.
 */
function surveyMany(
  { schema, paramBytesMax }: Sql,
  pages: PagesSql,
  together: Together,
  asked: readonly AskedPage[],
  limit: number,
): Survey {
  const plan = splitAsked(together, asked, paramBytesMax).map(
    ({ bootstraps, params }): Statement => ({
      sql: bootstraps ? pages.first : pages.next,
      params: [...params, limit],
      reads: true,
    }),
  )
  return { plan, finish: (results) => together.readPages(schema, asked, results.flat()) }
}

/** Scopes as the parameters of statements. */
export function splitAsked({ encodeAsked }: Together, asked: readonly AskedPage[], paramBytesMax: number | undefined) {
  return [true, false].flatMap((bootstraps) => {
    const some = asked.filter(({ entry }) => (entry === undefined || entry.start > entry.position) === bootstraps)
    const texts = some.length > 0 ? encodeParts(some, encodeAsked, paramBytesMax) : []
    return texts.map((params) => ({ bootstraps, params }))
  })
}

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
    return some.map((scope) => [scope, states.get(scope)] as const)
  })
  return new Map(read.flat())
}
