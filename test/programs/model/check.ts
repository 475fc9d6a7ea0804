import fc from 'fast-check'
import { connectRival } from './rival.ts'
import { steps } from './steps.ts'
import { type ModelStoreName, openModelStore } from './stores.ts'
import { type Counts, createWorld } from './world.ts'

export interface CheckOptions {
  readonly seed: number
  readonly numRuns: number
  /** Of a failed run, to run it again. */
  readonly path?: string | undefined
  /** Stops at the first failure, as it was found. */
  readonly isBrief?: boolean
}

export interface Checker {
  /** Runs the model so many times; gives what to read where it failed. */
  check(options: CheckOptions): Promise<string | undefined>
  close(): Promise<void>
}

export async function createChecker(
  name: ModelStoreName,
  postgresUrl: () => Promise<string> | string,
  counts: Counts,
  isProcess = false,
): Promise<Checker> {
  const database = await openModelStore(name, postgresUrl)
  const rival = database.rivalUrl === undefined ? undefined : await connectRival(database.rivalUrl)
  const world = await createWorld(database, counts, rival, isProcess ? database.processUrl : undefined)
  return {
    async check({ seed, numRuns, path, isBrief = false }) {
      const property = fc.asyncProperty(steps(), (some) => world.run(some))
      const result = await fc.check(property, {
        seed,
        numRuns,
        endOnFailure: isBrief,
        ...(path !== undefined && { path, endOnFailure: true }),
      })
      if (!result.failed) return undefined
      const [found] = result.counterexample ?? []
      const fault = result.errorInstance instanceof Error ? (result.errorInstance.stack ?? '') : ''
      return [
        `${fault}\n`,
        ...(found ?? []).map((step) => JSON.stringify(step)),
        `\nThe model of ${name} failed in run ${result.numRuns}, and after ${result.numShrinks} shrinks is as above. Run it again:`,
        `  npm run soak -- --store '${name}' --seed ${seed} --path ${result.counterexamplePath}${isProcess ? ' --kill' : ''}`,
      ].join('\n')
    },
    async close() {
      await rival?.close()
      await world.close()
      await database.close()
    },
  }
}
