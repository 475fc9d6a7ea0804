import type { Cursor } from '../../model/cursor-entry.ts'
import type { ScopePage } from '../../sql/scope-page.ts'
import type { Cells, Statement } from '../../sql/statement.ts'
import { planWaiting, waitingIn } from '../adopted/plan-settle.ts'
import type { Call } from '../call.ts'
import { planGates } from '../pull/plan-reads.ts'
import { askPages, type Budget, surveyPlace, withOwnRows } from '../pull/read-scopes.ts'

/** What a batch does for scopes of one database beside writing some of them. */
export interface Beside {
  /** Those that are not written. */
  readonly scopes: readonly string[]
  /** Hold the cursor against them, before anything is written (P9). */
  readonly gates: readonly Statement[]
  /**
   * Reads the pages of all, once the positions are known that each written scope takes. None: no
   * page is asked for.
   */
  readonly read?: (taken: ReadonlyMap<string, number>) => BesideRead
}

export interface BesideRead {
  readonly plan: readonly Statement[]
  finish(results: readonly (readonly Cells[])[]): ReadonlyMap<string, ScopePage>
}

/** A sync asks for a page of all scopes, in their order. */
export interface AskedScopes {
  readonly cursor: Cursor | null
  readonly order: readonly string[]
  readonly budget: Budget
}

/**
 * The pages of the written scopes are read with those of the others, in the very batch and under
 * their locks, and share the room of the answer with them.
 */
export function planBeside(
  call: Call,
  scopes: readonly string[],
  cursor: Cursor | null | undefined,
  asks: AskedScopes | undefined,
): Beside {
  const gates = planGates(call.sql, scopes, cursor)
  if (!asks) return { scopes, gates }
  const others = new Set(scopes)
  return {
    ...{ scopes, gates },
    read(taken) {
      const some = asks.order.filter((scope) => taken.has(scope) || others.has(scope))
      const asked = askPages(some, asks.cursor).map((one) => ({ ...one, n: taken.get(one.scope) ?? 0 }))
      const { plan, finish } = surveyPlace(call, asked, withOwnRows(asks.budget))
      const waiting = planWaiting(call.sql, some)
      return {
        plan: [...waiting, ...plan],
        finish(results) {
          // What waits is settled by the next pull.
          const waits = waitingIn(waiting, results)
          const pages = finish(results.slice(waiting.length))
          return new Map(
            pages.map((page, place): [string, ScopePage] => {
              const scope = some[place] ?? ''
              return [scope, waits.includes(scope) ? { ...page, more: true } : page]
            }),
          )
        },
      }
    },
  }
}
