import { storeSuite } from '../suites/store-suite.ts'
import { openFilePerScope, openShards } from '../support/many.ts'
import { allStoreNames, isQuick, openTestStore } from '../support/stores.ts'

for (const name of allStoreNames) storeSuite(name, () => openTestStore(name))
if (!isQuick) {
  storeSuite('a file for each scope', () => openFilePerScope())
  storeSuite('three Postgres shards', () => openShards(3))
}
