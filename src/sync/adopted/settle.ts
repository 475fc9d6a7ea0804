import type { Call } from '../call.ts'
import { planSettle } from './plan-settle.ts'

/** Batches that one request settles at the most. */
const batchesMax = 20

/** Settles scopes, each by itself. Gives those of which lines are left. */
export async function settleScopes(call: Call, scopes: Iterable<string>): Promise<readonly string[]> {
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
