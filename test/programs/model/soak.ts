/**
 * The model for as long as you like: `npm run soak -- --minutes 30 --store postgres --seed 7`.
 * Without a store it goes round all of them, and kills server processes; `--kill` does only that.
 * Prints its seed first; a failure prints the line that runs it again.
 */
import { parseArgs } from 'node:util'
import { type Postgres, startPostgres } from '../../support/postgres.ts'
import { recordRun } from '../promises/record.ts'
import { createChecker } from './check.ts'
import { type ModelStoreName, modelStores } from './stores.ts'
import { newCounts } from './world.ts'

// wrangler asks Cloudflare nothing.
Object.assign(process.env, {
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  WRANGLER_SEND_METRICS: 'false',
  WRANGLER_WRITE_LOGS: 'false',
})

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    /** Instead of minutes. */
    runs: { type: 'string' },
    store: { type: 'string', multiple: true, default: [...modelStores] },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    path: { type: 'string' },
    /**
     * The server is a process of its own, which is killed again and again. Of a libSQL file and of
     * Postgres.
     */
    kill: { type: 'boolean', default: false },
    brief: { type: 'boolean', default: false },
    /** Keep the figures for docs/promises.md: see npm run promises. */
    record: { type: 'boolean', default: false },
  },
})
const names = values.store.map((name) => {
  if ((modelStores as readonly string[]).includes(name)) return name as ModelStoreName
  throw new TypeError(`--store must be one of ${modelStores.join(', ')}`)
})
/**
 * Each store by itself, and at the end of a round those of which a server process can be killed.
 */
const killed = names.filter((name) => name === 'libsql file' || name === 'postgres')
const rounds = [
  ...(values.kill ? [] : names.map((name) => ({ name, isProcess: false }))),
  ...(values.kill || names.length === modelStores.length ? killed.map((name) => ({ name, isProcess: true })) : []),
]
if (rounds.length === 0) throw new TypeError('--kill is for a libSQL file and Postgres')
/**
 * Runs on one database, before a fresh one is made. Starting a process takes as long as several
 * runs.
 */
const runsOfDatabase = (isProcess: boolean) => (isProcess ? 5 : 30)

let server: Promise<Postgres> | undefined
const postgresUrl = async () => {
  server ??= startPostgres()
  return (await server).url
}

const until = Date.now() + Number(values.minutes) * 60_000
const runsMax =
  values.path !== undefined ? 1 : values.runs === undefined ? Number.POSITIVE_INFINITY : Number(values.runs)
console.log(`seed ${values.seed}`)
const counts = newCounts()
let failure: string | undefined
for (let round = 0; !failure && counts.runs < runsMax && (Number.isFinite(runsMax) || Date.now() < until); round++) {
  const { name, isProcess } = rounds[round % rounds.length] as (typeof rounds)[number]
  const seed = Number(values.seed) + round
  const began = Date.now()
  const checker = await createChecker(name, postgresUrl, counts, isProcess)
  try {
    const numRuns = Math.min(runsOfDatabase(isProcess), runsMax - counts.runs)
    failure = await checker.check({ seed, numRuns, path: values.path, isBrief: values.brief })
  } finally {
    await checker.close()
  }
  if (!failure)
    console.log(
      `${name}${isProcess ? ', killed' : ''}: seed ${seed}, ${((Date.now() - began) / 1000).toFixed(1)} s, ${summary()}`,
    )
}
await (await server)?.stop()
if (failure) {
  console.error(failure)
  process.exitCode = 1
} else {
  console.log(`No promise broken. ${summary()}`)
  if (values.record) {
    const { runs, requests, changes, atOnce, resyncs } = counts
    const faults = Object.values(counts.faults).reduce((sum, n) => sum + n, 0)
    const figures = { runs, requests, changes, 'at the same time': atOnce, resyncs, 'faults survived': faults }
    await recordRun('npm run soak', { ...figures, 'promises broken': 0 })
  }
}

function summary(): string {
  const faults = Object.values(counts.faults).reduce((sum, n) => sum + n, 0)
  const list = (some: Record<string, number>) =>
    Object.entries(some)
      .map(([kind, n]) => `${n} ${kind}`)
      .join(', ')
  return `${counts.runs} runs, ${counts.requests} requests with ${counts.changes} changes, ${counts.atOnce} of them at the same time, ${counts.resyncs} resyncs, ${faults} faults survived (${list(counts.faults)}), verdicts ${list(counts.verdicts)}`
}
