import type { JSONWebKeySet, JWK } from 'jose'
import * as errors from 'jose/errors'
import { createLocalJWKSet } from 'jose/jwks/local'
import type { JWTVerifyGetKey } from 'jose/jwt/verify'
import { Problem } from '../model/errors.ts'
import { limits } from '../model/limits.ts'
import { isObject } from '../model/untrusted.ts'
import { logError, logReturn } from '../observe/log.ts'

/** For how long fetched keys are taken without asking whether there are others. */
const freshMs = 10 * 60_000
/** Between two tries, and how long one of them may take. */
const againMs = 30_000
const fetchMsMax = 5_000
/** Seconds after which a client may try again when the keys cannot be had. */
const retryAfterSeconds = 5

/**
 * A key of the issuer's set, by a token's header. Keys that were fetched once go on being good for
 * a day while the set
 * cannot be had: then one request in half a minute waits for another try, and all others are
 * answered by what is
 * known. A token by a key that is not known gets a `Problem` then, since its key may be new (P13).
 *
 * @throws TypeError at once where the URL is not one to trust
 */
export function readKeySet(url: string): JWTVerifyGetKey {
  checkKeySetUrl('jwksUrl', url)
  const keys = keepKeys(new URL(url).href)
  const never = Number.NEGATIVE_INFINITY
  let [fetchedAt, begunAt, endedAt] = [never, never, never]
  let awaySince: number | undefined

  const load = async () => {
    begunAt = Date.now()
    try {
      await keys.fetch()
      fetchedAt = endedAt = Date.now()
      if (awaySince !== undefined) logReturn('key set of the issuer', Date.now() - awaySince)
      awaySince = undefined
    } catch (fault) {
      endedAt = Date.now()
      if (awaySince === undefined) logError('key set of the issuer', fault)
      awaySince ??= Date.now()
      throw keysUnavailable(fault)
    }
  }

  return async (header, token) => {
    const now = Date.now()
    // A clock that has gone back would make them new for as long.
    if (now < fetchedAt - 1_000) [fetchedAt, begunAt, endedAt] = [now - freshMs, never, never]
    const age = now - fetchedAt
    if (age >= limits.keysKeptMsMax) await load()
    else if (age >= freshMs && now - begunAt >= againMs) await load().catch(() => {})
    let key: Awaited<ReturnType<typeof keys.find>>
    try {
      key = await keys.find(header, token)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
      if (Date.now() - endedAt >= againMs) await load()
      else if (awaySince !== undefined) throw keysUnavailable(error)
      key = await keys.find(header, token)
    }
    const { publicExponent = [] } = key.algorithm as { publicExponent?: Uint8Array }
    // Node takes the exponent 1, with which everybody can sign.
    if (/^0*1$/.test([...publicExponent].join(''))) throw new TypeError('The key has the exponent 1')
    return key
  }
}

/**
 * The keys that were fetched last, for ever. Requests share a fetch, but not in a worker, where
 * none may wait for what another one began.
 */
function keepKeys(url: string) {
  const isShared = !('WebSocketPair' in globalThis)
  let underWay: Promise<void> | undefined
  let find: ReturnType<typeof createLocalJWKSet> | undefined
  let [begun, last] = [0, 0]
  const fetchOnce = async () => {
    const turn = ++begun
    const fetched = createLocalJWKSet(await fetchKeys(url))
    // An answer that was overtaken by a later one is older.
    if (turn > last) [find, last] = [fetched, turn]
  }
  return {
    async fetch(): Promise<void> {
      if (!isShared) return fetchOnce()
      underWay ??= fetchOnce().finally(() => {
        underWay = undefined
      })
      await underWay
    },
    find: (async (header, token) => {
      if (!find) throw new errors.JWKSNoMatchingKey()
      return find(header, token)
    }) satisfies JWTVerifyGetKey,
  }
}

/**
 * Whoever can change the answer on its way signs tokens for everybody: encrypted, or from this
 * machine.
 */
export function checkKeySetUrl(name: string, text: string): void {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isTrusted = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopbackHost(url.hostname))
  if (!isTrusted) {
    throw new TypeError(
      `${name} must be a URL that begins with https:// (http:// only on this machine): whoever changes the keys on their way signs tokens for everybody`,
    )
  }
  if (url.username || url.password)
    throw new TypeError(`${name} must hold no user and password: the keys of an issuer are public`)
}

function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host)
}

function keysUnavailable(cause: unknown): Problem {
  return new Problem(
    'keys_unavailable',
    'The keys of the issuer of tokens cannot be fetched, and none is known that fits this token. Send the same again later: nothing was done.',
    { headers: { 'Retry-After': String(retryAfterSeconds) }, cause },
  )
}

/** Why the set cannot be had, by a code that the log may show. */
class KeySetFault extends Error {
  constructor(code: string, cause?: unknown) {
    super('the key set cannot be fetched', { cause })
    this.name = code
  }
}

/**
 * That the set cannot be had passes. Whatever is wrong later is the token's fault, or that of a
 * key, and stays.
 */
async function fetchKeys(url: string): Promise<JSONWebKeySet> {
  const answer = await fetch(url, {
    redirect: 'manual',
    headers: { accept: 'application/json, application/jwk-set+json', 'user-agent': 'driftline' },
    signal: AbortSignal.timeout(fetchMsMax),
  }).catch((cause: unknown) => {
    throw new KeySetFault(codeOf(cause), cause)
  })
  if (answer.status !== 200) throw new KeySetFault(`HTTP_${answer.status}`)
  const set: unknown = await answer.json().catch((cause: unknown) => {
    throw new KeySetFault(cause instanceof SyntaxError ? 'NO_JSON' : codeOf(cause), cause)
  })
  if (isObject(set) && Array.isArray(set.keys) && set.keys.every(isObject)) return { keys: set.keys as JWK[] }
  throw new KeySetFault('NO_KEY_SET')
}

function codeOf(error: unknown): string {
  const { name, cause } = error as { name?: unknown; cause?: { code?: unknown } }
  if (name === 'TimeoutError') return 'TIMEOUT'
  return typeof cause?.code === 'string' ? cause.code : 'NO_ANSWER'
}
