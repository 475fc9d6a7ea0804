import { type Change, decodeChange } from '../../model/change.ts'
import type { Rejection } from '../../model/errors.ts'
import { nextTurn, turnChanges } from '../../model/turn.ts'
import type { Rejections } from './admitted.ts'
import type { Authorized } from './authorize.ts'

export interface Decoded {
  /** In the order in which the scopes come first. */
  readonly byScope: ReadonlyMap<string, readonly Change[]>
  readonly rejected: Rejections
}

/**
 * Decodes each change and finds the scope that it goes to. What is wrong with one is its own
 * rejection and harms no other (P12). A large set is decoded in turns, so that others are answered
 * in between.
 */
export async function decodeChanges(
  inputs: readonly unknown[],
  context: Parameters<typeof decodeChange>[2],
  authorize: (change: Change) => Authorized,
): Promise<Decoded> {
  const byScope = new Map<string, Change[]>()
  const rejected = new Map<number, Rejection>()
  for (const [index, input] of inputs.entries()) {
    if (index > 0 && index % turnChanges === 0) await nextTurn()
    const decoded = decodeChange(input, index, context)
    const authorized = decoded.change ? authorize(decoded.change) : decoded
    if (authorized.error) rejected.set(index, authorized.error)
    else if (decoded.change) {
      const changes = byScope.get(authorized.scope)
      if (changes) changes.push(decoded.change)
      else byScope.set(authorized.scope, [decoded.change])
    }
  }
  return { byScope, rejected }
}
