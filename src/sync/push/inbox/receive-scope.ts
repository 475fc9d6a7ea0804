import type { Change } from '../../../model/change.ts'
import { refusal } from '../../../model/stamp.ts'
import { StoreFault } from '../../../stores/store.ts'
import type { Call } from '../../call.ts'
import type { Rejections } from '../admitted.ts'
import { coalesce } from '../coalesce.ts'
import { compilePush } from '../plan.ts'
import { pushParts, type ScopePush } from '../push-scope.ts'
import { markConflicts, swallowedOf } from '../reconcile.ts'
import { foldedAndSwallowed, withoutRow } from '../swallowed.ts'
import { joinVerdicts, rejectedVerdicts, type Verdicts } from '../verdicts.ts'
import { type Done, tellApplied, writeScope } from '../write-scope.ts'
import { readClaim, readRecalled, rejectLetters } from './claim.ts'

/** A webhook, whose source is the client. */
export interface ScopeReceipt extends Pick<ScopePush, 'client' | 'atomic' | 'answerBytesMax'> {
  /** The webhook's id, which takes effect once (P14). */
  readonly id: string
  /** Changes of the webhook, of any scope, that were rejected before the database saw them. */
  readonly rejected: Rejections
}

/**
 * Applies a webhook's changes of one scope once: its id goes into the inbox in the transaction of
 * the rows, with the verdicts, which a retry gets as they were.
 */
export async function receiveScope(
  call: Call,
  receipt: ScopeReceipt,
  scope: string,
  changes: readonly Change[],
): Promise<Verdicts> {
  const { sql, receivedAt } = call
  const { client, atomic, id, answerBytesMax } = receipt
  const recordings = call.record(scope, receivedAt)
  const { done, repeated, rejected } = await writeScope(
    call,
    {
      ...{ scope, client, atomic, answerBytesMax },
      room: call.rooms?.enter(scope, { client, atomic, batch: call.batch }),
      plan(attempt) {
        const passes = coalesce(attempt.parts)
        const inbox = { id, errors: Object.fromEntries([...receipt.rejected, ...attempt.rejected]) }
        const options = {
          ...attempt,
          client,
          atomic,
          receivedAt,
          return: 'all' as const,
          entry: undefined,
          inbox,
          recordings,
        }
        return { passes, plan: compilePush(sql, scope, passes, options) }
      },
    },
    changes,
  )
  if (repeated) return recall(call, receipt, scope)
  const refused = rejectedVerdicts(rejected)
  return done ? joinVerdicts([refused, await readOutcome(call, receipt, done)]) : refused
}

/** The verdicts of a webhook that took effect now. */
async function readOutcome(call: Call, receipt: ScopeReceipt, done: Done): Promise<Verdicts> {
  const { dialect } = call.sql
  const { scope, plan, results, changes } = done
  const { client, id } = receipt
  const claimed = readClaim(plan, results)
  if (!claimed) return new Map()
  const verdicts = new Map([...claimed.verdicts, ...markConflicts(dialect, done, client, claimed.verdicts)])
  const swallowed = swallowedOf(dialect, done, verdicts)
  for (const index of swallowed) verdicts.set(index, { verdict: 'rejected', error: refusal })
  tellApplied(call, done, verdicts)
  if (swallowed.size === 0) return verdicts
  // What was swallowed of rows that were folded comes once more, each change by itself.
  const folded = foldedAndSwallowed(changes, verdicts)
  if (folded.length > 0) {
    const push = { ...receipt, return: 'all' as const, cursor: undefined, limit: undefined }
    const alone = await pushParts(
      call,
      push,
      scope,
      folded,
      folded.map((change) => [change]),
    )
    for (const [index, verdict] of alone.verdicts) verdicts.set(index, withoutRow(verdict))
  }
  const rejected = new Set([...swallowed].filter((index) => verdicts.get(index)?.verdict === 'rejected'))
  const outcome = rejectLetters(claimed, rejected)
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
