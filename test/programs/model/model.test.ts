import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type Checker, createChecker } from './check.ts'
import type { ModelStoreName } from './stores.ts'
import { newCounts } from './world.ts'

/** `MODEL_SEED=7 npm test` runs these again; `npm run soak` runs them for as long as you like. */
const seed = Number(process.env.MODEL_SEED ?? Math.floor(Math.random() * 2 ** 31))

/** A few of each: npm run mutants and npm run soak make many. */
const runs: readonly (readonly [ModelStoreName, number])[] = [
  ['libsql file', 20],
  ['postgres', 8],
  ['libsql http', 3],
  ['neon', 3],
  ['durable-object', 2],
]

describe.each(runs)('the model on %s', (name, numRuns) => {
  const counts = newCounts()
  let checker: Checker
  beforeAll(async () => {
    checker = await createChecker(name, () => inject('postgresUrl'), counts)
  })
  afterAll(() => checker.close())

  it(`P1 P2 P3 P4 P5 P8 P9 P10 P11 P12 P13 whatever happens, every answer is the reference's, and all end with the same rows (seed ${seed})`, async () => {
    expect(await checker.check({ seed, numRuns }), `seed ${seed}`).toBe(undefined)
    expect(counts.requests).toBeGreaterThan(numRuns)
  })
})
