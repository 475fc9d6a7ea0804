import type { Sql } from '../../sql/schema-sql.ts'
import type { Cells, Statement } from '../../sql/statement.ts'
import type { Planned, Recording } from '../push/planned.ts'

/** Marks that one batch settles at the most. */
const marksMax = 5_000

/**
 * Settles the first lines of a scope, and writes down whom to tell of it. The statement whose role
 * is `settle` says what came of it.
 */
export function planSettle(
  { settle }: Pick<Sql, 'settle'>,
  scope: string,
  incarnation: string,
  recordings: readonly Recording[] = [],
): Planned[] {
  if (!settle) return []
  const role = { kind: 'guard' } as const
  return [
    { sql: settle.lock, params: [scope, incarnation], role, settles: scope },
    ...(settle.impatient ? [{ sql: settle.impatient, params: [], reads: true as const, role }] : []),
    ...settle.steps.map(
      ({ sql, bounded, tells }): Planned => ({
        ...{ sql, params: bounded ? [scope, marksMax] : [scope] },
        role: tells ? { kind: 'settle' } : role,
      }),
    ),
    ...recordings.flatMap(({ settled }): Planned[] =>
      settled ? [{ ...settled, params: [scope, ...settled.params], role }] : [],
    ),
    ...(settle.end ? [{ sql: settle.end, params: [scope], role }] : []),
  ]
}

/** Asks which of the scopes have lines that wait. */
export function planWaiting(
  { settle, dialect }: Pick<Sql, 'settle' | 'dialect'>,
  scopes: readonly string[],
): Statement[] {
  return settle ? [{ sql: settle.waiting, params: [dialect.encodeIds(scopes)], reads: true }] : []
}

/** The scopes that such a statement found, where there is one before all others. */
export const waitingIn = (waiting: readonly Statement[], results: readonly (readonly Cells[])[]): readonly string[] =>
  waiting.length > 0 ? (results[0] ?? []).flatMap(([scope]) => (scope === null ? [] : [String(scope)])) : []
