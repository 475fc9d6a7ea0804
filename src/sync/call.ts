import type { Facts } from '../observe/facts.ts'
import type { Sql } from '../sql/schema-sql.ts'
import { retryConflicts, type Store } from '../stores/store.ts'
import type { Pages } from './pull/read-page.ts'
import { createAllowance } from './push/allowance.ts'
import type { Carry } from './push/plan-bulk.ts'
import type { Recorder } from './push/planned.ts'
import { createRefusals, type Refusals } from './push/refusals.ts'
import { createRehearse } from './push/rehearse.ts'
import type { Rooms } from './quotas/rooms.ts'

/** What all operations of a server share. */
export interface Core {
  readonly sql: Sql
  readonly store: Store
  readonly pages: Pages
  /** What scopes may hold, where that is limited. */
  readonly rooms: Rooms | undefined
  /** Draws the incarnation of a scope that is written for the first time. */
  readonly incarnation: () => string
  /** How the rows of an import get to the database. */
  readonly carry: Carry
  /** What to write down of a push to a scope: whom to tell of it. */
  readonly record: Recorder
  /** Told of what was applied. */
  readonly committed: (scope: string, position: number) => void
}

/** A request on its way: its clock, its batches, and how long it may search. */
export interface Call extends Core {
  /** The server's time in microseconds. */
  readonly receivedAt: number
  readonly batch: Store['batch']
  /** Finds what a database refuses of the changes of a client. */
  refusalsOf(client: string): Refusals
}

/**
 * Begins a request. What its batches take goes into the facts; a batch that lost against another
 * transaction is sent again.
 */
export function beginCall(core: Core, receivedAt: number, facts: Facts): Call {
  const { sql, store, incarnation } = core
  async function counted<Result>(work: () => Promise<Result>): Promise<Result> {
    const began = performance.now()
    try {
      return await retryConflicts(work)
    } finally {
      facts.databaseMs += performance.now() - began
    }
  }
  const batch: Store['batch'] = (scope, statements) => counted(() => store.batch(scope, statements))
  const ofStore = store.rehearse?.bind(store)
  const allowance = createAllowance()
  const rehearse = createRehearse({
    ...{ sql, batch, allowance },
    rehearse: ofStore && ((scope, rehearsal) => counted(() => ofStore(scope, rehearsal))),
  })
  return {
    ...core,
    ...{ receivedAt, batch },
    refusalsOf: (client) => createRefusals({ sql, batch, rehearse, client, incarnation, allowance }),
  }
}
