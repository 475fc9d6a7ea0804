import { limits } from '../../model/limits.ts'
import { keptDeliveriesSql, pruneDeliveriesSql } from '../../sql/delivery-sql.ts'
import type { Store } from '../../stores/store.ts'

/**
 * No pause is as long. What is due later than this waits behind another, or was recorded while a
 * clock was ahead.
 */
const pauseMsMax = 30 * 3_600_000

/**
 * Drops what was recorded too long ago, in one database. What waited behind it is due then. `now`
 * is in milliseconds.
 */
export async function pruneDeliveries(store: Store, now: number): Promise<void> {
  const [remove, mend] = pruneDeliveriesSql(store.dialect)
  await store.batch('', [
    { sql: remove, params: [(now - limits.deliveryKeptMsMax) * 1000] },
    { sql: mend, params: [now * 1000, (now + pauseMsMax) * 1000] },
  ])
}

/** What one database keeps for an endpoint. Times are in milliseconds. */
export interface KeptDeliveries {
  readonly endpoint: string
  readonly waiting: number
  readonly oldest: number
  /** The most that any delivery was tried. */
  readonly attempts: number
  readonly lastError: string
  /** The scopes of which nothing more is sent to it. */
  readonly disabled: readonly { readonly scope: string; readonly since: number; readonly reason: string }[]
}

export async function listDeliveries(store: Store): Promise<KeptDeliveries[]> {
  const statements = keptDeliveriesSql(store.dialect).list.map((sql) => ({ sql, params: [], reads: true as const }))
  const [rows = [], disabled = []] = await store.batch('', statements)
  return rows.map(([endpoint, waiting, oldest, attempts, lastError]) => ({
    endpoint: String(endpoint),
    waiting: Number(waiting),
    oldest: Number(oldest) / 1000,
    attempts: Number(attempts),
    lastError: String(lastError),
    disabled: disabled
      .filter(([name]) => name === endpoint)
      .map(([, scope, at, reason]) => ({ scope: String(scope), since: Number(at) / 1000, reason: String(reason) })),
  }))
}

/**
 * Enables an endpoint in every scope, and makes all that waits for it due at once, in its order.
 * Servers that run send it.
 */
export async function resendDeliveries(store: Store, endpoint: string, now: number): Promise<void> {
  await store.batch('', [{ sql: keptDeliveriesSql(store.dialect).resend, params: [endpoint, now * 1000] }])
}
