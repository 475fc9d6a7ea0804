import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import { createApp } from './app.ts'
import { readConfig } from './config.ts'
import { type Databases, findDatabases } from './databases.ts'
import { devSecret } from './dev-secret.ts'
import { type Migration, migrate } from './migrations/apply.ts'
import { check } from './migrations/check.ts'
import { readMigrations } from './migrations/read.ts'
import { schema } from './schema.ts'
import { StoreFault } from './stores/store.ts'
import { signToken } from './token.ts'

/** How long a stopping server waits for the requests that it has begun. */
const stopMsMax = 10_000

async function start(): Promise<void> {
  const config = readConfig(process.env)
  const auth = config.development ? { ...config.auth, secret: devSecret() } : config.auth
  const databases = findDatabases(config.databaseUrl, schema, config.databaseAuthToken)
  const migrations = await readMigrations(databases.dialect)
  const applied = databases.perScope ? [] : await prepareAll(databases, migrations)
  const store = await databases.open(migrations)

  const app = createApp({
    schema,
    store,
    auth,
    corsOrigins: config.corsOrigins,
    clockDriftMsMax: config.clockDriftMsMax,
    onError: logError,
  })
  const server = serve(
    { fetch: app.fetch, hostname: config.host, port: config.port, serverOptions: { maxHeaderSize: 64 * 1024 } },
    (address) => {
      void announce(address, applied, config.development ? auth.secret : undefined)
    },
  )
  server.on('error', (error: Error) => {
    console.error(`driftline cannot listen: ${error.message}`)
    process.exit(1)
  })

  let stopping = false
  const stop = () => {
    if (stopping) return
    stopping = true
    // Requests that have begun are answered; then the store is closed, so that the file holds everything by itself.
    const finish = () => void store.close().finally(() => process.exit(0))
    server.close(finish)
    if ('closeIdleConnections' in server) server.closeIdleConnections()
    setTimeout(finish, stopMsMax).unref()
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
}

/** Migrates and checks each database, and gives the names of what was applied anywhere. */
async function prepareAll(databases: Databases, migrations: readonly Migration[]): Promise<string[]> {
  const applied = new Set<string>()
  for (const { name, open } of await databases.list()) {
    const store = await open()
    try {
      for (const migration of await migrate(store, migrations)) applied.add(migration)
      const faults = await check(store, schema)
      if (faults.length > 0)
        throw new TypeError(`The database ${name} does not fit src/schema.ts:\n${faults.join('\n')}`)
    } finally {
      await store.close()
    }
  }
  return [...applied]
}

async function announce(
  { address, port, family }: AddressInfo,
  applied: readonly string[],
  secret: string | undefined,
): Promise<void> {
  const url = `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
  if (applied.length > 0) console.log(`Migrated: ${applied.join(', ')}`)
  console.log(`driftline listens on ${url}`)
  if (secret === undefined) return
  const token = await signToken(secret, { sub: 'alice' })
  const at = Date.now() * 1000
  console.log(`
Development token for alice, 24 hours (npm run token -- --sub bob makes another):
${token}

Push a row, then pull it:
curl -sS ${url}/v1/sync -H 'Authorization: Bearer ${token}' -H 'Content-Type: application/json' -d '{"client":"phone-1","cursor":null,"changes":[{"table":"todos","op":"put","id":"1","at":${at},"row":{"title":"Buy milk"}}]}'
curl -sS ${url}/v1/pull -H 'Authorization: Bearer ${token}'`)
}

/** One line of JSON: which request failed and how, with a code, never a message that could hold SQL or a value. */
function logError({ requestId, route, error }: { requestId: string; route: string; error: unknown }): void {
  const fault =
    error instanceof StoreFault
      ? { fault: error.kind, code: error.code }
      : { fault: error instanceof Error ? error.name : 'unknown' }
  console.error(JSON.stringify({ time: new Date().toISOString(), request_id: requestId, route, ...fault }))
}

try {
  await start()
} catch (error) {
  console.error(
    error instanceof TypeError
      ? error.message
      : `driftline cannot start: ${error instanceof Error ? error.message : String(error)}`,
  )
  process.exit(1)
}
