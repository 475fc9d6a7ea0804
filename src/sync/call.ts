import type { AppColumns } from '../model/view.ts'
import type { Facts } from '../observe/facts.ts'
import { retryConflicts, type Store } from '../stores/store.ts'
import { syncEngineOf } from './adopted/sync-engine.ts'
import { createAllowance } from './push/allowance.ts'
import type { RowTransport } from './push/plan-bulk.ts'
import type { Recorder } from './push/planned.ts'
import { createRefusals, type Refusals } from './push/refusals.ts'
import { createRehearse } from './push/rehearse.ts'
import type { Quotas } from './quotas/quotas.ts'
import type { Rooms } from './quotas/rooms.ts'
import type { createViews, View } from './views.ts'

/** What all operations of a server share. */
export interface Core {
  readonly store: Store
  /** The schema as an app sees it. */
  readonly viewOf: ReturnType<typeof createViews>
  /** What scopes may hold, where that is limited. */
  readonly rooms: Rooms | undefined
  /** Draws the incarnation of a scope that is written for the first time. */
  readonly incarnation: () => string
  /** How the rows of an import get to the database. */
  readonly transport: RowTransport
  /** What to write down of a push to a scope: whom to tell of it. */
  readonly record: Recorder
  /** Told of what was applied. */
  readonly committed: (scope: string, position: number) => void
  readonly quotas: Quotas
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** How far a stamp may lie ahead of `now`, in milliseconds. */
  readonly clockDriftMsMax: number
}

/** A request on its way: its clock, its batches, and how long it may search. */
export interface Call extends Core, View {
  /** The server's time in microseconds. */
  readonly receivedAt: number
  readonly batch: Store['batch']
  /** Finds what a database refuses of the changes of a client. */
  refusalsOf(client: string): Refusals
}

/**
 * Begins a request of an app that knows such columns. What its batches take goes into the facts; a
 * batch that lost against another transaction is sent again.
 */
export function beginCall(core: Core, facts: Facts, app: AppColumns | undefined, changes?: readonly unknown[]): Call {
  const { store, incarnation } = core
  const view = core.viewOf(app, changes)
  const { sql } = view
  const receivedAt = core.now() * 1000
  async function counted<Result>(work: () => Promise<Result>): Promise<Result> {
    const began = performance.now()
    try {
      return await work()
    } finally {
      facts.databaseMs += performance.now() - began
    }
  }
  const retried: Store['batch'] = (scope, statements) => retryConflicts(() => store.batch(scope, statements))
  const engine = syncEngineOf(sql.schema)
  const send =
    engine?.againstApp({ ...core, sql, receivedAt, batch: (scope, some) => store.batch(scope, some) }) ?? retried
  const batch: Store['batch'] = (scope, statements) => counted(() => send(scope, statements))
  const ofStore = store.rehearse?.bind(store)
  const allowance = createAllowance()
  const rehearse = createRehearse({
    ...{ sql, batch, allowance },
    rehearse: ofStore && ((scope, rehearsal) => counted(() => retryConflicts(() => ofStore(scope, rehearsal)))),
  })
  return {
    ...core,
    ...view,
    ...{ receivedAt, batch },
    refusalsOf: (client) => createRefusals({ sql, batch, rehearse, client, incarnation, receivedAt, allowance }),
  }
}
