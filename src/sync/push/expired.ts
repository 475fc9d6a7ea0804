import type { Change } from '../../model/change.ts'
import { addExpired } from '../../model/stamp.ts'
import type { Call } from '../call.ts'
import type { Rejections } from './admitted.ts'

/** Those of them of which it is forgotten: one round trip. */
export async function findExpired(call: Call, scope: string, old: readonly Change[]): Promise<Rejections> {
  const [rows = []] = await call.batch(scope, [{ sql: call.sql.scope.addsFloor, params: [scope], reads: true }])
  const floor = Number(rows[0]?.[0] ?? 0)
  return new Map(old.filter(({ at }) => at <= floor).map(({ index }) => [index, addExpired]))
}
