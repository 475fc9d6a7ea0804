import type { Cursor, ScopeHead } from '../../model/cursor-entry.ts'
import type { Principal } from '../../model/principal.ts'
import type { Schema } from '../../model/table.ts'
import type { Facts } from '../../observe/facts.ts'
import { censusSql } from '../../sql/count-sql.ts'
import { parseHead } from '../../sql/scope-page.ts'
import type { Statement } from '../../sql/statement.ts'
import { retryConflicts, type Store } from '../../stores/store.ts'
import { inTurns } from '../in-turns.ts'
import { throwResync } from '../resync.ts'

/** The scopes that a stream is about to be read from. */
export interface Census {
  /** In the principal's order. Undefined: the scope was never written. */
  readonly heads: ReadonlyMap<string, ScopeHead | undefined>
  /** Rows that the stream will hand out; 0 where they were not counted. */
  readonly rows: number
}

export type TakeCensus = (principal: Principal, cursor: Cursor | null, facts: Facts, counts: boolean) => Promise<Census>

/**
 * Looks at the scopes before a stream: one round trip for each. Heads are one row of each scope.
 * Counting goes over the index and the rows that are to come, whether they are deleted: a twelfth
 * of what reading them then takes, in one statement for each table; where databases are billed by
 * the rows they read, each counts twice. Writes that go on meanwhile may change the number a
 * little. Throws the `Problem` of a cursor that must resync (P9, P16).
 */
export function createCensus({ schema, store }: { readonly schema: Schema; readonly store: Store }): TakeCensus {
  const sql = censusSql(store.dialect, schema)
  return async (principal, cursor, facts, counts) => {
    const heads = new Map<string, ScopeHead | undefined>()
    for (const scope of principal.scopes.keys()) heads.set(scope, undefined)
    let rows = 0
    await inTurns([...heads.keys()], async (scope) => {
      const { position, start } = cursor?.get(scope) ?? { position: 0, start: Number.MAX_SAFE_INTEGER }
      const statements: Statement[] = [{ sql: sql.head, params: [scope], reads: true }]
      const counting = start > position ? sql.firstRows : sql.rows
      if (counts)
        for (const count of counting) statements.push({ sql: count, params: [scope, position, start], reads: true })
      const began = performance.now()
      const [head = [], ...counted] = await retryConflicts(() => store.batch(scope, statements))
      facts.databaseMs += performance.now() - began
      heads.set(scope, parseHead(head))
      // Of a database that is not there yet, such as a file for the scope, not even a count comes.
      for (const [count] of counted) rows += Number(count?.[0] ?? 0)
    })
    throwResync(cursor, heads)
    return { heads, rows }
  }
}
