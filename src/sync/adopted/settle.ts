import type { Sql } from '../../sql/schema-sql.ts'
import type { Store } from '../../stores/store.ts'
import { planSettle } from './plan-settle.ts'

/** Where scopes are settled, and who hears of it. */
export interface Settling {
  readonly sql: Sql
  readonly batch: Store['batch']
  readonly incarnation: () => string
  readonly committed: (scope: string, position: number) => void
}

/** Batches that one request settles at the most. */
const batchesMax = 20

/** Settles scopes, each by itself. Gives those of which lines are left. */
export async function settleScopes(call: Settling, scopes: Iterable<string>): Promise<readonly string[]> {
  const left: string[] = []
  let batches = 0
  for (const scope of scopes) {
    let isLeft = true
    while (isLeft && batches++ < batchesMax) {
      const results = await call.batch(scope, planSettle(call.sql, scope, call.incarnation()))
      const [moved, position, more] = results.flat().find((row) => row.length === 3) ?? []
      if (Number(moved ?? 0) > 0) call.committed(scope, Number(position))
      isLeft = Number(more ?? 0) === 1
    }
    if (isLeft) left.push(scope)
  }
  return left
}
