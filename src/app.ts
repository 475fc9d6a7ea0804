import type { Context } from 'hono'
import { cors } from 'hono/cors'
import { Hono } from 'hono/tiny'
import { Problem } from './errors.ts'
import { type AuthOptions, createAuthenticate } from './http/auth.ts'
import type { Env } from './http/env.ts'
import { liveHandler } from './http/live.ts'
import { problemResponse } from './http/problem.ts'
import { pullHandler } from './http/pull.ts'
import { syncHandler } from './http/sync.ts'
import type { Live } from './live/live.ts'
import { createRun, type SyncOptions } from './run.ts'

export interface AppOptions extends SyncOptions {
  readonly auth: AuthOptions
  /** Origins whose pages may call, such as `https://app.example`. None by default. */
  readonly corsOrigins?: readonly string[]
  /** Serves `/v1/live`, and is told of every commit. Without it there is no such route. */
  readonly live?: Live
  /** Told of every request that ended in an error of the server's own. Gets no value, SQL or token. */
  readonly onError?: (event: { requestId: string; route: string; error: unknown }) => void
}

/** The whole server as a Hono app: `app.fetch` takes a Request and gives a Response, on any runtime. */
export function createApp(options: AppOptions): Hono<Env> {
  const authenticate = createAuthenticate(options.auth)
  const { live } = options
  const run = createRun({
    ...options,
    onCommit(scope, position) {
      live?.poke(scope, position)
      options.onCommit?.(scope, position)
    },
  })
  const app = new Hono<Env>()

  app.use(async (context, next) => {
    const began = performance.now()
    context.set('requestId', crypto.randomUUID())
    await next()
    const timing = [`total;dur=${(performance.now() - began).toFixed(1)}`]
    const databaseMs = context.get('databaseMs')
    if (databaseMs !== undefined) timing.push(`db;dur=${databaseMs.toFixed(1)}`)
    // On the answer's own headers: through the context the whole answer would be wrapped anew, its text made a stream.
    context.res.headers.set('Server-Timing', timing.join(', '))
    context.res.headers.set('X-Request-Id', context.get('requestId'))
  })
  const crossOrigin = cors({
    origin: (origin) => (options.corsOrigins?.includes(origin) ? origin : null),
    allowMethods: ['GET', 'POST'],
    allowHeaders: ['Authorization', 'Content-Type', 'Accept'],
    exposeHeaders: ['Server-Timing', 'Retry-After', 'WWW-Authenticate', 'X-Request-Id'],
    maxAge: 86_400,
  })
  // Only browsers of another origin pay for it, by the same wrapping.
  app.use((context, next) => (context.req.header('origin') === undefined ? next() : crossOrigin(context, next)))

  app.post('/v1/sync', syncHandler('sync', authenticate, run))
  app.post('/v1/push', syncHandler('push', authenticate, run))
  app.get('/v1/pull', pullHandler(authenticate, run))
  if (live) app.all('/v1/live', liveHandler(authenticate, live, options.corsOrigins ?? []))
  app.get('/health', async (context) => {
    await options.store.batch('health', [{ sql: 'SELECT 1', params: [] }])
    return context.json({ status: 'ok' })
  })

  for (const [path, allow] of [
    ['/v1/sync', 'POST'],
    ['/v1/push', 'POST'],
    ['/v1/pull', 'GET, HEAD'],
    ['/health', 'GET, HEAD'],
  ] as const) {
    app.all(path, () => {
      throw new Problem('method_not_allowed', `Use ${allow} here.`, { headers: { Allow: allow } })
    })
  }
  app.notFound((context) =>
    fail(new Problem('not_found', 'The routes are /v1/sync, /v1/push, /v1/pull, /v1/live and /health.'), context),
  )
  app.onError(fail)

  function fail(error: unknown, context: Context<Env>): Response {
    const requestId = context.get('requestId')
    const response = problemResponse(error, requestId)
    if (response.status >= 500) options.onError?.({ requestId, route: context.req.path, error })
    return response
  }
  return app
}
