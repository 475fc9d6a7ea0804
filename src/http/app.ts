import { Hono } from 'hono/tiny'
import type { Live } from '../live/live.ts'
import { Problem } from '../model/errors.ts'
import { groupBy } from '../model/group-by.ts'
import { limits } from '../model/limits.ts'
import type { Schema } from '../model/table.ts'
import type { ReadDocument } from '../openapi/read-document.ts'
import { createCountScopes } from '../sync/pull/count.ts'
import { createOperations, type SyncOptions } from '../sync/sync.ts'
import type { WebhookSources } from '../webhooks/in/sources.ts'
import { createAdmitWebhook, createVerifyWebhook, type WebhookSecrets } from '../webhooks/in/verify.ts'
import type { Endpoint } from '../webhooks/out/endpoints.ts'
import { createRecorder } from '../webhooks/out/record.ts'
import { type ArriveOptions, createArrive } from './arrive.ts'
import { type AuthOptions, createAuthenticate } from './auth.ts'
import { crossOrigin } from './cross-origin.ts'
import { documentHandlers } from './documents.ts'
import type { Env } from './env.ts'
import { createHealth } from './health.ts'
import { importHandler } from './import.ts'
import { liveHandler } from './live.ts'
import { meHandler } from './me.ts'
import { createIsAllowed } from './origins.ts'
import { problemResponse } from './problem.ts'
import { type Gzip, pullHandler } from './pull.ts'
import { type Listeners, recordRequests } from './record.ts'
import { createStreams, type StreamsOptions } from './streams.ts'
import { syncHandler } from './sync.ts'
import { jsonType } from './types.ts'
import { webhookHandler } from './webhook.ts'

export interface AppOptions<S extends Schema = Schema>
  extends Omit<SyncOptions, 'record'>,
    Listeners,
    ArriveOptions,
    StreamsOptions {
  readonly schema: S
  readonly auth: AuthOptions
  /**
   * Origins whose pages may call, such as `https://app.example` or `https://*.preview.example`.
   * None by default.
   */
  readonly corsOrigins?: readonly string[]
  /** Headers that such pages may send beside those that are always allowed. */
  readonly corsHeaders?: readonly string[]
  /** Who may send webhooks, by name. Without any they are all refused. */
  readonly webhookSecrets?: WebhookSecrets
  /** How far the time that a webhook was signed at may lie from now, in milliseconds. */
  readonly webhookAgeMsMax?: number
  /**
   * How they are verified, and their payloads become changes. Without a mapping the body is a
   * change set.
   */
  readonly webhooks?: WebhookSources<S>
  /**
   * Outgoing webhooks: a push writes down, in its own transaction, which of these are to be told of
   * what was applied. `createSender` sends it. None: no statement more.
   */
  readonly deliveries?: readonly Endpoint[]
  /** Serves `/v1/live`, and is told of every commit. Without it there is no such route. */
  readonly live?: Live
  /**
   * What `GET /openapi.json`, `GET /docs` and `GET /reference` answer, such as
   * `documentsOf(schema)`. Without it they are not there.
   */
  readonly documents?: ReadDocument
  /**
   * Compresses streams, where it should not be the standard's `CompressionStream`, and with it
   * documents are compressed too.
   */
  readonly gzip?: Gzip
}

/**
 * The whole server as a Hono app: `app.fetch` takes a Request and gives a Response, on any runtime.
 */
export function createApp<S extends Schema>(options: AppOptions<S>): Hono<Env> {
  const authenticate = createAuthenticate(options.auth)
  const { live, webhooks = {}, webhookSecrets = {} } = options
  const { webhookAgeMsMax: ageMsMax } = options
  const age = { ...(ageMsMax !== undefined && { ageMsMax }) }
  const verify = createVerifyWebhook(webhookSecrets, webhooks, age)
  const admit = createAdmitWebhook(webhookSecrets, webhooks, age)
  const arrive = createArrive(options)
  const { changesPerMinuteMax, unseenDeletesPerHourMax } = limits
  const record = createRecorder(options.store.dialect, options.schema, options.deliveries)
  const onCommit = (scope: string, position: number) => {
    live?.poke(scope, position)
    options.onCommit?.(scope, position)
  }
  const { push, pull, receive, importChunk } = createOperations({
    ...{ changesPerMinuteMax, unseenDeletesPerHourMax },
    ...options,
    ...{ record, onCommit },
  })
  const app = new Hono<Env>()

  app.use(recordRequests(options))
  const isAllowed = createIsAllowed('corsOrigins', options.corsOrigins ?? [])
  app.use(crossOrigin({ isAllowed, headers: options.corsHeaders ?? [] }))

  app.post('/v1/sync', syncHandler('sync', authenticate, push, arrive))
  app.post('/v1/push', syncHandler('push', authenticate, push, arrive))
  const countScopes = createCountScopes({ ...options, record, onCommit })
  const pulls = pullHandler({ ...options, authenticate, pull, arrive, countScopes, streams: createStreams(options) })
  app.get('/v1/pull', pulls)
  app.post('/v1/pull', pulls)
  app.post('/v1/import', importHandler(authenticate, importChunk, arrive, webhooks, options))
  app.post('/v1/webhooks/:source', webhookHandler(admit, verify, webhooks, receive, arrive))
  if (live) app.get('/v1/live', liveHandler(authenticate, live, isAllowed))
  const checkHealth = createHealth(options)
  app.get('/health', async () => {
    await checkHealth()
    return new Response('{"status":"ok"}', { headers: { 'Content-Type': jsonType } })
  })

  if (options.documents) {
    const { openapi, docs, docsFile, reference, referenceFile } = documentHandlers({
      read: options.documents,
      gzip: options.gzip,
    })
    app.get('/openapi.json', openapi)
    app.get('/docs', docs)
    app.get('/docs/*', docsFile)
    app.get('/reference', reference)
    app.get('/reference/*', referenceFile)
  }

  app.get('/v1/me', meHandler(authenticate, options.now ?? Date.now))

  const declared = groupBy(
    app.routes.filter(({ method }) => method !== 'ALL'),
    ({ path }) => path,
  )
  for (const [path, routes] of declared) {
    // A stream has no head to ask for.
    const hasHead = path !== '/v1/live'
    const allow = routes.flatMap(({ method }) => (method === 'GET' && hasHead ? [method, 'HEAD'] : method)).join(', ')
    app.all(path, () => {
      throw new Problem('method_not_allowed', `Use ${allow} here.`, { headers: { Allow: allow } })
    })
  }
  // The same wherever it runs, with documents or without.
  const main = [...declared.keys()].filter((path) => path.startsWith('/v1/'))
  app.notFound(() => {
    throw new Problem('not_found', `The routes are ${main.join(', ')}.`)
  })
  app.onError((error, context) => problemResponse(error, context.get('requestId'), options.now))
  return app
}
