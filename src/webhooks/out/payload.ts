import { limits } from '../../model/limits.ts'
import { rowBreak } from '../../model/row-text.ts'
import type { Schema } from '../../model/table.ts'
import type { Store } from '../../stores/store.ts'
import type { Endpoint } from './endpoints.ts'
import { tablesOf } from './record.ts'

/** A delivery as it is kept. Times are in microseconds. */
export interface Due {
  readonly scope: string
  readonly position: number
  readonly from: number
  readonly id: string
  readonly createdAt: number
  readonly nextAt: number
  readonly attempts: number
  /** Since when its line is disabled, or 0. */
  readonly disabledAt: number
}

/** The body of a delivery. Positions go from `from`, which is told already, up to `to`. */
export type MakePayload = (due: Due) => Promise<string>

/**
 * The rows are read when they are sent, in the form in which they are pulled. One that was written
 * again since is not among them: it comes with the delivery of that push.
 */
export function createPayload(store: Store, schema: Schema, endpoint: Endpoint): MakePayload {
  const tables = { ...schema, tables: tablesOf(schema, endpoint) }
  const page =
    endpoint.rows && store.dialect.page(tables, { bytesMax: limits.deliveryBytesMax, sized: true, bootstraps: false })

  async function readChanges({ scope, from, position: to }: Due) {
    if (!page) return {}
    const [rows = []] = await store.batch(scope, [
      { sql: page, params: [scope, from, 0, 0, limits.deliveryRowsMax], reads: true },
    ])
    const found = store.dialect.readPage(tables, scope, rows)
    const all = JSON.parse(`[${found.rows.replaceAll(rowBreak, ',')}]`) as { readonly position: number }[]
    // A page goes on to the end of the scope; what lies beyond is another delivery's.
    return {
      changes: all.filter(({ position }) => position <= to),
      ...(found.more && found.last < to && { more: true }),
    }
  }

  return async (due) => {
    const { scope, from, position: to, createdAt } = due
    const data = { scope, from, to, ...(await readChanges(due)) }
    return JSON.stringify({ type: 'sync.committed', timestamp: new Date(createdAt / 1000), data })
  }
}
