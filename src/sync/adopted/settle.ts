import type { Sql } from '../../sql/schema-sql.ts'
import type { Store } from '../../stores/store.ts'
import type { Recorder } from '../push/planned.ts'
import { planSettle } from './plan-settle.ts'

/** What settling needs of a request. */
export interface Settling {
  readonly sql: Pick<Sql, 'settle'>
  readonly batch: Store['batch']
  readonly incarnation: () => string
  readonly committed: (scope: string, position: number) => void
  /** The server's time in microseconds. */
  readonly receivedAt: number
  /** What to write down of what moved: whom to tell of it. */
  readonly record: Recorder
}

/** Batches that one request settles at the most. */
const batchesMax = 20

/** Settles scopes, each by itself. Gives those of which lines are left. */
export async function settleScopes(call: Settling, scopes: Iterable<string>): Promise<readonly string[]> {
  const { sql, batch, incarnation, committed, record, receivedAt } = call
  const left: string[] = []
  let batches = 0
  for (const scope of scopes) {
    let isLeft = true
    while (isLeft && batches++ < batchesMax) {
      const plan = planSettle(sql, scope, incarnation(), record(scope, receivedAt))
      const results = await batch(scope, plan)
      const told = plan.findIndex(({ role }) => role.kind === 'settle')
      const [moved, position, more] = results[told]?.[0] ?? []
      if (Number(moved ?? 0) > 0) committed(scope, Number(position))
      isLeft = Number(more ?? 0) === 1
    }
    if (isLeft) left.push(scope)
  }
  return left
}
