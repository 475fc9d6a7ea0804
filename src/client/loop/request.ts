import type { WireMe, WireProblem } from '../../wire/typed.ts'

/** The server was not reached, or what came was no answer of it. */
export class NetworkFault extends Error {
  readonly isTimeout: boolean
  constructor(cause: unknown, isTimeout = false) {
    super('The server was not reached.', { cause })
    this.isTimeout = isTimeout
  }
}

/** An answer that is a fault of the whole request. */
export class AnswerFault extends Error {
  readonly problem: WireProblem
  readonly retryAfterMs: number | undefined
  constructor(problem: WireProblem, retryAfterMs: number | undefined) {
    super(`The server answered ${problem.status} ${problem.code}.`)
    this.problem = problem
    this.retryAfterMs = retryAfterMs
  }
}

/** There is no token, or none that the server takes. */
export class SignedOut extends Error {
  readonly code: string
  constructor(code: string) {
    super('Nobody is signed in.')
    this.code = code
  }
}

export interface RequestOptions {
  readonly url: string
  token(why: { refused: boolean }): string | null | Promise<string | null>
  readonly fetch: typeof fetch
  /** Told of each token before it is used for the first time. */
  readonly onToken: (me: WireMe | undefined, middleMs: number) => Promise<void>
}

export interface Requests {
  /** The answer to a request that succeeded; throws one of the faults. */
  send(
    path: string,
    init: { readonly body?: unknown; readonly accept?: string; readonly timeoutMs?: number },
  ): Promise<Response>
  /** The token of the last request that succeeded, for a socket. */
  current(): Promise<string>
  /** A fresh one, where that has ended. */
  renew(): Promise<string>
  /** Asks who is signed in, and what time it is, before the next request. */
  askAgain(): void
}

const timeoutMsDefault = 30_000

export function createRequests({ url, token, fetch, onToken }: RequestOptions): Requests {
  const base = url.replace(/\/+$/, '')
  let held: string | null = null
  let isAsked = false

  async function fetchOnce(path: string, bearer: string, init: Parameters<Requests['send']>[1]): Promise<Response> {
    const { body, accept, timeoutMs = timeoutMsDefault } = init
    const aborting = new AbortController()
    const timer = setTimeout(() => aborting.abort(), timeoutMs)
    try {
      return await fetch(`${base}${path}`, {
        method: body === undefined ? 'GET' : 'POST',
        headers: {
          Authorization: `Bearer ${bearer}`,
          ...(body !== undefined && { 'Content-Type': 'application/json' }),
          ...(accept && { Accept: accept }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        signal: aborting.signal,
      })
    } catch (error) {
      throw new NetworkFault(error, aborting.signal.aborted)
    } finally {
      clearTimeout(timer)
    }
  }

  async function fresh(refused: boolean): Promise<string> {
    const next = await token({ refused })
    if (next === null || next === '') throw new SignedOut('signed_out')
    if (next !== held) isAsked = false
    held = next
    return next
  }

  /** Who the token is of, and what time it is there: of the token alone (CLIENT 4, C10). */
  async function ask(bearer: string): Promise<string> {
    let begun = Date.now()
    let response = await fetchOnce('/v1/me', bearer, {})
    let used = bearer
    if (response.status === 401) {
      used = await fresh(true)
      begun = Date.now()
      response = await fetchOnce('/v1/me', used, {})
    }
    if (response.status === 401) throw new SignedOut('unauthorized')
    // A server of before tells nothing of it.
    const middleMs = (begun + Date.now()) / 2
    if (response.status === 404) await onToken(undefined, middleMs)
    else if (!response.ok) throw await faultOf(response)
    else await onToken(await readJson<WireMe>(response), middleMs)
    isAsked = true
    return used
  }

  return {
    async send(path, init) {
      let bearer = held ?? (await fresh(false))
      if (!isAsked) bearer = await ask(bearer)
      let response = await fetchOnce(path, bearer, init)
      if (response.status === 401) {
        bearer = await fresh(true)
        if (!isAsked) bearer = await ask(bearer)
        response = await fetchOnce(path, bearer, init)
        if (response.status === 401) {
          held = null
          throw new SignedOut('unauthorized')
        }
      }
      if (!response.ok) throw await faultOf(response)
      return response
    },
    async current() {
      return held ?? fresh(false)
    },
    renew: () => fresh(true),
    askAgain() {
      isAsked = false
      held = null
    },
  }
}

async function faultOf(response: Response): Promise<Error> {
  let problem: Partial<WireProblem> = {}
  try {
    problem = (await response.json()) as Partial<WireProblem>
  } catch {
    // A proxy's page, or nothing.
  }
  const code = typeof problem.code === 'string' ? problem.code : 'unknown'
  return new AnswerFault(
    { ...problem, code, status: response.status },
    retryAfterOf(response.headers.get('retry-after')),
  )
}

/** Seconds, or a date. */
function retryAfterOf(header: string | null): number | undefined {
  if (header === null) return undefined
  if (/^\d+$/.test(header)) return Number(header) * 1000
  const date = Date.parse(header)
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now())
}

/** The body of an answer. What breaks off, or is no JSON, is a fault of the way. */
export async function readJson<Body>(response: Response): Promise<Body> {
  try {
    return (await response.json()) as Body
  } catch (error) {
    throw new NetworkFault(error)
  }
}
