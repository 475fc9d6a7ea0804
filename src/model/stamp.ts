import { type Rejection, rejection } from './errors.ts'

/**
 * When a writer says a change happened (microseconds since 1970), and who it is. Totally ordered.
 */
export interface Stamp {
  readonly at: number
  readonly by: string
}

/**
 * The one order of driftline: by `at`, then by `by` in ASCII order. Negative: `a` is older. Zero:
 * the same stamp, a replay. The SQL guard of each dialect says the same, and a test holds the three
 * against each other (P6).
 */
export function compareStamps(a: Stamp, b: Stamp): number {
  if (a.at !== b.at) return a.at < b.at ? -1 : 1
  return a.by === b.by ? 0 : a.by < b.by ? -1 : 1
}

/**
 * What the last writer wins rule needs to know of a stored row. `undefined` where a row was never
 * seen.
 */
export interface RowState extends Stamp {
  readonly deleted: boolean
}

export type Op = 'put' | 'patch' | 'delete'
export type Action = 'inserted' | 'updated' | 'deleted'

/** The verdict on one change, before the row that won is attached. */
export type Outcome =
  | { readonly verdict: 'applied'; readonly action: Action }
  | { readonly verdict: 'duplicate' | 'stale' }
  | { readonly verdict: 'rejected'; readonly error: Rejection }

/**
 * What one change does to a row in a given state: the rule of last writer wins, spelled once. A put
 * or delete wins iff its stamp is greater. A patch also needs a row that lives; at or below the
 * stamp of a tombstone it is stale.
 */
export function judge(state: RowState | undefined, op: Op, stamp: Stamp): Outcome {
  const order = state ? compareStamps(stamp, state) : 1
  if (op === 'patch') {
    if (!state || (state.deleted && order > 0)) return { verdict: 'rejected', error: rowMissing }
    if (state.deleted) return { verdict: 'stale' }
    return order > 0 ? { verdict: 'applied', action: 'updated' } : { verdict: order === 0 ? 'duplicate' : 'stale' }
  }
  if (order <= 0) return { verdict: order === 0 ? 'duplicate' : 'stale' }
  return { verdict: 'applied', action: op === 'delete' ? 'deleted' : state ? 'updated' : 'inserted' }
}

/** The verdicts of several changes of one row, one by one, in the order given. */
export function judgeInTurn(
  state: RowState | undefined,
  changes: readonly { op: Op; at: number }[],
  by: string,
): Outcome[] {
  let now = state
  return changes.map(({ op, at }) => {
    const outcome = judge(now, op, { at, by })
    if (outcome.verdict === 'applied') now = { at, by, deleted: op === 'delete' }
    return outcome
  })
}

/**
 * A constraint, a policy or a trigger of the user's own said no, or a trigger kept the row from
 * being written.
 */
export const refusal = rejection(
  'constraint',
  'The database does not take this change: it breaks a constraint or trigger of the table.',
)

export const rowMissing = rejection(
  'row_missing',
  'There is no row with this id to patch. Send a put with the whole row.',
)
