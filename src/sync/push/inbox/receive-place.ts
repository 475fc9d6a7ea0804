import { hasRules } from '../../../model/merge.ts'
import { refusal } from '../../../model/stamp.ts'
import { StoreFault } from '../../../stores/store.ts'
import type { Call } from '../../call.ts'
import { inTurns } from '../../in-turns.ts'
import { noRejections, type Rejections } from '../admitted.ts'
import { type Done, notifyApplied, type ScopeWrite, writeTogether } from '../attempt.ts'
import { coalesce } from '../coalesce.ts'
import type { Decoded } from '../decode.ts'
import { planPush } from '../plan.ts'
import { pushAlone, type ScopePush } from '../push-scope.ts'
import { markConflicts, reconcile, swallowedOf } from '../reconcile.ts'
import type { RowWrite } from '../row-write.ts'
import { foldedAndSwallowed, withoutRow } from '../swallowed.ts'
import { joinVerdicts, rejectedVerdicts, type Verdicts } from '../verdicts.ts'
import { writeScope } from '../write-scope.ts'
import { type Claimed, otherLetters, readClaim, readRecalled, rejectLetters } from './claim.ts'

/** A webhook, whose source is the client. */
export interface ScopeReceipt extends Pick<ScopePush, 'client' | 'atomic' | 'answerBytesMax'> {
  /** The webhook's id, which takes effect once (P14). */
  readonly id: string
  /** Changes of the webhook, of any scope, that were rejected before the database saw them. */
  readonly rejected: Rejections
}

/**
 * Applies a webhook's changes once: its id goes into the inbox of each scope in the transaction of
 * the rows, with the verdicts, which a retry gets as they were. The scopes of one database are
 * written by one batch where it takes all of them, else each by itself.
 */
export async function receivePlace(
  call: Call,
  receipt: ScopeReceipt,
  scopes: readonly string[],
  { byScope }: Decoded,
): Promise<readonly Verdicts[]> {
  const parts = scopes.map((scope) => ({ write: planReceipt(call, receipt, scope), changes: byScope.get(scope) ?? [] }))
  // Where scopes are limited, each is looked at before it is written.
  const together = parts.length > 1 && !call.rooms ? await writeTogether(call, parts) : undefined
  return inTurns(parts, async ({ write, changes }) => {
    const first = together?.done.get(write.scope)
    const written = first ? { done: first, rejected: noRejections } : await writeScope(call, write, changes)
    if (written.repeated) return recall(call, receipt, write.scope)
    const refused = rejectedVerdicts(written.rejected)
    return written.done ? joinVerdicts([refused, await readOutcome(call, receipt, written.done)]) : refused
  })
}

function planReceipt(call: Call, receipt: ScopeReceipt, scope: string): ScopeWrite {
  const { sql, receivedAt } = call
  const { client, atomic, id, answerBytesMax } = receipt
  const recordings = call.record(scope, receivedAt)
  const base = { client, atomic, receivedAt, return: 'all', entry: undefined, recordings } as const
  return {
    ...{ scope, client, atomic, answerBytesMax },
    room: call.rooms?.enter(scope, { client, atomic, batch: call.batch }),
    plan(attempt) {
      const passes = coalesce(attempt.parts)
      const inbox = { id, errors: Object.fromEntries([...receipt.rejected, ...attempt.rejected]) }
      const isJudged = isJudgedByRows(passes)
      return { passes, plan: planPush(sql, scope, passes, { ...attempt, ...base, inbox, isJudged }) }
    },
  }
}

/** The verdicts of a webhook that took effect now. */
async function readOutcome(call: Call, receipt: ScopeReceipt, done: Done): Promise<Verdicts> {
  const { dialect } = call.sql
  const { scope, plan, results, changes } = done
  const { client, id } = receipt
  const claimed = readClaim(plan, results)
  if (!claimed) return new Map()
  if (isJudgedByRows(done.passes)) return judgeOutcome(call, receipt, done, claimed)
  const verdicts = new Map([...claimed.verdicts, ...markConflicts(dialect, done, client, claimed.verdicts)])
  const swallowed = swallowedOf(dialect, done, verdicts)
  for (const index of swallowed) verdicts.set(index, { verdict: 'rejected', error: refusal })
  notifyApplied(call, done, verdicts)
  if (swallowed.size === 0) return verdicts
  // What was swallowed of rows that were folded comes once more, each change by itself.
  const folded = foldedAndSwallowed(changes, verdicts)
  if (folded.length > 0) {
    const push = { ...receipt, return: 'all' as const, cursor: undefined }
    const alone = await pushAlone(call, push, scope, folded)
    for (const [index, verdict] of alone.verdicts) verdicts.set(index, withoutRow(verdict))
  }
  const rejected = new Set([...swallowed].filter((index) => verdicts.get(index)?.verdict === 'rejected'))
  const outcome = rejectLetters(claimed, rejected)
  await call.batch(scope, [{ sql: call.sql.scope.rewriteClaim, params: [scope, client, id, outcome] }])
  return verdicts
}

/**
 * Whether verdicts cannot be told from stamps before the rows are written: where columns merge,
 * keys are unique, and changes ask for a row as it was seen.
 */
function isJudgedByRows(passes: Done['passes']): boolean {
  const isByRow = ({ table, changes }: RowWrite) =>
    hasRules(table) || table.unique.length > 0 || table.adopted || changes.some((change) => change.if ?? change.created)
  return passes.some((rows) => rows.some(isByRow))
}

/**
 * The verdicts of such a webhook, as those of a push, which are kept where they are others than was
 * said.
 */
async function judgeOutcome(call: Call, receipt: ScopeReceipt, done: Done, claimed: Claimed): Promise<Verdicts> {
  const { client, id } = receipt
  const { scope, changes } = done
  const judged = reconcile(call.sql.dialect, done, client, 'all')
  const verdicts = new Map([
    ...claimed.verdicts,
    ...[...judged].map(([index, one]) => [index, withoutRow(one)] as const),
  ])
  notifyApplied(call, done, verdicts)
  const folded = foldedAndSwallowed(changes, verdicts)
  if (folded.length > 0) {
    const push = { ...receipt, return: 'all' as const, cursor: undefined }
    const alone = await pushAlone(call, push, scope, folded)
    for (const [index, verdict] of alone.verdicts) verdicts.set(index, withoutRow(verdict))
  }
  const outcome = otherLetters(claimed, verdicts)
  if (outcome !== undefined)
    await call.batch(scope, [{ sql: call.sql.scope.rewriteClaim, params: [scope, client, id, outcome] }])
  return verdicts
}

/** The verdicts of a webhook that took effect before. */
async function recall(call: Call, { client, id }: ScopeReceipt, scope: string): Promise<Verdicts> {
  const [recalled] = await call.batch(scope, [{ sql: call.sql.scope.recall, params: [scope, client, id], reads: true }])
  const verdicts = readRecalled(recalled)
  if (verdicts) return verdicts
  throw new StoreFault('transient', { message: 'the webhook is no longer in the inbox' })
}
