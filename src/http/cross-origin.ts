import type { MiddlewareHandler } from 'hono'
import { cors } from 'hono/cors'
import type { Env } from './env.ts'
import type { IsAllowed } from './origins.ts'

/** What clients of the contract send. */
const ours = ['Authorization', 'Content-Type', 'Accept', 'If-None-Match', 'Content-Encoding']
/** What libraries add to every request: a preflight that lacks one of them blocks the whole app. */
const ofLibraries = [
  ...['Idempotency-Key', 'X-Requested-With', 'X-Client-Info', 'apikey', 'Cache-Control', 'Pragma', 'Prefer'],
  ...['X-Request-Id', 'X-Correlation-Id', 'Last-Event-ID'],
]
/** W3C, Sentry, Datadog, Zipkin, Jaeger, New Relic, Elastic, Application Insights, Google, AWS. */
const ofTracing = [
  ...['traceparent', 'tracestate', 'baggage', 'sentry-trace'],
  ...['x-datadog-trace-id', 'x-datadog-parent-id', 'x-datadog-origin', 'x-datadog-sampling-priority'],
  ...['x-datadog-sampled', 'x-datadog-tags'],
  ...['b3', 'x-b3-traceid', 'x-b3-spanid', 'x-b3-parentspanid', 'x-b3-sampled', 'x-b3-flags', 'uber-trace-id'],
  ...['newrelic', 'elastic-apm-traceparent', 'request-id', 'request-context'],
  ...['x-cloud-trace-context', 'x-amzn-trace-id'],
]

export interface CrossOriginOptions {
  readonly isAllowed: IsAllowed
  /** Names of headers that requests may have beside those that are always allowed; `*` is any. */
  readonly headers?: readonly string[]
}

/** CORS for every route. Only browsers of another origin pay for it. */
export function crossOrigin({ isAllowed, headers = [] }: CrossOriginOptions): MiddlewareHandler<Env> {
  const answer = cors({
    origin: (origin) => (isAllowed(origin) ? origin : null),
    allowMethods: ['GET', 'POST'],
    // None named: whatever is asked for.
    allowHeaders: headers.includes('*') ? [] : [...ours, ...ofLibraries, ...ofTracing, ...headers],
    exposeHeaders: ['ETag', 'Server-Timing', 'Retry-After', 'WWW-Authenticate', 'X-Request-Id'],
    maxAge: 86_400,
  })
  return (context, next) => (context.req.header('origin') === undefined ? next() : answer(context, next))
}

/** The setting's names, between commas. */
export function readHeaderNames(setting: string, text = ''): readonly string[] {
  const names = text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
  // A token of RFC 9110.
  if (!names.every((name) => /^[!#$%&'*+.^_`|~\w-]+$/.test(name)))
    throw new TypeError(`${setting} must be names of headers between commas, such as X-App-Version,X-Tenant, or *`)
  return names
}
