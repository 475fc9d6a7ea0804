import { Hono } from 'hono/tiny'
import { createCensus } from './census.ts'
import { Problem } from './errors.ts'
import { createHealth } from './health.ts'
import { type ArriveOptions, createArrive } from './http/arrive.ts'
import { type AuthOptions, createAuthenticate } from './http/auth.ts'
import { crossOrigin } from './http/cross-origin.ts'
import { documentHandler, type ReadDocument } from './http/documents.ts'
import type { Env } from './http/env.ts'
import { importHandler } from './http/import.ts'
import { liveHandler } from './http/live.ts'
import { createIsAllowed } from './http/origins.ts'
import { problemResponse } from './http/problem.ts'
import { type Gzip, pullHandler } from './http/pull.ts'
import { type Listeners, recordRequests } from './http/record.ts'
import { createStreams, type StreamsOptions } from './http/streams.ts'
import { syncHandler } from './http/sync.ts'
import { jsonType } from './http/types.ts'
import { webhookHandler } from './http/webhook.ts'
import { limits } from './limits.ts'
import type { Live } from './live/live.ts'
import { createRun, type SyncOptions } from './run.ts'
import type { Schema } from './sync/table.ts'
import type { WebhookSources } from './webhooks/sources.ts'
import { createAdmitWebhook, createVerifyWebhook, type WebhookSecrets } from './webhooks/verify.ts'

export interface AppOptions<S extends Schema = Schema> extends SyncOptions, Listeners, ArriveOptions, StreamsOptions {
  readonly schema: S
  readonly auth: AuthOptions
  /** Origins whose pages may call, such as `https://app.example` or `https://*.preview.example`. None by default. */
  readonly corsOrigins?: readonly string[]
  /** Headers that such pages may send beside those that are always allowed. */
  readonly corsHeaders?: readonly string[]
  /** Who may send webhooks, by name. Without any they are all refused. */
  readonly webhookSecrets?: WebhookSecrets
  /** How far the time that a webhook was signed at may lie from now, in milliseconds. */
  readonly webhookAgeMsMax?: number
  /** How they are verified, and their payloads become changes. Without a mapping the body is a change set. */
  readonly webhooks?: WebhookSources<S>
  /** Serves `/v1/live`, and is told of every commit. Without it there is no such route. */
  readonly live?: Live
  /** The texts of `GET /openapi.json` and `GET /docs`, such as `documentsOf(schema)`. Without it they are not there. */
  readonly documents?: ReadDocument
  /** Compresses streams, where it should not be the standard's `CompressionStream`. */
  readonly gzip?: Gzip
}

/** The whole server as a Hono app: `app.fetch` takes a Request and gives a Response, on any runtime. */
export function createApp<S extends Schema>(options: AppOptions<S>): Hono<Env> {
  const authenticate = createAuthenticate(options.auth)
  const { live, webhooks = {}, webhookSecrets = {} } = options
  const { webhookAgeMsMax: ageMsMax } = options
  const age = { ...(ageMsMax !== undefined && { ageMsMax }) }
  const verify = createVerifyWebhook(webhookSecrets, webhooks, age)
  const admit = createAdmitWebhook(webhookSecrets, webhooks, age)
  const arrive = createArrive(options)
  const { changesPerMinuteMax, unseenDeletesPerHourMax } = limits
  const run = createRun({
    ...{ changesPerMinuteMax, unseenDeletesPerHourMax },
    ...options,
    onCommit(scope, position) {
      live?.poke(scope, position)
      options.onCommit?.(scope, position)
    },
  })
  const app = new Hono<Env>()

  app.use(recordRequests(options))
  const isAllowed = createIsAllowed('corsOrigins', options.corsOrigins ?? [])
  app.use(crossOrigin({ isAllowed, headers: options.corsHeaders ?? [] }))

  app.post('/v1/sync', syncHandler('sync', authenticate, run, arrive))
  app.post('/v1/push', syncHandler('push', authenticate, run, arrive))
  const takeCensus = createCensus(options)
  const pull = pullHandler({ ...options, authenticate, run, arrive, takeCensus, streams: createStreams(options) })
  app.get('/v1/pull', pull)
  app.post('/v1/pull', pull)
  app.post('/v1/import', importHandler(authenticate, run, arrive, options))
  app.post('/v1/webhooks/:source', webhookHandler(admit, verify, webhooks, run, arrive))
  if (live) app.get('/v1/live', liveHandler(authenticate, live, isAllowed))
  const checkHealth = createHealth(options)
  app.get('/health', async () => {
    await checkHealth()
    return new Response('{"status":"ok"}', { headers: { 'Content-Type': jsonType } })
  })

  if (options.documents) {
    app.get('/openapi.json', documentHandler(options.documents, 'openapi.json'))
    app.get('/docs', documentHandler(options.documents, 'docs.html'))
  }

  const declared = Object.groupBy(
    app.routes.filter(({ method }) => method !== 'ALL'),
    ({ path }) => path,
  )
  for (const [path, routes = []] of Object.entries(declared)) {
    // A stream has no head to ask for.
    const hasHead = path !== '/v1/live'
    const allow = routes.flatMap(({ method }) => (method === 'GET' && hasHead ? [method, 'HEAD'] : method)).join(', ')
    app.all(path, () => {
      throw new Problem('method_not_allowed', `Use ${allow} here.`, { headers: { Allow: allow } })
    })
  }
  // The same wherever it runs, with documents or without.
  const main = Object.keys(declared).filter((path) => path.startsWith('/v1/'))
  app.notFound(() => {
    throw new Problem('not_found', `The routes are ${main.join(', ')}.`)
  })
  app.onError((error, context) => problemResponse(error, context.get('requestId')))
  return app
}
