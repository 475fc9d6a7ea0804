import { createRemoteJWKSet, customFetch, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose'
import { Problem } from '../errors.ts'
import { limits } from '../limits.ts'
import { logError } from '../log.ts'
import { StoreFault } from '../stores/store.ts'
import type { Access, Principal } from '../sync/authorize.ts'
import { isObject } from '../sync/change.ts'
import { isName } from '../sync/text.ts'

export interface AuthOptions {
  /** HS256 secret, 32 bytes or more. Either this or `jwksUrl`. */
  readonly secret?: string
  /** Where the issuer publishes its public keys. */
  readonly jwksUrl?: string
  readonly issuer?: string
  readonly audience?: string
  /** The scopes of a verified token, first the one that changes without a scope go to. */
  readonly scopesOf?: (claims: JWTPayload) => Iterable<readonly [scope: string, access: Access]>
}

/** A principal by a token, which ends. */
export interface TokenPrincipal extends Principal {
  /** The token's own end, without any leeway, in milliseconds since 1970. */
  readonly expiresAt: number
}

export type Authenticate = (authorization: string | undefined) => Promise<TokenPrincipal>

/** The tolerated difference of clocks, in seconds. */
const leewaySeconds = 30
/** Public keys only: a public key can then never be taken for an HS256 secret. */
const asymmetric = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']

/**
 * Verifies `Authorization: Bearer <JWT>`. The algorithms are pinned to the kind of key, `exp` and `sub` are required,
 * `iss` and `aud` are checked where they are set.
 *
 * @throws TypeError at once where neither or both kinds of key are given
 */
export function createAuthenticate({
  secret,
  jwksUrl,
  issuer,
  audience,
  scopesOf = defaultScopes,
}: AuthOptions): Authenticate {
  if ((secret === undefined) === (jwksUrl === undefined)) throw new TypeError('Give either a secret or a jwksUrl')
  const key = secret !== undefined ? importSecret(secret) : readKeySet(jwksUrl ?? '')
  const options = {
    algorithms: secret !== undefined ? ['HS256'] : asymmetric,
    requiredClaims: ['exp', 'sub'],
    clockTolerance: leewaySeconds,
    ...(issuer !== undefined && { issuer }),
    ...(audience !== undefined && { audience }),
  }
  const recent = rememberTokens()
  return async (authorization) => {
    const token = authorization === undefined ? undefined : /^Bearer +([A-Za-z0-9_.-]+)$/i.exec(authorization)?.[1]
    if (token === undefined)
      throw unauthorized('Send the header Authorization: Bearer <token>.', Boolean(authorization))
    const claims = recent.find(token) ?? recent.keep(token, await verify(token, key, options))
    if (typeof claims.sub !== 'string' || claims.sub === '')
      throw unauthorized('The token needs the claim sub, text.', true)
    const scopes = new Map<string, Access>()
    for (const [scope, access] of scopesOf(claims)) {
      if (isName(scope, limits.scopeLengthMax) && scopes.get(scope) !== 'write') scopes.set(scope, access)
    }
    return { subject: claims.sub, scopes, expiresAt: (claims.exp ?? 0) * 1000 }
  }
}

/** For how long a verified token is not verified again, how many of them there are, and how long they may be. */
const rememberedMs = 60_000
const rememberedMax = 1_000
const rememberedLength = 4_096

/**
 * A phone sends one token for minutes, and its signature costs a third of a small sync. What is remembered is the whole
 * token, so another signature is another token, and none is taken beyond its own end.
 */
function rememberTokens() {
  const tokens = new Map<string, { claims: JWTPayload; until: number }>()
  return {
    find(token: string): JWTPayload | undefined {
      const known = tokens.get(token)
      if (known && Date.now() < known.until) return known.claims
      tokens.delete(token)
      return undefined
    },
    keep(token: string, claims: JWTPayload): JWTPayload {
      if (token.length > rememberedLength) return claims
      const [oldest] = tokens.keys()
      if (tokens.size >= rememberedMax && oldest !== undefined) tokens.delete(oldest)
      const until = Math.min(Date.now() + rememberedMs, ((claims.exp ?? 0) + leewaySeconds) * 1000)
      tokens.set(token, { claims, until })
      return claims
    },
  }
}

/** Imported once, not with every token. */
function importSecret(secret: string): Promise<CryptoKey> {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  return crypto.subtle.importKey('raw', new TextEncoder().encode(secret), algorithm, false, ['verify'])
}

/** A key of the issuer's set, by a token's header. Fails with a `StoreFault` where the set cannot be had. */
function readKeySet(url: string): JWTVerifyGetKey {
  const open = () => createRemoteJWKSet(new URL(url), { [customFetch]: fetchKeys })
  let keyOf = open()
  let seenAt = 0
  return async (header, token) => {
    // It keeps keys by the clock: where that has gone back, they would be new for as long.
    if (Date.now() < seenAt - 1_000) keyOf = open()
    seenAt = Date.now()
    const key = await keyOf(header, token)
    const { publicExponent = [] } = key.algorithm as { publicExponent?: Uint8Array }
    // Node takes the exponent 1, with which everybody can sign.
    if (/^0*1$/.test([...publicExponent].join(''))) throw new TypeError('The key has the exponent 1')
    return key
  }
}

/** That the set cannot be had passes (P13). Whatever is wrong later is the token's fault, or that of a key, and stays. */
async function fetchKeys(url: string, init: RequestInit): Promise<Response> {
  try {
    const answer = await fetch(url, init)
    const set: unknown = answer.status === 200 && (await answer.json())
    if (isObject(set) && Array.isArray(set.keys) && set.keys.every(isObject)) return Response.json(set)
    throw new TypeError(`no key set, with the status ${answer.status}`)
  } catch (cause) {
    throw new StoreFault('transient', { message: 'the key set cannot be fetched', cause })
  }
}

/** A signature that ends as an encoder writes it. Otherwise one token could be written in several ways. */
const canonical = /\.(?:[\w-]{4})*(?:[\w-][AQgw]|[\w-]{2}[AEIMQUYcgkosw048])?$/

async function verify(token: string, key: Promise<CryptoKey> | JWTVerifyGetKey, options: object): Promise<JWTPayload> {
  try {
    if (!canonical.test(token)) throw new errors.JWSInvalid()
    const { payload } =
      typeof key === 'function' ? await jwtVerify(token, key, options) : await jwtVerify(token, await key, options)
    return payload
  } catch (error) {
    if (error instanceof StoreFault) throw error
    if (error instanceof errors.JWTExpired) throw unauthorized('The token has expired. Get a new one.', true)
    if (error instanceof errors.JWTClaimValidationFailed)
      throw unauthorized(`The claim ${error.claim} of the token is missing or wrong.`, true)
    // A key that the issuer publishes and nobody should use: too weak, broken, or private.
    if (!(error instanceof errors.JOSEError) || error.code === 'ERR_JWKS_INVALID') logError('key of the issuer', error)
    throw unauthorized('The token or its signature is not valid.', true)
  }
}

/** `sub`, and then the claim `scopes`: texts, or `{ "id", "access": "read" }`. */
function defaultScopes({ sub, scopes = [] }: JWTPayload): (readonly [string, Access])[] {
  if (!Array.isArray(scopes)) throw unauthorized('The claim scopes must be an array.', true)
  const granted = scopes.map((entry: unknown): readonly [string, Access] => {
    if (typeof entry === 'string') return [entry, 'write']
    if (isObject(entry) && typeof entry.id === 'string') {
      const { access = 'write' } = entry
      if (access === 'read' || access === 'write') return [entry.id, access]
    }
    throw unauthorized('Each of the claim scopes must be text or { "id", "access": "read" or "write" }.', true)
  })
  return [[sub ?? '', 'write'], ...granted]
}

/** @param sent whether there was a token at all */
export function unauthorized(detail: string, sent: boolean): Problem {
  const challenge = sent ? 'Bearer realm="driftline", error="invalid_token"' : 'Bearer realm="driftline"'
  return new Problem('unauthorized', detail, { headers: { 'WWW-Authenticate': challenge } })
}
