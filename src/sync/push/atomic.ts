import { Problem } from '../../model/errors.ts'
import type { Rejections } from './admitted.ts'
import type { Decoded } from './decode.ts'
import type { Refusals } from './refusals.ts'

/**
 * All or nothing: where a change was rejected already, nothing is written. The answer names the
 * first that is, which may be one before it that only the database can refuse.
 */
export async function refuseAtomic(refusals: Refusals, { byScope, rejected }: Decoded): Promise<void> {
  if (rejected.size === 0) return
  const [first] = rejected
  const all = new Map(first && [first])
  for (const [scope, changes] of byScope) {
    const found = await refusals.findAtomic(scope, changes)
    for (const [index, error] of found.rejected) all.set(index, error)
  }
  throwAtomic(all)
}

/** Ends an atomic request of which these changes are rejected. */
export function throwAtomic(rejected: Rejections): void {
  if (rejected.size === 0) return
  const index = Math.min(...rejected.keys())
  const error = rejected.get(index)
  throw new Problem('atomic_rejected', `Nothing was applied: the change at ${index} was rejected. ${error?.detail}`, {
    members: { index, error },
  })
}
