import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import { createApp } from '../../http/app.ts'
import { openNodeLive } from '../../live/node/live.ts'
import { socketServerOptions } from '../../live/node/sockets.ts'
import { migrate } from '../../migrations/apply.ts'
import { check } from '../../migrations/check.ts'
import type { Migration } from '../../migrations/migration.ts'
import { readMigrations } from '../../migrations/read.ts'
import type { Schema } from '../../model/table.ts'
import { logError, requestLog } from '../../observe/log.ts'
import { documentsOf } from '../../openapi/documents.ts'
import { readPage } from '../../openapi/pages.ts'
import { prune } from '../../prune/prune.ts'
import { startPruning } from '../../prune/timer.ts'
import type { Store } from '../../stores/store.ts'
import { createSweep } from '../../sync/adopted/sweep.ts'
import type { WebhookSources } from '../../webhooks/in/sources.ts'
import { nodePost } from '../../webhooks/out/node-post.ts'
import { type Sending, startSending } from '../../webhooks/out/node-sending.ts'
import { createRecorder } from '../../webhooks/out/record.ts'
import { createSender } from '../../webhooks/out/send.ts'
import { authWarnings } from '../auth-settings.ts'
import { devSecret } from '../dev-secret.ts'
import { printToken } from '../dev-token.ts'
import type { Environment } from '../environment.ts'
import { watchEnvironment } from '../misspelt.ts'
import { type Config, readConfig } from '../settings.ts'
import { nodeInflate } from '../zlib-inflate.ts'
import { readIncoming } from './body.ts'
import { type Databases, findDatabases, scopesWithDeliveries } from './databases.ts'
import { nodeGzip } from './gzip.ts'
import { createLineWriter } from './lines.ts'
import { settle } from './settle.ts'
import { startSweeping } from './sweeping.ts'
import { serverTimes } from './times.ts'

/** How long a stopping server waits for the requests that it has begun. */
const stopMsMax = 10_000

/** Someone's app, and the settings of its server. */
export interface StartOptions<S extends Schema> {
  readonly schema: S
  /** Where its webhooks come from. */
  readonly sources?: WebhookSources<S>
  readonly env: Environment
  /** The folder of its migrations: `migrations/` where the process was started. */
  readonly migrations?: URL
}

/**
 * Starts the server, which stops at SIGTERM and SIGINT. Throws a `TypeError` with a sentence where
 * a setting or the database is wrong; else what went wrong.
 */
export async function start<S extends Schema>({
  schema,
  sources = {},
  env,
  migrations: directory,
}: StartOptions<S>): Promise<void> {
  const watched = watchEnvironment(env)
  let config: Config
  try {
    config = readConfig(watched.env, sources)
  } finally {
    // Also beside what is missing: it may be there by another name.
    for (const line of watched.misspelt()) console.warn(line)
  }
  for (const warning of authWarnings(config.auth)) console.warn(warning)
  const auth = config.development ? { ...config.auth, secret: devSecret() } : config.auth
  const databases = findDatabases(config.databaseUrl, schema, config.databaseAuthToken)
  const migrations = await readMigrations(databases.dialect, directory)
  const applied = databases.perScope ? [] : await prepareAll(databases, schema, migrations)
  const store = await databases.open(migrations)

  const live = await openNodeLive(config.databaseUrl, config.liveSocketsMax)
  const onRequest = requestLog(config.log, createLineWriter())
  const stopSending = new AbortController()
  const sending =
    config.deliveries.length > 0 ? sendDeliveries(config, schema, databases, store, stopSending.signal) : undefined
  const app = createApp({
    schema,
    store,
    auth,
    webhooks: sources,
    webhookSecrets: config.webhookSecrets,
    webhookAgeMsMax: config.webhookAgeMsMax,
    corsOrigins: config.corsOrigins,
    corsHeaders: config.corsHeaders,
    clockDriftMsMax: config.clockDriftMsMax,
    streamsMax: config.streamsMax,
    streamIdleMsMax: config.streamIdleMsMax,
    changesPerMinuteMax: config.changesPerMinuteMax,
    unseenDeletesPerHourMax: config.unseenDeletesPerHourMax,
    scopeRowsMax: config.scopeRowsMax,
    scopeBytesMax: config.scopeBytesMax,
    live,
    deliveries: config.deliveries,
    ...(sending && { onCommit: sending.kick }),
    ...(onRequest && { onRequest }),
    documents: documentsOf(schema, readPage),
    gzip: nodeGzip,
    inflate: nodeInflate,
    readBody: readIncoming,
    bodyIdleMsMax: config.bodyIdleMsMax,
  })
  // What goes on after an answer, such as its log line.
  const afterwards = new Set<Promise<unknown>>()
  const context = {
    waitUntil(work: Promise<unknown>) {
      afterwards.add(work)
      void work.finally(() => afterwards.delete(work))
    },
    passThroughOnException() {},
    props: {},
  }
  let requests = 0
  const server = serve(
    {
      fetch(request, env) {
        requests++
        return app.fetch(request, env, context)
      },
      hostname: config.host,
      port: config.port,
      serverOptions: { maxHeaderSize: 64 * 1024, ...serverTimes(config), ...socketServerOptions },
    },
    (address) => {
      void announce(address, schema, applied, config.development ? auth.secret : undefined)
    },
  )
  settle(() => requests)
  live.attach(server as Server, (request) => app.fetch(request, undefined, context))
  server.on('error', (error: Error) => {
    console.error(`driftline cannot listen: ${error.message}`)
    process.exit(1)
  })

  const stopPruning = startPruning(
    (signal) => pruneAll(databases, schema, store, config.retentionMs, signal),
    (error) => logError('prune', error),
  )

  // Where each scope has its own database, pulls and pushes settle.
  const sweep = databases.perScope
    ? undefined
    : createSweep({
        ...{ schema, store, signal: stopSending.signal },
        record: createRecorder(store.dialect, schema, config.deliveries),
        onCommit(scope, position) {
          live.poke(scope, position)
          sending?.kick(scope)
        },
      })
  const stopSweeping = sweep && startSweeping(sweep, (error) => logError('settle', error))

  let stopping = false
  const stop = () => {
    if (stopping) return
    stopping = true
    stopPruning()
    stopSweeping?.()
    stopSending.abort()
    const sent = sending?.stop()
    // Requests that have begun are answered; then the store is closed, so that the file holds
    // everything by itself.
    const close = () => void store.close().finally(() => process.exit(0))
    server.close(() => void Promise.allSettled([...afterwards, sent]).then(close))
    live.close()
    if ('closeIdleConnections' in server) server.closeIdleConnections()
    setTimeout(close, stopMsMax).unref()
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
}

function sendDeliveries(
  config: Config,
  schema: Schema,
  databases: Databases,
  store: Store,
  signal: AbortSignal,
): Sending {
  const { deliveries: endpoints, webhookAllowPrivate: allowPrivate } = config
  const sender = createSender({ store, schema, endpoints, post: nodePost({ allowPrivate }), signal })
  const findScopes = () => scopesWithDeliveries(databases)
  return startSending({ sender, endpoints, ...(databases.perScope && { findScopes }) })
}

/**
 * Prunes by the server's own store where there is one database, so that the two never wait for each
 * other.
 */
async function pruneAll(
  databases: Databases,
  schema: Schema,
  store: Store,
  retentionMs: number,
  signal: AbortSignal,
): Promise<void> {
  const list = await databases.list()
  if (!databases.perScope && list.length === 1) {
    await prune(store, schema, { retentionMs, signal })
    return
  }
  for (const { open } of list) {
    if (signal.aborted) return
    const one = await open()
    await prune(one, schema, { retentionMs, signal }).finally(() => one.close())
  }
}

/** Migrates and checks each database, and gives the names of what was applied anywhere. */
async function prepareAll(databases: Databases, schema: Schema, migrations: readonly Migration[]): Promise<string[]> {
  const applied = new Set<string>()
  for (const { name, open } of await databases.list()) {
    const store = await open({ inThisThread: true })
    try {
      for (const migration of await migrate(store, migrations)) applied.add(migration)
      const faults = await check(store, schema)
      if (faults.length > 0) throw new TypeError(`The database ${name} does not fit the schema:\n${faults.join('\n')}`)
    } finally {
      await store.close()
    }
  }
  return [...applied]
}

async function announce(
  { address, port, family }: AddressInfo,
  schema: Schema,
  applied: readonly string[],
  secret: string | undefined,
): Promise<void> {
  const url = `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
  if (applied.length > 0) console.log(`Migrated: ${applied.join(', ')}`)
  console.log(`driftline listens on ${url}`)
  if (secret !== undefined) await printToken(url, secret, schema)
}
