import type { Change } from '../../model/change.ts'
import { limits } from '../../model/limits.ts'
import { counterEdits } from '../../model/merge.ts'

/**
 * Changes that add to counters, or set them, and are so old that it may be forgotten whether they
 * were counted.
 */
export function oldEdits(changes: readonly Change[], receivedAt: number): Change[] {
  const from = receivedAt - limits.addsMs * 1000
  return changes.filter((change) => change.at <= from && counterEdits(change).length > 0)
}
