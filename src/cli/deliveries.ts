import { type KeptDeliveries, listDeliveries, resendDeliveries } from '../webhooks/out/keep.ts'
import type { LoadApp } from './app.ts'
import { readArgs } from './command.ts'
import { databaseOptions, eachDatabase, readDatabases } from './databases.ts'

/** Scopes that are named of an endpoint that is disabled in more. */
const namedMax = 20

/**
 * `npx driftline deliveries`: what outgoing webhooks have not delivered yet, by endpoint, in every
 * database of DATABASE_URL. `npx driftline deliveries --resend crm`: enables that endpoint in every
 * scope and makes all that waits for it due, in its order.
 */
export async function run(loadApp: LoadApp): Promise<void> {
  const help = {
    name: 'npx driftline deliveries',
    does: 'Lists what webhooks out have not delivered yet, by endpoint, in every database of DATABASE_URL.',
  }
  const { resend, ...args } = readArgs(help, {
    resend: { type: 'string', help: 'enables this endpoint, and makes all that waits for it due' },
    ...databaseOptions,
  })
  const { list, jobs } = await readDatabases(args, (await loadApp()).schema)
  await eachDatabase(list, jobs, async (store) => {
    if (resend !== undefined) await resendDeliveries(store, resend, Date.now())
    const kept = await listDeliveries(store)
    const shown = resend === undefined ? kept : kept.filter(({ endpoint }) => endpoint === resend)
    return { lines: shown.length > 0 ? shown.flatMap(describe) : ['Nothing waits.'], failed: false }
  })
}

/** A line for the endpoint, and one for each scope in which it is disabled. */
function describe({ endpoint, waiting, oldest, attempts, lastError, disabled }: KeptDeliveries): string[] {
  const time = (at: number) => new Date(at).toISOString()
  const line = [
    `${endpoint}: ${waiting} waiting`,
    `the oldest since ${time(oldest)}`,
    ...(attempts > 0 ? [`tried ${attempts} times`, `last error ${lastError}`] : []),
    ...(disabled.length > 0 ? [`disabled in ${disabled.length} scope${disabled.length > 1 ? 's' : ''}`] : []),
  ].join(', ')
  const named = disabled
    .slice(0, namedMax)
    .map(({ scope, since, reason }) => `  disabled in ${JSON.stringify(scope)} since ${time(since)} for ${reason}`)
  const more = disabled.length - named.length
  return [line, ...named, ...(more > 0 ? [`  and in ${more} more, disabled later`] : [])]
}
