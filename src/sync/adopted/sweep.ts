import type { Schema } from '../../model/table.ts'
import { settleSql } from '../../sql/adopted/engine.ts'
import { retryConflicts, type Store } from '../../stores/store.ts'
import { randomIncarnation } from '../incarnation.ts'
import type { Recorder } from '../push/planned.ts'
import { settleScopes } from './settle.ts'

export interface SweepOptions {
  readonly schema: Schema
  readonly store: Store
  /** What to write down of what moved: `createRecorder`. */
  readonly record: Recorder
  /** Told of each scope that moved on. */
  readonly onCommit?: ((scope: string, position: number) => void) | undefined
  /** Ends early, between two scopes, once it is aborted. */
  readonly signal?: AbortSignal | undefined
}

/** Lines that are looked at together. */
const linesMax = 1_000
/** Looks of one run at the most. */
const looksMax = 100

/**
 * Settles what the app's own SQL has touched and nobody has asked for: so phones that listen are
 * poked, and webhooks are sent. Undefined: the schema adopts no table.
 */
export function createSweep({
  schema,
  store,
  record,
  onCommit,
  signal,
}: SweepOptions): (() => Promise<void>) | undefined {
  const settle = settleSql(store.dialect, schema)
  if (!settle) return undefined
  const batch: Store['batch'] = (scope, statements) => retryConflicts(() => store.batch(scope, statements))
  return async () => {
    for (let looks = 0; looks < looksMax && !signal?.aborted; looks++) {
      const [rows = []] = await store.batch('', [{ sql: settle.waitingAnywhere, params: [linesMax], reads: true }])
      for (const [scope] of rows) {
        if (signal?.aborted) return
        const call = { sql: { settle }, batch, incarnation: randomIncarnation, receivedAt: Date.now() * 1000, record }
        await settleScopes({ ...call, committed: onCommit ?? (() => {}) }, [String(scope)])
      }
      if (rows.length === 0) return
    }
  }
}
