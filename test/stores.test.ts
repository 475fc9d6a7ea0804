import { storeSuite } from './suites/store-suite.ts'
import { openTestStore, storeNames } from './support/stores.ts'

for (const name of storeNames) storeSuite(name, () => openTestStore(name))
