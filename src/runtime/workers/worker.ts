import { waitUntil } from 'cloudflare:workers'
import type { ExecutionContext } from '@cloudflare/workers-types'
import { createApp } from '../../http/app.ts'
import { problemResponse } from '../../http/problem.ts'
import { objectLive } from '../../live/workers/object-live.ts'
import { Problem } from '../../model/errors.ts'
import type { Schema } from '../../model/table.ts'
import { logError, requestLog } from '../../observe/log.ts'
import { prune } from '../../prune/prune.ts'
import { isScopeUrl } from '../../stores/scope-url.ts'
import type { Store } from '../../stores/store.ts'
import { fetchPost } from '../../webhooks/out/fetch-post.ts'
import { createSender } from '../../webhooks/out/send.ts'
import type { AppConfig } from '../app-config.ts'
import { authWarnings } from '../auth-settings.ts'
import { hasKey, readSettings } from '../settings.ts'
import { discard } from './body.ts'
import type { Assets, WorkerEnv } from './env.ts'

/** Someone's app, and where its rows are. */
export interface WorkerOptions<S extends Schema> extends AppConfig<S> {
  /**
   * Opens the store by the settings and bindings: `openAnyStore`, or one by itself, whose driver is
   * all that is bundled.
   */
  readonly openStore: (env: WorkerEnv) => Store | Promise<Store>
}

/** The handlers of a worker, to be its default export. */
export interface Worker {
  fetch(request: Request, env: WorkerEnv, context: ExecutionContext): Promise<Response>
  scheduled(event: { readonly cron: string }, env: WorkerEnv): Promise<void>
}

/**
 * The worker of an app; the classes of its objects are `LiveObject` and what `createScopeObject`
 * gives.
 */
export function createWorker<S extends Schema>(options: WorkerOptions<S>): Worker {
  /**
   * One for each isolate, of its settings only: a deploy or a changed secret brings a new isolate.
   */
  let app: ReturnType<typeof createApp> | undefined
  return {
    async fetch(request, env, context) {
      try {
        // Not a promise that requests share: what one waits for must not depend on another, which
        // may end first.
        app ??= await open(options, env)
      } catch (error) {
        return refuse(error)
      }
      const answer = await app.fetch(request, env, context)
      if (!request.bodyUsed && request.body) await discard(request.body)
      return answer
    },

    async scheduled({ cron }, env) {
      await runCron(options, env, cron).catch((error: unknown) => {
        logError('cron', error)
        throw error
      })
    },
  }
}

/** The cron trigger that sends, and does not prune. */
const everyMinute = '* * * * *'

/**
 * The cron triggers: send the webhooks that are due again, and prune the database. What a run does
 * not get through, for want of subrequests or time, the next one goes on with. Durable Objects do
 * both themselves; databases for each scope are pruned by `npx driftline prune --scopes`, and their
 * webhooks are sent after a push to the scope.
 */
async function runCron<S extends Schema>(
  { schema, sources, openStore }: WorkerOptions<S>,
  env: WorkerEnv,
  cron: string,
): Promise<void> {
  const { retentionMs, deliveries: endpoints } = readSettings(env, sources)
  const store = await openStore(env)
  if (store.tendsItself || isScopeUrl(env.DATABASE_URL ?? '')) return
  const sender = createSender({ store, schema, endpoints, post: fetchPost() })
  await Promise.all(endpoints.map((endpoint) => sender.sendDue(endpoint)))
  if (cron !== everyMinute) await prune(store, schema, { retentionMs })
}

async function open<S extends Schema>({ schema, sources = {}, openStore }: WorkerOptions<S>, env: WorkerEnv) {
  const settings = readSettings(env, sources)
  if (!hasKey(settings)) {
    throw new TypeError(
      'Set the secret AUTH_SECRET (32 bytes or more: openssl rand -base64 48 | npx wrangler secret put AUTH_SECRET) or the variable AUTH_JWKS_URL',
    )
  }
  for (const warning of authWarnings(settings.auth)) console.warn(warning)
  const onRequest = requestLog(settings.log)
  const { ASSETS } = env
  const store = await openStore(env)
  const sender = createSender({ store, schema, endpoints: settings.deliveries, post: fetchPost() })
  return createApp({
    schema,
    store,
    ...settings,
    webhooks: sources,
    onCommit(scope) {
      if (!store.tendsItself && sender.matches(scope)) waitUntil(sender.sendScope(scope))
    },
    ...(onRequest && { onRequest }),
    ...(env.LIVE && { live: objectLive(env.LIVE, settings.liveSocketsMax) }),
    ...(ASSETS && { documents: (name) => readAsset(ASSETS, name) }),
  })
}

/** The host is of no meaning to a binding. */
async function readAsset(assets: Assets, name: string): Promise<BodyInit | undefined> {
  const answer = await assets.fetch(`https://assets.local/${name}`)
  return answer.ok ? (answer.body ?? '') : undefined
}

/**
 * A wrong or missing setting, said to whoever deploys and calls: the sentence holds no value of a
 * secret.
 */
function refuse(error: unknown): Response {
  const requestId = crypto.randomUUID()
  const answer = (fault: unknown) => {
    const response = problemResponse(fault, requestId)
    // As on every other answer.
    response.headers.set('Server-Timing', 'total;dur=0.0')
    response.headers.set('X-Request-Id', requestId)
    return response
  }
  if (!(error instanceof TypeError)) {
    logError('start', error, requestId)
    return answer(error)
  }
  console.error(error.message)
  return answer(new Problem('internal', `The server is not set up. ${error.message}.`))
}
