import { storeSuite } from './suites/store-suite.ts'
import { allStoreNames, openTestStore } from './support/stores.ts'

for (const name of allStoreNames) storeSuite(name, () => openTestStore(name))
