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
  /** `lost`: columns that lost to a greater stamp, as the app calls them, where others won. */
  | { readonly verdict: 'applied'; readonly action: Action; readonly lost?: readonly string[] }
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

/** What a change asks of the row beside its stamp. */
export interface Conditions {
  readonly op: Op
  /** Of a patch that makes the row where none lives. */
  readonly created?: unknown
  /** The stamp that the row must have. */
  readonly if?: Stamp | undefined
}

/** A patch that may make its row is a put where none lives. */
export const opOn = (state: RowState | undefined, { op, created }: Conditions): Op =>
  op === 'patch' && created !== undefined && (!state || state.deleted) ? 'put' : op

/** Whether the row is still as the writer saw it, where the change asks for that. */
export function isExpected({ if: seen }: Pick<Conditions, 'if'>, state: RowState | undefined): boolean {
  return !seen || (state !== undefined && compareStamps(seen, state) === 0)
}

/**
 * The same as `judge`, with what the change asks of the row. What would not apply is not held to
 * it.
 */
export function judgeChange(state: RowState | undefined, change: Conditions, stamp: Stamp): Outcome {
  const outcome = judge(state, opOn(state, change), stamp)
  return outcome.verdict === 'applied' && !isExpected(change, state) ? rejectedChanged : outcome
}

/**
 * The verdicts of several changes of one row, one by one, in the order given. `isTaken`: a key that
 * the change would take is another row's.
 */
export function judgeInTurn<Item extends Conditions & { at: number }>(
  state: RowState | undefined,
  changes: readonly Item[],
  by: string,
  isTaken: (change: Item) => boolean = () => false,
): Outcome[] {
  let now = state
  return changes.map((change) => {
    const { op, at } = change
    const outcome = judgeChange(now, change, { at, by })
    if (outcome.verdict === 'applied' && isTaken(change)) return rejectedTaken
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

/** The change was to apply only while the row is as its writer saw it. */
export const rowChanged = rejection(
  'changed',
  'The row is not as "if" says any more. Look at what it is now, and decide anew.',
)

export const rejectedChanged: Outcome = { verdict: 'rejected', error: rowChanged }

/** Another living row of the scope holds a key that is unique there. */
export const keyTaken = rejection(
  'key_taken',
  'Another row of the scope has this value, which must be unique. Take another, or change that row.',
)

export const rejectedTaken: Outcome = { verdict: 'rejected', error: keyTaken }

/** Whether an add or a set this old was counted is not remembered any more. */
export const addExpired = rejection(
  'add_expired',
  'The server does not remember any more whether this was counted, so it is not. Look at the row, and make it anew.',
)
