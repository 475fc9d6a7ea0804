import type { Context, MiddlewareHandler } from 'hono'
import { matchedRoutes } from 'hono/route'
import { guardHook, toEvent } from '../observe/event.ts'
import { type RequestEvent, type SyncEvent, startFacts } from '../observe/facts.ts'
import { logError } from '../observe/log.ts'
import type { Env } from './env.ts'
import { toProblem } from './problem.ts'

export interface Listeners {
  readonly onRequest?: (event: RequestEvent) => unknown
  readonly onSync?: (event: SyncEvent) => unknown
}

/**
 * Gives each answer its id and its times, and tells the listeners of the request once that answer
 * is on its way.
 */
export function recordRequests(listeners: Listeners): MiddlewareHandler<Env> {
  const onRequest = guardHook('onRequest', listeners.onRequest)
  const onSync = guardHook('onSync', listeners.onSync)
  const keepAlive = createKeepAlive()

  return async (context, next) => {
    const began = performance.now()
    const requestId = crypto.randomUUID()
    const facts = startFacts()
    context.set('requestId', requestId)
    context.set('facts', facts)
    await next()
    const duration = performance.now() - began
    const timing = `total;dur=${duration.toFixed(1)}`
    // On the answer's own headers: through the context the whole answer would be wrapped anew, its
    // text made a stream.
    const { headers, status } = context.res
    headers.set('Server-Timing', facts.operation ? `${timing}, db;dur=${facts.databaseMs.toFixed(1)}` : timing)
    headers.set('X-Request-Id', requestId)
    const { error } = context
    if (!onRequest && !(onSync && facts.operation) && !error && !facts.ended) return

    const problem = error && toProblem(error)
    const tell = async () => {
      const end = await facts.ended
      if (!onRequest) logFailure(error ?? end?.error, requestId)
      const durationMs = end ? performance.now() - began : duration
      const ending = { requestId, durationMs, aborted: end?.aborted ?? false, error: error ?? end?.error, problem }
      const event = { ...(await toEvent(facts, ending)), status, method: methodOf(context), route: routeOf(context) }
      onRequest?.(event)
      if (isSync(event)) onSync?.(event)
    }
    // A timer: by then the answer is out.
    keepAlive(context, new Promise((resolve) => setTimeout(resolve)).then(tell))
  }
}

/** Where nobody listens, a fault of the server's own must not go by unseen. */
function logFailure(error: unknown, requestId: string): void {
  if (error !== undefined && toProblem(error).code === 'internal') logError('request', error, requestId)
}

function isSync(event: RequestEvent): event is RequestEvent & SyncEvent {
  return event.operation !== undefined
}

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/** Workers let any word through, and any word is the caller's. */
function methodOf({ req }: Context): string {
  return methods.includes(req.method) ? req.method : '*'
}

function routeOf(context: Context): string {
  const path = matchedRoutes(context).at(-1)?.path
  return path === undefined || path === '/*' ? '*' : path
}

/**
 * On Workers what goes on after the answer has to be announced; on Node there is nobody to tell,
 * and Hono throws.
 */
function createKeepAlive() {
  let announced = true
  return (context: Context, work: Promise<void>): void => {
    if (!announced) return
    try {
      context.executionCtx.waitUntil(work)
    } catch {
      announced = false
    }
  }
}
