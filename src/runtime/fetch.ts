import type { Inflate } from '../http/inflate.ts'
import type { Gzip } from '../http/pull.ts'
import type { Schema } from '../model/table.ts'
import type { ReadDocument } from '../openapi/read-document.ts'
import type { Store } from '../stores/store.ts'
import type { Post } from '../webhooks/out/post.ts'
import type { AppConfig } from './app-config.ts'
import { discard } from './discard.ts'
import type { Environment } from './environment.ts'
import { openApp, refuse } from './open-app.ts'
import { readSettings } from './settings.ts'

/** Someone's app, where a function from a request to its answer is all that is asked for. */
export interface FetchOptions<S extends Schema> extends AppConfig<S> {
  /** The settings, such as `process.env`. */
  readonly env: Environment
  /** Opens the store, whose driver is all that is bundled. Called with the first request. */
  readonly openStore: (env: Environment) => Store | Promise<Store>
  /** The path below which it is mounted, such as `/api/sync`. None: it has the host to itself. */
  readonly path?: string
  /** `documentsOf(schema)` serves `/openapi.json` and `/docs`. */
  readonly documents?: ReadDocument
  /**
   * Lets what goes on after an answer come to its end: the runtime's own, where it stops a handler
   * that has answered.
   */
  readonly waitUntil?: (work: Promise<unknown>) => void
  /** Sends webhooks out, where it should not be the runtime's `fetch`: `nodePost()`. */
  readonly post?: Post
  /** `nodeInflate` and `nodeGzip`, where the runtime has zlib. */
  readonly inflate?: Inflate
  readonly gzip?: Gzip
}

/**
 * The whole server as a function of the web's standard: for the edges of Vercel and Netlify, for
 * `Bun.serve`, for `Deno.serve`, and for a route of an app of one's own. It needs nothing of Node.
 * Throws a `TypeError` where `path` is none; a wrong setting is a 500 that says so.
 */
export function createFetch<S extends Schema>(options: FetchOptions<S>): (request: Request) => Promise<Response> {
  const { env, openStore, path = '', waitUntil = () => {} } = options
  if (!/^(\/[\w.~-]+)*$/.test(path)) {
    throw new TypeError('path must be of the form /api/sync, without a / at its end')
  }
  const context = { waitUntil, passThroughOnException() {}, props: {} }
  let app: Awaited<ReturnType<typeof openApp>> | undefined
  return async (request) => {
    try {
      // Not a promise that requests share: on an edge one must not wait for another.
      app ??= await openApp({
        ...options,
        ...{ waitUntil, settings: readSettings(env, options.sources), openStore: () => openStore(env) },
        noKey: 'Set AUTH_SECRET (32 bytes or more, for example from `openssl rand -base64 48`) or AUTH_JWKS_URL',
      })
    } catch (error) {
      return refuse(error)
    }
    const asked = path === '' ? request : below(path, request)
    const answer = await app.fetch(asked, undefined, context)
    await discard(asked)
    return answer
  }
}

/** The request as it is without the path before it. What is not below it is no route. */
function below(path: string, request: Request): Request {
  const url = new URL(request.url)
  url.pathname = url.pathname.startsWith(`${path}/`) ? url.pathname.slice(path.length) : '/'
  return new Request(url, request)
}
