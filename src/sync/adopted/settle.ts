import type { Sql } from '../../sql/schema-sql.ts'
import type { Cells, Statement } from '../../sql/statement.ts'
import type { Call } from '../call.ts'
import type { Planned } from '../push/planned.ts'

/** Marks that one batch settles at the most. */
const marksMax = 5_000
/** Batches that one request settles at the most. */
const batchesMax = 20

/** Settles the first lines of a scope. The last statement says what came of it. */
export function planSettle({ settle }: Sql, scope: string, incarnation: string): Planned[] {
  if (!settle) return []
  const role = { kind: 'guard' } as const
  return [
    { sql: settle.lock, params: [scope, incarnation], role },
    ...settle.steps.map(({ sql, bounded }): Planned => ({ sql, params: bounded ? [scope, marksMax] : [scope], role })),
  ]
}

/** Asks which of the scopes have lines that wait. */
export function planWaiting({ settle, dialect }: Sql, scopes: readonly string[]): Statement[] {
  return settle ? [{ sql: settle.waiting, params: [dialect.encodeIds(scopes)], reads: true }] : []
}

/** The scopes that such a statement found, where there is one before all others. */
export const waitingIn = (waiting: readonly Statement[], results: readonly (readonly Cells[])[]): readonly string[] =>
  waiting.length > 0 ? (results[0] ?? []).map(([scope]) => String(scope)) : []

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
