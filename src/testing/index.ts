/** For whoever writes a store of his own, or tests an app at a time that he chooses. */
export type { Check, StoreUnderTest } from './check.ts'
export { createTestClock, type TestClock } from './clock.ts'
export { suiteMigrations, suiteSchema } from './sample.ts'
export { type StoreSuite, storeSuite } from './store-suite.ts'
