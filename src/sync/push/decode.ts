import { type Change, type DecodeContext, decodeChange } from '../../model/change.ts'
import { Problem, type Rejection } from '../../model/errors.ts'
import { limits } from '../../model/limits.ts'
import { nextTurn, turnChanges } from '../../model/turn.ts'
import type { Verdict } from '../../model/verdict.ts'
import type { Call } from '../call.ts'
import type { Rejections } from './admitted.ts'
import type { Authorized } from './authorize.ts'
import type { Verdicts } from './verdicts.ts'

export interface Decoded {
  /** In the order in which the scopes come first. */
  readonly byScope: ReadonlyMap<string, readonly Change[]>
  readonly rejected: Rejections
  /** Of changes of what is retired nothing is left: to their client they are done. */
  readonly dropped: Verdicts
}

/** What a change is decoded by. `bytes` is the size of the body, where it is known. */
export function decodeContext(
  { sql: { schema }, receivedAt: now, clockDriftMsMax }: Call,
  bytes = Number.POSITIVE_INFINITY,
): DecodeContext {
  return { schema, now, clockDriftMsMax, measure: bytes > limits.changeBytesMax }
}

/**
 * Decodes each change and finds the scope that it goes to. What is wrong with one is its own
 * rejection and harms no other (P12). A large set is decoded in turns, so that others are answered
 * in between.
 */
export async function decodeChanges(
  inputs: readonly unknown[],
  context: DecodeContext,
  authorize: (change: Pick<Change, 'scope'>) => Authorized,
): Promise<Decoded> {
  const byScope = new Map<string, Change[]>()
  const rejected = new Map<number, Rejection>()
  const dropped = new Map<number, Verdict>()
  for (const [index, input] of inputs.entries()) {
    if (index > 0 && index % turnChanges === 0) await nextTurn()
    const decoded = decodeChange(input, index, context)
    const authorized = decoded.error ? decoded : authorize(decoded.dropped ?? decoded.change)
    if (authorized.error) rejected.set(index, authorized.error)
    else if (decoded.dropped) dropped.set(index, { verdict: 'duplicate' })
    else if (decoded.change) {
      const changes = byScope.get(authorized.scope)
      if (changes) changes.push(decoded.change)
      else byScope.set(authorized.scope, [decoded.change])
    }
  }
  return { byScope, rejected, dropped }
}

/** All or nothing is a promise of one transaction. */
export function checkAtomic(atomic: boolean, { byScope }: Decoded): void {
  if (atomic && byScope.size > 1) throw new Problem('atomic_scopes', 'Send one atomic change set for each scope.')
}

/** What of the answer's bytes the verdicts of each scope may take. */
export function shareOf({ byScope }: Decoded): number {
  return Math.floor(limits.answerBytesMax / Math.max(byScope.size, 1))
}
