/**
 * `npm run faults -- --minutes 5 --seed 7`: a bad network for as long as one likes; exit code 1 on
 * a broken promise.
 */
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { startPostgres } from '../../support/postgres.ts'
import { temporaryFolder } from '../../support/temporary.ts'
import { recordRun } from '../promises/record.ts'
import { type NetworkOptions, playNetwork } from './network.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
    /** Keep the figures for docs/promises.md: see npm run promises. */
    record: { type: 'boolean', default: false },
  },
})
const until = Date.now() + Number(values.minutes) * 60_000
const { folder, drop } = await temporaryFolder()
const postgres = await startPostgres()
let broken = 0
const sums = { faults: 0, failed: 0, changes: 0, webhooks: 0 }
try {
  for (let seed = Number(values.seed); broken === 0 && Date.now() < until; seed++) {
    const runs: Pick<NetworkOptions, 'between' | 'databaseUrl'>[] = [
      { between: 'client and server', databaseUrl: `file:${folder}/${seed}.db` },
      { between: 'server and Postgres', databaseUrl: await postgres.createDatabase() },
    ]
    for (const run of runs) {
      const { played, struck, breaches } = await playNetwork({ ...run, seed, ms: 5_000 })
      const faults = [...struck.values()].reduce((sum, count) => sum + count, 0)
      console.log(
        `seed ${seed}, between ${run.between}: ${faults} faults, ${played.failures} failed tries, ` +
          `${played.applied.length} changes and ${played.hooked.length} webhooks acknowledged, ${breaches.length} broken promises`,
      )
      sums.faults += faults
      sums.failed += played.failures
      sums.changes += played.applied.length
      sums.webhooks += played.hooked.length
      for (const breach of breaches.slice(0, 20)) console.log(`  ${breach}`)
      broken += breaches.length
    }
  }
  if (values.record) {
    const { faults, failed, changes, webhooks } = sums
    const figures = {
      faults,
      'failed tries': failed,
      'changes acknowledged': changes,
      'webhooks acknowledged': webhooks,
    }
    await recordRun('npm run faults', { ...figures, 'promises broken': broken })
  }
} finally {
  await postgres.stop()
  await drop()
}
process.exit(broken > 0 ? 1 : 0)
