import { type KeptDeliveries, listDeliveries, resendDeliveries } from '../deliveries/keep.ts'
import { databaseOptions, eachDatabase, readDatabases } from './databases.ts'
import { readArgs, runCommand } from './run.ts'

/**
 * `npm run deliveries`: what outgoing webhooks have not delivered yet, by endpoint, in every database of DATABASE_URL.
 * `npm run deliveries -- --resend crm`: enables that endpoint and makes all that waits for it due, in its order.
 */
await runCommand(async () => {
  const help = {
    name: 'npm run deliveries',
    does: 'Lists what webhooks out have not delivered yet, by endpoint, in every database of DATABASE_URL.',
  }
  const { resend, ...args } = readArgs(help, {
    resend: { type: 'string', help: 'enables this endpoint, and makes all that waits for it due' },
    ...databaseOptions,
  })
  const { list, jobs } = await readDatabases(args)
  await eachDatabase(list, jobs, async (store) => {
    if (resend !== undefined) await resendDeliveries(store, resend, Date.now())
    const kept = await listDeliveries(store)
    const shown = resend === undefined ? kept : kept.filter(({ endpoint }) => endpoint === resend)
    return { lines: shown.length > 0 ? shown.map(describe) : ['Nothing waits.'], failed: false }
  })
})

function describe({ endpoint, waiting, oldest, attempts, lastError, disabled }: KeptDeliveries): string {
  const time = (at: number) => new Date(at).toISOString()
  return [
    `${endpoint}: ${waiting} waiting`,
    ...(oldest === undefined ? [] : [`the oldest since ${time(oldest)}`]),
    ...(attempts > 0 ? [`tried ${attempts} times`, `last error ${lastError}`] : []),
    ...(disabled ? [`disabled since ${time(disabled.since)} for ${disabled.reason}`] : []),
  ].join(', ')
}
