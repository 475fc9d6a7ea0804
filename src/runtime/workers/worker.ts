import { waitUntil } from 'cloudflare:workers'
import type { ExecutionContext } from '@cloudflare/workers-types'
import { objectLive } from '../../live/workers/object-live.ts'
import type { Schema } from '../../model/table.ts'
import { logError } from '../../observe/log.ts'
import { prune } from '../../prune/prune.ts'
import { isScopeUrl } from '../../stores/scope-url.ts'
import type { Store } from '../../stores/store.ts'
import { createSweep } from '../../sync/adopted/sweep.ts'
import { fetchPost } from '../../webhooks/out/fetch-post.ts'
import { createRecorder } from '../../webhooks/out/record.ts'
import { createSender } from '../../webhooks/out/send.ts'
import type { AppConfig } from '../app-config.ts'
import { discard } from '../discard.ts'
import { openApp, refuse } from '../open-app.ts'
import { readSettings } from '../settings.ts'
import { nodeInflate } from '../zlib-inflate.ts'
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
  let app: Awaited<ReturnType<typeof openApp>> | undefined
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
      await discard(request)
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
  const record = createRecorder(store.dialect, schema, endpoints)
  await createSweep({ schema, store, record })?.()
  const sender = createSender({ store, schema, endpoints, post: fetchPost() })
  await Promise.all(endpoints.map((endpoint) => sender.sendDue(endpoint)))
  if (cron !== everyMinute) await prune(store, schema, { retentionMs })
}

async function open<S extends Schema>({ schema, sources = {}, openStore }: WorkerOptions<S>, env: WorkerEnv) {
  const settings = readSettings(env, sources)
  const { ASSETS } = env
  return openApp({
    ...{ schema, sources, settings, waitUntil },
    openStore: () => openStore(env),
    noKey:
      'Set the secret AUTH_SECRET (32 bytes or more: openssl rand -base64 48 | npx wrangler secret put AUTH_SECRET) or the variable AUTH_JWKS_URL',
    inflate: nodeInflate,
    ...(env.LIVE && { live: objectLive(env.LIVE, settings.liveSocketsMax) }),
    ...(ASSETS && { documents: (name) => readAsset(ASSETS, name) }),
  })
}

/** The host is of no meaning to a binding. */
async function readAsset(assets: Assets, name: string): Promise<BodyInit | undefined> {
  const answer = await assets.fetch(`https://assets.local/${name}`)
  return answer.ok ? (answer.body ?? '') : undefined
}
