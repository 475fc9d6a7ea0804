import { migrate } from '../migrations/apply.ts'
import type { Check, Checks, StoreUnderTest, Trial } from './check.ts'
import { batchChecks } from './checks/batch.ts'
import { changeSetChecks } from './checks/change-sets.ts'
import { faultChecks } from './checks/faults.ts'
import { limitChecks } from './checks/limits.ts'
import { pageChecks } from './checks/pages.ts'
import { placeChecks } from './checks/places.ts'
import { raceChecks } from './checks/races.ts'
import { rehearsalChecks } from './checks/rehearsals.ts'
import { replayChecks } from './checks/replays.ts'
import { resyncChecks } from './checks/resyncs.ts'
import { scopeChecks } from './checks/scopes.ts'
import { sizeChecks } from './checks/sizes.ts'
import { stampChecks } from './checks/stamps.ts'
import { tombstoneChecks } from './checks/tombstones.ts'
import { tripChecks } from './checks/trips.ts'
import { principal, suiteMigrations } from './sample.ts'

export interface StoreSuite {
  /** Each stands alone; they run one after the other, in any order. */
  readonly checks: readonly Check[]
  /** After the last of them. */
  close(): Promise<void>
}

const groups: readonly Checks[] = [
  ...[batchChecks, raceChecks, faultChecks, limitChecks, placeChecks, rehearsalChecks, tripChecks],
  ...[replayChecks, stampChecks, tombstoneChecks, pageChecks, resyncChecks, scopeChecks, changeSetChecks, sizeChecks],
]

/**
 * What every store must hold to, for one that is your own or wraps another: what `Store` says of
 * batches, faults, limits and places, and of driftline's promises those that a store can break.
 * Needs no runner: hand each check to the `test` of yours. The store is opened once, by the first
 * check that runs.
 *
 *     const { checks, close } = storeSuite(async () => ({ store: await openMine() }))
 *     for (const { title, run } of checks) test(title, run)
 *     after(close)
 */
export function storeSuite(open: () => StoreUnderTest | Promise<StoreUnderTest>): StoreSuite {
  let opening: Promise<StoreUnderTest> | undefined
  let scopes = 0

  async function openMigrated(): Promise<StoreUnderTest> {
    const opened = await open()
    const { store, isMigrated } = opened
    if (!isMigrated) for (const part of store.parts ?? [store]) await migrate(part, suiteMigrations(store.dialect.name))
    return opened
  }

  async function trialOf(): Promise<Trial> {
    opening ??= openMigrated()
    const opened = await opening
    const { store, roundTrips, away } = opened
    const scope = (word = 'scope') => `${word}${++scopes}`
    return {
      store,
      ...(roundTrips && { roundTrips: () => roundTrips.call(opened) }),
      ...(away && { away: () => away.call(opened) }),
      scope,
      someone: () => principal(scope('user')),
      exec: (of, sql) => store.batch(of, [{ sql, params: [] }]),
    }
  }

  return {
    checks: groups.flatMap((group) =>
      Object.entries(group).map(([title, check]) => ({ title, run: async () => check(await trialOf()) })),
    ),
    async close() {
      const opened = await opening?.catch(() => undefined)
      await (opened?.close ? opened.close() : opened?.store.close())
    },
  }
}
