import type { Cursor } from '../../model/cursor-entry.ts'
import type { ScopePage } from '../../sql/scope-page.ts'
import type { Cells } from '../../sql/statement.ts'
import type { PullRequest } from '../../wire/request.ts'
import type { Call } from '../call.ts'
import { planGates } from '../pull/plan-reads.ts'
import { type Budget, headsOf, readHeads, readScopes, surveyPlace } from '../pull/read-scopes.ts'
import { throwResync } from '../resync.ts'
import type { Beside } from './attempt.ts'

type Pages = Iterable<readonly [scope: string, page: ScopePage | undefined]>

/** The scopes that a push reads where it writes others of their database. */
export interface Nearby extends Beside {
  /** Their pages, by what their reads gave. Undefined: nothing was written, and so nothing read. */
  finish(results: readonly (readonly Cells[])[] | undefined): Promise<Pages>
}

/**
 * Reads scopes in the batch that writes others, which is not kept where the cursor must resync
 * (P9). No page is read where none is asked for.
 */
export function readNearby(
  call: Call,
  scopes: readonly string[],
  cursor: Cursor | null | undefined,
  asks: PullRequest | undefined,
  budget: Budget,
): Nearby {
  const gates = planGates(call.sql, scopes, cursor)
  const survey =
    asks && scopes.length > 0
      ? surveyPlace(
          call,
          scopes.map((scope) => ({ scope, entry: asks.cursor?.get(scope), n: 0 })),
          budget,
        )
      : undefined
  return {
    scopes,
    plan: [...gates, ...(survey?.plan ?? [])],
    async finish(results) {
      if (scopes.length === 0) return []
      if (results) return survey ? survey.finish(results.slice(gates.length)) : []
      const read = asks ? await readScopes(call, scopes, asks.cursor, budget) : undefined
      throwResync(cursor, read ? headsOf(read) : await readHeads(call, scopes, cursor))
      return read ?? []
    },
  }
}
