/**
 * `npm run load -- --seconds 60 --store postgres --seed 7`: many users and a hot scope on the real
 * server, over HTTP.
 */
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { startPostgres } from '../../support/postgres.ts'
import { temporaryFolder } from '../../support/temporary.ts'
import { describeFigure, isMet } from '../benchmark/measure.ts'
import { recordRun } from '../promises/record.ts'
import { figuresOf, formatTable, plainComparison, recordOf } from './report.ts'
import { loadStore, type Outcome } from './store.ts'

const storeNames = ['libsql', 'postgres'] as const

const { values } = parseArgs({
  options: {
    /** How long each kind of load lasts; there are six. */
    seconds: { type: 'string', default: '60' },
    store: { type: 'string', multiple: true, default: [...storeNames] },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
    /** A missed target fails it too. An error or a lost row always does. */
    check: { type: 'boolean', default: false },
    /** Keep the figures for docs/promises.md: see npm run promises. */
    record: { type: 'boolean', default: false },
  },
})
const [seconds, seed] = [Number(values.seconds), Number(values.seed)]
if (!(seconds > 0)) throw new TypeError('--seconds must be greater than 0')
if (!Number.isInteger(seed)) throw new TypeError('--seed must be a whole number')
const stores = values.store.map((name) => {
  const store = storeNames.find((known) => known === name)
  if (!store) throw new TypeError(`--store must be one of ${storeNames.join(', ')}`)
  return store
})
console.log(`seed ${seed}`)

async function load(store: (typeof storeNames)[number]): Promise<Outcome> {
  const closing: (() => Promise<unknown>)[] = []
  const open = async () => {
    if (store === 'libsql') {
      const { folder, drop } = await temporaryFolder()
      closing.push(drop)
      return `file:${folder}/load.db`
    }
    // As a database that must not lose anything: a commit is on the disk before it is answered.
    const postgres = await startPostgres({ settings: { fsync: 'on' } })
    closing.push(postgres.stop)
    return postgres.createDatabase()
  }
  try {
    const onRound = (round: number, rounds: number) => console.error(`${store}: round ${round} of ${rounds}`)
    return await loadStore({ databaseUrl: await open(), seed, seconds, onRound })
  } finally {
    for (const close of closing) await close()
  }
}

const record: Record<string, string | number> = {}
const missed: string[] = []
let broken = 0
for (const store of stores) {
  const outcome = await load(store)
  const { played, memory, errors, breaches, rows } = outcome
  console.log(`\n${formatTable(store, played)}\n`)
  for (const figure of figuresOf(store, outcome)) {
    console.log(describeFigure(figure))
    if (!isMet(figure)) missed.push(figure.name)
  }
  console.log(plainComparison(store, played))
  console.log(`       ${store}: the server's memory was ${memory.peakMb.toFixed(0)} MB at the most`)
  console.log(
    `       ${store}: ${rows.toLocaleString('en')} rows checked, ${errors.length} errors, ${breaches.length} rows lost or wrong`,
  )
  for (const line of [...errors.slice(0, 20), ...breaches.slice(0, 20)]) console.log(`  ${line}`)
  broken += errors.length + breaches.length
  Object.assign(record, recordOf(store, outcome))
}
if (values.record) await recordRun('npm run load', { ...record, 'errors and lost rows': broken })
console.log(missed.length === 0 ? '\nEvery target is met.' : `\nMissed: ${missed.join('; ')}`)
if (broken > 0 || (values.check && missed.length > 0)) process.exitCode = 1
