import type { Cursor, ScopeHead } from '../../model/cursor-entry.ts'
import type { Principal } from '../../model/principal.ts'
import type { Schema } from '../../model/table.ts'
import { type AppColumns, viewOf } from '../../model/view.ts'
import type { Facts } from '../../observe/facts.ts'
import { countSql } from '../../sql/count-sql.ts'
import { pagesOf } from '../../sql/schema-sql.ts'
import type { Statement } from '../../sql/statement.ts'
import { retryConflicts, type Store } from '../../stores/store.ts'
import { inTurns } from '../in-turns.ts'
import { groupByPlace } from '../places.ts'
import { throwResync } from '../resync.ts'
import { askPages, splitAsked } from './read-scopes.ts'
import { parseStates, planStates } from './scope-states.ts'

/** The scopes that a stream is about to be read from. */
export interface CountedScopes {
  /** In the principal's order. Undefined: the scope was never written. */
  readonly heads: ReadonlyMap<string, ScopeHead | undefined>
  /** Rows that the stream will hand out; 0 where they were not counted. */
  readonly rows: number
}

export type CountScopes = (
  principal: Principal,
  cursor: Cursor | null,
  facts: Facts,
  counts: boolean,
  columns?: AppColumns,
) => Promise<CountedScopes>

/**
 * Looks at the scopes before a stream: those of one database in one round trip, rows and all, where
 * they are counted. Heads are one row of each scope. Counting goes over the index and the rows that
 * are to come, whether they are deleted: a twelfth of what reading them then takes; where databases
 * are billed by the rows they read, each counts twice. Writes that go on meanwhile may change the
 * number a little. Throws the `Problem` of a cursor that must resync (P9, P16).
 */
export function createCountScopes({ schema, store }: { readonly schema: Schema; readonly store: Store }): CountScopes {
  const whole = countSql(store.dialect, schema)
  const pages = (of: Schema) => pagesOf(of, store.dialect, store.limits)
  const wholePages = pages(schema)
  const { together } = store.dialect
  return async (principal, cursor, facts, counts, columns) => {
    const seen = viewOf(schema, columns)
    const sql = seen === schema ? whole : countSql(store.dialect, seen)
    const many = seen === schema ? wholePages : pages(seen)
    const heads = new Map<string, ScopeHead | undefined>()
    for (const scope of principal.scopes.keys()) heads.set(scope, undefined)
    const batch: Store['batch'] = async (scope, statements) => {
      const began = performance.now()
      const results = await retryConflicts(() => store.batch(scope, statements))
      facts.databaseMs += performance.now() - began
      return results
    }
    const countOf = (scope: string): Statement[] => {
      const { position, start } = cursor?.get(scope) ?? { position: 0, start: Number.MAX_SAFE_INTEGER }
      const texts = start > position ? sql.firstRows : sql.rows
      return texts.map((text) => ({ sql: text, params: [scope, position, start], reads: true }))
    }
    const countAll = (scopes: readonly string[]): Statement[] =>
      scopes.length > 1 && many && together
        ? splitAsked(together, askPages(scopes, cursor), store.limits?.paramBytesMax).map(({ bootstraps, params }) => ({
            sql: bootstraps ? many.countFirst : many.countNext,
            params,
            reads: true,
          }))
        : scopes.flatMap(countOf)
    const places = await groupByPlace(store, [...heads.keys()])
    const sums = await inTurns(places, async (scopes) => {
      const plan = planStates(store, scopes)
      const results = await batch(scopes[0] ?? '', [...plan, ...(counts ? countAll(scopes) : [])])
      for (const [scope, head] of parseStates(results.slice(0, plan.length))) heads.set(scope, head)
      // Of a database that is not there yet, such as a file for the scope, not even a count comes.
      return results.slice(plan.length).reduce((all, [count]) => all + Number(count?.[0] ?? 0), 0)
    })
    throwResync(cursor, heads)
    return { heads, rows: sums.reduce((all, rows) => all + rows, 0) }
  }
}
