import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { limits } from '../../model/limits.ts'
import { clientConfig } from '../../stores/postgres/client.ts'
import { readPostgresUrl } from '../../stores/postgres/url.ts'

/**
 * Carries pokes between the processes of one Postgres. Losing one loses nothing (P15), so nothing
 * here ever fails.
 */
export interface Bus {
  /** Tells the other processes, at once or a moment later. */
  send(scope: string, position: number): void
  /** The first attempt to listen is over, whatever came of it. */
  readonly ready: Promise<void>
  close(): void
}

/**
 * Told once when the connection is lost, or cannot be had, and once when it is back, however often
 * it was tried.
 */
export interface BusListener {
  lost(error: unknown): void
  back(awayMs: number): void
}

const channel = 'driftline_poke'
/** Scopes that wait while the database is away. Of more than these the pokes are lost. */
const waitingMax = 10_000
/**
 * How often an idle connection is asked for an answer: nothing else would tell that the other end
 * is gone.
 */
const checkMs = 30_000
const reconnectMs = { least: 100, most: 5_000 }

/**
 * LISTEN and NOTIFY on one connection of its own, which no push ever waits for: NOTIFY takes a lock
 * of the whole database at the commit, and would line all pushes up within theirs. One statement
 * carries the pokes of all scopes.
 *
 * A pooler in transaction mode takes LISTEN and never delivers: the URL must lead to Postgres
 * itself.
 */
export function postgresBus(
  url: string,
  receive: (scope: string, position: number) => void,
  listener?: BusListener,
): Bus {
  const self = crypto.randomUUID()
  const config = clientConfig(readPostgresUrl(url))
  const waiting = new Map<string, number>()
  const stopped = new AbortController()
  let client: pg.Client | undefined
  let sending = false
  let lostAt: number | undefined
  let firstDone: () => void = () => {}
  const ready = new Promise<void>((resolve) => {
    firstDone = resolve
  })

  async function listen(): Promise<void> {
    let wait = reconnectMs.least
    while (!stopped.signal.aborted) {
      const began = Date.now()
      await holdConnection().catch(noteLoss)
      firstDone()
      wait = Date.now() - began > reconnectMs.most ? reconnectMs.least : Math.min(wait * 2, reconnectMs.most)
      await sleep(wait * (0.5 + Math.random() / 2), undefined, { signal: stopped.signal }).catch(() => {})
    }
  }

  function noteLoss(error: unknown): void {
    if (stopped.signal.aborted || lostAt !== undefined) return
    lostAt = Date.now()
    listener?.lost(error)
  }

  function noteReturn(): void {
    if (lostAt !== undefined) listener?.back(Date.now() - lostAt)
    lostAt = undefined
  }

  /** Listens until the connection is lost, and fails with what it was lost by. */
  async function holdConnection(): Promise<never> {
    const next = new pg.Client({
      ...config,
      query_timeout: limits.databaseMsMax,
      keepAlive: true,
      application_name: 'driftline live',
    })
    const ended = new Promise<unknown>((resolve) => {
      next.once('end', () => resolve(new Error('The connection ended')))
      next.on('error', resolve)
    })
    next.on('notification', ({ payload = '' }) => {
      const poke = parsePoke(payload)
      if (poke && poke.from !== self) receive(poke.scope, poke.position)
    })
    const stop = () => void next.end().catch(() => {})
    stopped.signal.addEventListener('abort', stop)
    let checker: ReturnType<typeof setInterval> | undefined
    try {
      await next.connect()
      await next.query(`LISTEN ${channel}`)
      client = next
      noteReturn()
      firstDone()
      checker = setInterval(() => next.query('SELECT 1').catch(stop), checkMs).unref()
      void flush()
      throw await ended
    } finally {
      client = undefined
      clearInterval(checker)
      stopped.signal.removeEventListener('abort', stop)
      stop()
    }
  }

  async function flush(): Promise<void> {
    if (sending || !client || waiting.size === 0) return
    sending = true
    const pokes = [...waiting]
    waiting.clear()
    // A scope has 128 characters at the most, so no payload comes near the 8,000 bytes of a
    // notification.
    const payloads = pokes.map(([scope, position]) => JSON.stringify({ from: self, scope, position }))
    try {
      await client.query(`SELECT pg_notify('${channel}', payload) FROM json_array_elements_text($1) AS payload`, [
        JSON.stringify(payloads),
      ])
    } catch {
      // Lost. Kept, one that Postgres can never take would hold back all that come with it.
    }
    await sleep(limits.livePokeMs, undefined, { ref: false })
    sending = false
    void flush()
  }

  function keep(scope: string, position: number): void {
    if (waiting.size < waitingMax || waiting.has(scope)) {
      waiting.set(scope, Math.max(position, waiting.get(scope) ?? 0))
    }
  }

  void listen()
  return {
    send(scope, position) {
      keep(scope, position)
      void flush()
    },
    ready,
    close: () => stopped.abort(),
  }
}

/** What others than driftline send on the channel is none. */
function parsePoke(payload: string): { from: string; scope: string; position: number } | undefined {
  try {
    const { from, scope, position } = JSON.parse(payload)
    return typeof scope === 'string' && Number.isSafeInteger(position) ? { from, scope, position } : undefined
  } catch {
    return undefined
  }
}
