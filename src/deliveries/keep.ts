import { keptDeliveriesSql, pruneDeliveriesSql } from '../dialects/delivery-sql.ts'
import { limits } from '../limits.ts'
import type { Store } from '../stores/store.ts'

/** No pause is as long. What is due later than this waits behind another, or was recorded while a clock was ahead. */
const pauseMsMax = 30 * 3_600_000

/** Drops what was recorded too long ago, in one database. What waited behind it is due then. `now` is in milliseconds. */
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
  readonly oldest: number | undefined
  /** The most that any delivery was tried. */
  readonly attempts: number
  readonly lastError: string
  readonly disabled: { readonly since: number; readonly reason: string } | undefined
}

export async function listDeliveries(store: Store): Promise<KeptDeliveries[]> {
  const statements = keptDeliveriesSql(store.dialect).list.map((sql) => ({ sql, params: [] }))
  const [rows = [], disabled = []] = await store.batch('', statements)
  const off = new Map(
    disabled.map(([name, at, reason]) => [String(name), { since: Number(at) / 1000, reason: String(reason) }]),
  )
  const kept = new Map(rows.map((row) => [String(row[0]), row]))
  return [...new Set([...kept.keys(), ...off.keys()])].sort().map((endpoint) => {
    const [, waiting = 0, oldest, attempts = 0, lastError = ''] = kept.get(endpoint) ?? []
    return {
      endpoint,
      waiting: Number(waiting),
      oldest: oldest === undefined ? undefined : Number(oldest) / 1000,
      attempts: Number(attempts),
      lastError: String(lastError),
      disabled: off.get(endpoint),
    }
  })
}

/** Enables an endpoint, and makes all that waits for it due at once, in its order. Servers that run send it. */
export async function resendDeliveries(store: Store, endpoint: string, now: number): Promise<void> {
  const [enable, due] = keptDeliveriesSql(store.dialect).resend
  await store.batch('', [
    { sql: enable, params: [endpoint] },
    { sql: due, params: [endpoint, now * 1000] },
  ])
}
