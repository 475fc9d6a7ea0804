import { storeSuite } from './suites/store-suite.ts'
import { openFilePerScope, openShards } from './support/many.ts'
import { openTestStore, storeNames } from './support/stores.ts'

for (const name of storeNames) storeSuite(name, () => openTestStore(name))
storeSuite('a file for each scope', () => openFilePerScope())
storeSuite('three Postgres shards', () => openShards(3))
