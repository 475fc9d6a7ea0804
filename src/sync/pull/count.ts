import type { Cursor, ScopeHead } from '../../model/cursor-entry.ts'
import type { Principal } from '../../model/principal.ts'
import type { Schema } from '../../model/table.ts'
import { type AppColumns, viewOf } from '../../model/view.ts'
import type { Facts } from '../../observe/facts.ts'
import { settleSql } from '../../sql/adopted/engine.ts'
import { countSql } from '../../sql/count-sql.ts'
import { pagesOf } from '../../sql/schema-sql.ts'
import type { Statement } from '../../sql/statement.ts'
import { retryConflicts, type Store } from '../../stores/store.ts'
import { planWaiting, waitingIn } from '../adopted/plan-settle.ts'
import { settleScopes } from '../adopted/settle.ts'
import { inTurns } from '../in-turns.ts'
import { randomIncarnation } from '../incarnation.ts'
import { groupByPlace } from '../places.ts'
import type { Recorder } from '../push/planned.ts'
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
export function createCountScopes({
  schema,
  store,
  record = () => [],
  onCommit = () => {},
}: {
  readonly schema: Schema
  readonly store: Store
  readonly record?: Recorder | undefined
  readonly onCommit?: ((scope: string, position: number) => void) | undefined
}): CountScopes {
  const settle = settleSql(store.dialect, schema)
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
      const waiting = planWaiting({ settle, dialect: store.dialect }, scopes)
      const plan = planStates(store, scopes)
      const read = () => batch(scopes[0] ?? '', [...waiting, ...plan, ...(counts ? countAll(scopes) : [])])
      let found = await read()
      // What the app's own SQL has touched moves scopes on.
      const waits = waitingIn(waiting, found)
      if (waits.length > 0) {
        const call = { sql: { settle }, batch, incarnation: randomIncarnation, receivedAt: Date.now() * 1000 }
        await settleScopes({ ...call, record, committed: onCommit }, waits)
        found = await read()
      }
      const results = found.slice(waiting.length)
      for (const [scope, head] of parseStates(results.slice(0, plan.length))) heads.set(scope, head)
      // Of a database that is not there yet, such as a file for the scope, not even a count comes.
      return results.slice(plan.length).reduce((all, [count]) => all + Number(count?.[0] ?? 0), 0)
    })
    throwResync(cursor, heads)
    return { heads, rows: sums.reduce((all, rows) => all + rows, 0) }
  }
}
