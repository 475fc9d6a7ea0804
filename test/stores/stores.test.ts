import { describeStore } from '../suites/store-suite.ts'
import { openFilePerScope, openShards } from '../support/many.ts'
import { allStoreNames, isQuick, openEmptyStore, openTestStore, storeNames, type TestStore } from '../support/stores.ts'

/** What counts no round trips says so by leaving them out. */
const underTest = ({ roundTrips, ...opened }: TestStore, isMigrated?: true) => ({
  ...opened,
  ...(!Number.isNaN(roundTrips()) && { roundTrips }),
  ...(isMigrated && { isMigrated }),
})

for (const name of storeNames) describeStore(name, async () => underTest(await openEmptyStore(name)))
// These have their tables once they are there.
for (const name of allStoreNames)
  if (!storeNames.some((one) => one === name))
    describeStore(name, async () => underTest(await openTestStore(name), true))
if (!isQuick) {
  describeStore('a file for each scope', async () => underTest(await openFilePerScope(), true))
  describeStore('three Postgres shards', async () => underTest(await openShards(3), true))
}
