/**
 * `npm run hostile -- --minutes 5 --seed 7`: bad input for as long as one likes, to three runtimes;
 * exit code 1 on a broken promise.
 */
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { startPostgres } from '../../support/postgres.ts'
import { startServer } from '../../support/server.ts'
import { temporaryFolder } from '../../support/temporary.ts'
import { webhookSecret } from '../../support/webhook.ts'
import { recordRun } from '../promises/record.ts'
import { allCorpora, type Batch, mutations } from './corpora.ts'
import { askEverywhere, readCanaries, type Target, untouched, writeCanaries } from './everywhere.ts'
import { tryTokens } from './tokens.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
    /** Keep the figures for docs/promises.md: see npm run promises. */
    record: { type: 'boolean', default: false },
  },
})
// wrangler neither asks Cloudflare anything nor writes logs.
Object.assign(process.env, {
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  WRANGLER_SEND_METRICS: 'false',
  WRANGLER_WRITE_LOGS: 'false',
})
const seed = Number(values.seed)
const { startWorker } = await import('../../support/worker.ts')
const { folder, drop } = await temporaryFolder()
const ends: (() => unknown)[] = [drop]
const breaches: string[] = []
const sums = { inputs: 0, refused: 0, tokens: 0 }
try {
  const env = { WEBHOOK_SECRETS: JSON.stringify({ crm: webhookSecret }) }
  const postgres = await startPostgres()
  ends.push(() => postgres.stop())
  const onFile = await startServer({ ...env, DATABASE_URL: `file:${folder}/a.db`, LOG: 'errors' })
  ends.push(() => onFile.stop())
  const onPostgres = await startServer({ ...env, DATABASE_URL: await postgres.createDatabase(), LOG: 'errors' })
  ends.push(() => onPostgres.stop())
  const worker = await startWorker({ ...env, LOG: 'errors' })
  ends.push(() => worker.close())
  const targets: Target[] = [
    { name: 'Node with libSQL in a file', url: onFile.url },
    { name: 'Node with Postgres', url: onPostgres.url },
    { name: 'workerd with Durable Objects', url: worker.url.origin },
  ]
  await writeCanaries(targets)
  console.log(`seed ${seed}`)

  const tokens = await tryTokens()
  sums.tokens = tokens.tried
  breaches.push(...tokens.breaches)

  const until = Date.now() + Number(values.minutes) * 60_000
  const [corpora, mutated] = [allCorpora(), mutations(seed)]
  const send = async ({ requests, inputs, mustRefuse }: Batch) => {
    const outcome = await askEverywhere(targets, requests)
    const taken = mustRefuse ? outcome.answers.filter(({ status }) => status < 400) : []
    breaches.push(...outcome.breaches, ...taken.map(({ text }) => `was taken: ${text}`))
    sums.inputs += inputs
    sums.refused += outcome.answers.filter(({ status }) => status >= 400).length
  }
  // Turn by turn, so that a short run meets both; what is left of the time is for mutations.
  while (Date.now() < until && breaches.length === 0) {
    const { value, done } = corpora.next()
    if (!done) await send(value)
    for (let n = 0; n < 20; n++) await send(mutated.next().value as Batch)
  }
  for (const target of targets) {
    const now = JSON.stringify(await readCanaries(target))
    if (now !== JSON.stringify(untouched)) breaches.push(`${target.name}: the other scope's rows are ${now}`)
  }
  for (const server of [onFile, onPostgres])
    if (server.output().includes('"level":"error"')) breaches.push(`an error in the log: ${server.output()}`)
} finally {
  for (const end of ends.reverse()) await end()
}
console.log(
  `${sums.inputs} bad inputs to each of three servers, ${sums.refused} requests refused, ${sums.tokens} tokens, ${breaches.length} broken promises`,
)
for (const breach of breaches.slice(0, 20)) console.log(`  ${breach}`)
if (values.record) {
  const { inputs, refused, tokens } = sums
  const figures = {
    'bad inputs tried': inputs,
    'requests refused': refused,
    tokens,
    'promises broken': breaches.length,
  }
  await recordRun('npm run hostile', figures)
}
process.exit(breaches.length > 0 ? 1 : 0)
