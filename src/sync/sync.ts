import { limits } from '../model/limits.ts'
import type { Schema } from '../model/table.ts'
import type { SyncEvent } from '../observe/facts.ts'
import { compileSchema } from '../sql/schema-sql.ts'
import type { Store } from '../stores/store.ts'
import type { Core } from './call.ts'
import { randomIncarnation } from './incarnation.ts'
import type { Operations } from './operations.ts'
import { pullOperation } from './pull/pull.ts'
import { importOperation } from './push/import-chunk.ts'
import { receiveOperation } from './push/inbox/receive.ts'
import { type RowTransport, transportInParams } from './push/plan-bulk.ts'
import type { Recorder } from './push/planned.ts'
import { pushOperation } from './push/push.ts'
import { createQuotas, type QuotaOptions } from './quotas/quotas.ts'
import { createRooms, type RoomOptions } from './quotas/rooms.ts'
import { createViews } from './views.ts'

export type { Operations } from './operations.ts'

export interface SyncOptions extends QuotaOptions, RoomOptions {
  readonly schema: Schema
  readonly store: Store
  /** Milliseconds since 1970. */
  readonly now?: () => number
  /** How far a stamp may lie ahead of `now`, in milliseconds. */
  readonly clockDriftMsMax?: number
  /** A new incarnation: 1 to 32 of a-z and 0-9. */
  readonly incarnation?: () => string
  /**
   * Told of each scope in which rows were applied, and of the position that it moved on to, before
   * the answer.
   */
  readonly onCommit?: (scope: string, position: number) => void
  /**
   * What a push writes down in its own transaction, such as whom to tell of what was applied:
   * `createRecorder`. None: no statement more.
   */
  readonly record?: Recorder
  /**
   * How the rows of an import get to the database, where there is a faster way than as parameters.
   */
  readonly transport?: RowTransport
  /**
   * Told of each push, pull and sync once it is answered, failed ones included: for metrics.
   * `createApp` and `createSync` call it. What it throws harms nothing, and is logged the first
   * time.
   */
  readonly onSync?: (event: SyncEvent) => unknown
}

/**
 * The four ways in, each of them some numbered steps in a file of its own: decode, authorize,
 * coalesce, plan, one batch for each database, reconcile, answer. Everything that is not pure comes
 * in here: the store, the clock, the random incarnation.
 */
export function createOperations(options: SyncOptions): Operations {
  const { schema, store, now = Date.now, clockDriftMsMax = limits.clockDriftMsMax } = options
  const { incarnation = randomIncarnation, record = () => [], transport = transportInParams } = options
  const viewOf = createViews(schema, (seen) => compileSchema(seen, store.dialect, store.limits))
  const core: Core = {
    ...{ viewOf, store, incarnation, transport, record, now, clockDriftMsMax },
    rooms: createRooms(viewOf('all').sql, options),
    quotas: createQuotas(options),
    committed: notifySafely(options.onCommit),
  }
  return {
    push: pushOperation(core),
    pull: pullOperation(core),
    receive: receiveOperation(core),
    importChunk: importOperation(core),
  }
}

/** What is committed is answered, whatever becomes of a poke: losing one loses nothing (P15). */
function notifySafely(onCommit: SyncOptions['onCommit'] = () => {}): (scope: string, position: number) => void {
  return (scope, position) => {
    try {
      onCommit(scope, position)
    } catch {}
  }
}
