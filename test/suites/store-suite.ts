import { afterAll, describe, it } from 'vitest'
import { type StoreUnderTest, storeSuite } from '../../src/testing/index.ts'

/** The suite of `driftline/testing` on a store, as whoever writes one of his own runs it. */
export function describeStore(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`the promises on ${name}`, () => {
    const { checks, close } = storeSuite(open)
    for (const { title, run } of checks) it(title, run)
    afterAll(close)
  })
}
