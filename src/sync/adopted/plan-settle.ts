import type { Sql } from '../../sql/schema-sql.ts'
import type { Cells, Statement } from '../../sql/statement.ts'
import type { Planned } from '../push/planned.ts'

/** Marks that one batch settles at the most. */
const marksMax = 5_000

/** Settles the first lines of a scope. The last statement says what came of it. */
export function planSettle({ settle }: Sql, scope: string, incarnation: string): Planned[] {
  if (!settle) return []
  const role = { kind: 'guard' } as const
  return [
    { sql: settle.lock, params: [scope, incarnation], role, settles: scope },
    ...(settle.impatient ? [{ sql: settle.impatient, params: [], reads: true as const, role }] : []),
    ...settle.steps.map(({ sql, bounded }): Planned => ({ sql, params: bounded ? [scope, marksMax] : [scope], role })),
  ]
}

/** Asks which of the scopes have lines that wait. */
export function planWaiting({ settle, dialect }: Sql, scopes: readonly string[]): Statement[] {
  return settle ? [{ sql: settle.waiting, params: [dialect.encodeIds(scopes)], reads: true }] : []
}

/** The scopes that such a statement found, where there is one before all others. */
export const waitingIn = (waiting: readonly Statement[], results: readonly (readonly Cells[])[]): readonly string[] =>
  waiting.length > 0 ? (results[0] ?? []).flatMap(([scope]) => (scope === null ? [] : [String(scope)])) : []
