import { equal } from '../assert.ts'
import type { Checks } from '../check.ts'
import { del, noon, patch, principal, put, sampleSync } from '../sample.ts'

/** Round trips, where they can be counted. */
export const tripChecks: Checks = {
  'takes one round trip for a sync with every kind of change, for a push and for a pull': async (trial) => {
    const { store, someone, roundTrips = () => 0 } = trial
    const sync = sampleSync(store)
    const who = someone()
    const count = async (work: () => Promise<unknown>) => {
      const before = roundTrips()
      await work()
      return roundTrips() - before
    }
    const list = { table: 'lists', op: 'put', id: 'l', at: noon, row: { name: 'L' } } as const
    const changes = [put('a', 0, 'a'), patch('a', 1, { done: true }), patch('b', 0, { done: true }), del('c', 0), list]
    const trips = [
      await count(() => sync.sync(who, { client: 'a', cursor: null, changes })),
      await count(() => sync.sync(who, { client: 'b', cursor: null, changes, return: 'lost' })),
      await count(() => sync.push(who, { client: 'c', changes: changes.slice(0, 2), atomic: true })),
      await count(() => sync.pull(who)),
    ]
    equal(trips, trial.roundTrips ? [1, 1, 1, 1] : [0, 0, 0, 0])
  },

  'takes one round trip for each database that the scopes of a sync live in': async ({ store, scope, roundTrips }) => {
    const sync = sampleSync(store)
    const who = principal(scope('many'), { [scope('team')]: 'write', [scope('news')]: 'read' })
    // Connections that are side by side for the first time are made now, and not counted.
    await sync.pull(who)
    const before = roundTrips?.()
    const { verdicts } = await sync.sync(who, { client: 'a', cursor: null, changes: [put('a', 0, 'a')] })
    equal(
      verdicts.map(({ verdict }) => verdict),
      ['applied'],
    )
    const places = await Promise.all([...who.scopes.keys()].map((one) => store.placeOf?.(one) ?? one))
    if (roundTrips && before !== undefined) equal(roundTrips() - before, new Set(places).size)
  },
}
