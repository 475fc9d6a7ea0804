import type { Change } from '../../model/change.ts'
import { limits } from '../../model/limits.ts'
import { counterEdits } from '../../model/merge.ts'
import { addExpired } from '../../model/stamp.ts'
import type { Call } from '../call.ts'
import type { Rejections } from './admitted.ts'

/**
 * Changes that add to counters, or set them, and are so old that it may be forgotten whether they
 * were counted.
 */
export function oldEdits(changes: readonly Change[], receivedAt: number): Change[] {
  const from = receivedAt - limits.addsMs * 1000
  return changes.filter((change) => change.at <= from && counterEdits(change).length > 0)
}

/** Those of them of which it is forgotten: one round trip. */
export async function findExpired(call: Call, scope: string, old: readonly Change[]): Promise<Rejections> {
  const [rows = []] = await call.batch(scope, [{ sql: call.sql.scope.addsFloor, params: [scope], reads: true }])
  const floor = Number(rows[0]?.[0] ?? 0)
  return new Map(old.filter(({ at }) => at <= floor).map(({ index }) => [index, addExpired]))
}
