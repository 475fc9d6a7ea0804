import type { Schema } from '../../model/table.ts'
import { parseTime } from '../../model/time.ts'
import { logDelivery, logError } from '../../observe/log.ts'
import { deliverySql, waiting } from '../../sql/delivery-sql.ts'
import type { Cells, Statement } from '../../sql/statement.ts'
import { retryConflicts, type Store } from '../../stores/store.ts'
import { createSigner } from '../signer.ts'
import { parseRetryAfter, pauseAfter } from './backoff.ts'
import { type Endpoint, scopeMatcher } from './endpoints.ts'
import { createPayload, type Due } from './payload.ts'
import { errorCode, type Post } from './post.ts'
import { signedHeaders } from './sign.ts'

export interface SenderOptions {
  readonly store: Store
  readonly schema: Schema
  readonly endpoints: readonly Endpoint[]
  readonly post: Post
  /** Milliseconds since 1970. */
  readonly now?: () => number
  /** From 0 to below 1, for the jitter. */
  readonly random?: () => number
  /** Once it is aborted nothing more is begun. */
  readonly signal?: Pick<AbortSignal, 'aborted'>
}

/**
 * Sends what was recorded: at least once, in the order of the positions for each scope and
 * endpoint. Whatever ends it in the middle, what was not answered with a 2xx is still there.
 * Nothing here throws: a fault is logged, and what it is about is tried again.
 */
export interface Sender {
  /**
   * Sends what is due in one scope, and gives when the next of it will be, in milliseconds; nothing
   * where none waits.
   */
  sendScope(scope: string): Promise<number | undefined>
  /** Sends what is due in all scopes of a database, or of the shards, to one endpoint. */
  sendDue(endpoint: Endpoint): Promise<void>
  /** Whether any endpoint wants to know of the scope. */
  matches(scope: string): boolean
}

/**
 * How long a claim holds: longer than a delivery can take, so that none is sent twice but after a
 * crash.
 */
export const leaseMs = 30_000
/** Requests that one endpoint gets at once. */
const atOnceMax = 4
/** Due deliveries that are read together. */
const pageMax = 100
/** Deliveries of one scope after which others have their turn. */
const inTurnMax = 100

export function createSender(options: SenderOptions): Sender {
  const { store, schema, endpoints, post, now = Date.now, random = Math.random, signal } = options
  const sql = deliverySql(store.dialect)
  const matchers = endpoints.map(scopeMatcher)
  const makers = new Map(
    endpoints.map((endpoint) => {
      const [payload, signer] = [createPayload(store, schema, endpoint), createSigner(endpoint.secret)]
      return [
        endpoint,
        async (due: Due) => {
          const body = await payload(due)
          return { body, headers: signedHeaders(signer, due.id, new Date(now()), body) }
        },
      ] as const
    }),
  )
  const batch = (scope: string, statements: readonly Statement[], where = store) =>
    retryConflicts(() => where.batch(scope, statements))
  const micros = (later = 0) => (now() + later) * 1000

  /** Claims one, and sends it and those behind it. False: another sender was faster. */
  async function sendLine(endpoint: Endpoint, head: Due): Promise<boolean> {
    const until = micros(leaseMs)
    const claim = [head.scope, endpoint.name, head.position, head.nextAt, until]
    const [claimed = []] = await batch(head.scope, [{ sql: sql.claim, params: claim }])
    if (claimed.length === 0) return false
    let due: Due | undefined = { ...head, nextAt: until }
    for (let count = 1; due; count++) {
      const failure = await attempt(endpoint, due)
      if (failure) {
        await fail(endpoint, due, failure)
        return true
      }
      // The last in its turn leaves the next one to whoever comes first.
      const last = count === inTurnMax || signal?.aborted
      const next = await finish(endpoint, due, last ? micros() : micros(leaseMs))
      due = last ? undefined : next
    }
    return true
  }

  async function attempt(endpoint: Endpoint, due: Due): Promise<Failure | undefined> {
    const made = await makers.get(endpoint)?.(due)
    if (!made) throw new TypeError('A delivery is sent to an endpoint of the setting')
    try {
      const { status, retryAfter } = await post(endpoint.url, made.headers, made.body)
      if (status >= 200 && status < 300) return undefined
      return { error: `http_${status}`, status, retryAfterMs: parseRetryAfter(retryAfter, now()) }
    } catch (error) {
      return { error: errorCode(error), status: undefined, retryAfterMs: 0 }
    }
  }

  async function finish({ name }: Endpoint, { scope, position }: Due, at: number): Promise<Due | undefined> {
    const [lock, remove, next] = sql.finish
    const results = await batch(scope, [
      { sql: lock, params: [scope] },
      { sql: remove, params: [scope, name, position] },
      { sql: next, params: [scope, name, at] },
    ])
    return results[2]?.map(readDue)[0]
  }

  async function fail({ name }: Endpoint, due: Due, { error, status, retryAfterMs }: Failure): Promise<void> {
    const attempts = due.attempts + 1
    const pause = status === 410 ? undefined : pauseAfter(attempts, random(), retryAfterMs)
    const disabled = pause === undefined
    const then = disabled ? [waiting, error, micros()] : [micros(pause), error, 0]
    const params = [due.scope, name, due.position, due.nextAt, ...then]
    await batch(due.scope, [{ sql: sql.fail, params }])
    await logDelivery({ endpoint: name, status, error, attempts, disabled, scope: due.scope })
  }

  /**
   * Sends several lines, so many at once. False where going on at once would be of no use: nothing
   * came of it.
   */
  async function sendLines(lines: readonly (readonly [Endpoint, Due])[]): Promise<boolean> {
    let [sent, fault] = [false, false]
    const rest = lines.values()
    const sendSome = async () => {
      for (const [endpoint, head] of rest) {
        if (signal?.aborted) return
        try {
          sent = (await sendLine(endpoint, head)) || sent
        } catch (error) {
          // It harms no other, and is tried again once its claim has ended.
          fault = true
          logError('deliveries', error)
        }
      }
    }
    await Promise.all(Array.from({ length: atOnceMax }, sendSome))
    return sent && !fault && !signal?.aborted
  }

  /** The first of each line in a scope that is not disabled. */
  async function readHeads(scope: string): Promise<(readonly [Endpoint, Due])[]> {
    if (endpoints.length === 0) return []
    const found = await batch(
      scope,
      endpoints.map(({ name }) => ({ sql: sql.head, params: [scope, name], reads: true as const })),
    )
    return endpoints.flatMap((endpoint, place) =>
      (found[place] ?? [])
        .map((row) => [endpoint, readDue(row)] as const)
        .filter(([, { disabledAt }]) => disabledAt === 0 || isEnabled(endpoint, disabledAt)),
    )
  }

  async function sendScope(scope: string): Promise<number | undefined> {
    for (let more = true; ; ) {
      const heads = await readHeads(scope)
      const due = heads.filter(([, { nextAt, disabledAt }]) => nextAt <= micros() || disabledAt > 0)
      if (due.length === 0 || !more) {
        return heads.length === 0 ? undefined : Math.min(...heads.map(([, { nextAt }]) => nextAt / 1000))
      }
      more = await sendLines(due)
    }
  }

  /**
   * Where lines were enabled by the setting already: it says a time, and need not be asked again.
   */
  const enabled = new Map<Endpoint, Set<Store>>(endpoints.map((endpoint) => [endpoint, new Set()]))

  async function enableBySetting(endpoint: Endpoint, part: Store): Promise<void> {
    const { name, resend } = endpoint
    if (resend === undefined || enabled.get(endpoint)?.has(part)) return
    await batch('', [{ sql: sql.enable, params: [name, micros(), Date.parse(resend) * 1000] }], part)
    enabled.get(endpoint)?.add(part)
  }

  async function sendPart(endpoint: Endpoint, part: Store): Promise<void> {
    await enableBySetting(endpoint, part)
    for (let more = true; more; ) {
      const [rows = []] = await batch(
        '',
        [{ sql: sql.due, params: [endpoint.name, micros(), pageMax], reads: true }],
        part,
      )
      const sent = await sendLines(rows.map((row) => [endpoint, readDue(row)] as const))
      more = sent && rows.length === pageMax
    }
  }

  return {
    sendScope: (scope) =>
      sendScope(scope).catch((error: unknown) => {
        logError('deliveries', error)
        return now() + leaseMs
      }),
    async sendDue(endpoint) {
      const failed = (error: unknown) => logError('deliveries', error)
      await Promise.all((store.parts ?? [store]).map((part) => sendPart(endpoint, part).catch(failed)))
    },
    matches: (scope) => matchers.some((matches) => matches(scope)),
  }
}

interface Failure {
  /** A word: `http_500`, `timeout`, `econnrefused`. */
  readonly error: string
  readonly status: number | undefined
  readonly retryAfterMs: number
}

/** Whether the setting enables what was disabled then. */
function isEnabled({ resend = '' }: Endpoint, disabledAt: number): boolean {
  const time = parseTime(resend)
  return typeof time === 'object' && disabledAt < time.ms * 1000
}

function readDue([scope, position, from, id, createdAt, nextAt, attempts, disabledAt]: Cells): Due {
  return {
    scope: String(scope),
    position: Number(position),
    from: Number(from),
    id: String(id),
    createdAt: Number(createdAt),
    nextAt: Number(nextAt),
    attempts: Number(attempts),
    disabledAt: Number(disabledAt),
  }
}
