import type { JWTPayload } from 'jose'
import * as errors from 'jose/errors'
import { compactVerify } from 'jose/jws/compact/verify'
import type { JWTVerifyGetKey } from 'jose/jwt/verify'
import { createBoundedMap } from '../model/bounded-map.ts'
import { Problem } from '../model/errors.ts'
import type { Access, Principal } from '../model/principal.ts'
import { logError } from '../observe/log.ts'
import {
  type ClaimOptions,
  checkScope,
  createReadSubject,
  readNoScopes,
  readScopesAt,
  readScopesClaim,
} from './claims.ts'
import { readKeySet } from './key-set.ts'
import { type ExpectedClaims, readTokenClaims } from './token-claims.ts'
import { unauthorized } from './unauthorized.ts'

export interface AuthOptions extends ClaimOptions {
  /** HS256 secret, 32 bytes or more. Either this or `jwksUrl`. */
  readonly secret?: string
  /** Where the issuer publishes its public keys. */
  readonly jwksUrl?: string
  readonly issuer?: string
  readonly audience?: string
  /**
   * The scopes of a verified token, first the one that changes without a scope go to. Instead of
   * `scopesClaim`.
   */
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
 * Verifies `Authorization: Bearer <JWT>`. The algorithms are pinned to the kind of key, `exp` and
 * `sub` are required,
 * `iss` and `aud` are checked where they are set. The first scope is the subject's own.
 *
 * @throws TypeError at once where neither or both kinds of key are given, or a claim is named in no
 * way that is known
 */
export function createAuthenticate({
  secret,
  jwksUrl,
  issuer,
  audience,
  scopesOf,
  ...claimNames
}: AuthOptions): Authenticate {
  if ((secret === undefined) === (jwksUrl === undefined)) throw new TypeError('Give either a secret or a jwksUrl')
  const key = secret !== undefined ? importSecret(secret) : readKeySet(jwksUrl ?? '')
  const subjectOf = createReadSubject(claimNames)
  const { scopesClaim } = claimNames
  const readScopes =
    scopesClaim !== undefined
      ? readScopesAt('AUTH_SCOPES_CLAIM', scopesClaim)
      : secret !== undefined
        ? readScopesClaim()
        : readNoScopes()
  const algorithms = secret !== undefined ? ['HS256'] : asymmetric
  const expected = { issuer, audience, leewaySeconds }
  const recent = rememberTokens()
  return async (authorization) => {
    const token = authorization === undefined ? undefined : /^Bearer +([A-Za-z0-9_.-]+)$/i.exec(authorization)?.[1]
    if (token === undefined)
      throw unauthorized('Send the header Authorization: Bearer <token>.', Boolean(authorization))
    const known = recent.find(token) ?? recent.keep(token, await verify(token, key, algorithms, expected))
    // What somebody's own function grants may change with every request.
    if (scopesOf) return principalOf(known.claims, scopesOf(known.claims))
    known.principal ??= principalOf(known.claims, grantedBy(known.claims))
    return known.principal
  }

  function* grantedBy(claims: JWTPayload): Iterable<readonly [scope: string, access: Access]> {
    yield [checkScope(subjectOf(claims), claimNames.subClaim ?? 'sub'), 'write']
    yield* readScopes(claims)
  }

  function principalOf(
    claims: JWTPayload,
    granted: Iterable<readonly [scope: string, access: Access]>,
  ): TokenPrincipal {
    const scopes = new Map<string, Access>()
    const subject = subjectOf(claims)
    for (const [scope, access] of granted) {
      if (scopes.get(checkScope(scope, 'that scopesOf reads')) !== 'write') scopes.set(scope, access)
    }
    return { subject, scopes, expiresAt: (claims.exp ?? 0) * 1000 }
  }
}

/**
 * For how long a verified token is not verified again, how many of them there are, and how long
 * they may be: as long as Node takes the head of a request.
 */
const rememberedMs = 60_000
const rememberedMax = 1_000
const rememberedLength = 16_384

interface Verified {
  readonly claims: JWTPayload
  /** Once it was asked for. */
  principal?: TokenPrincipal
}

/**
 * A phone sends one token for minutes, and its signature costs a third of a small sync. What is
 * remembered is the whole token, so another signature is another token, and none is taken beyond
 * its own end. With it the scopes are kept that it grants, which may be hundreds.
 */
function rememberTokens() {
  const tokens = createBoundedMap<string, { verified: Verified; until: number }>(rememberedMax)
  return {
    find(token: string): Verified | undefined {
      const known = tokens.get(token)
      if (known && Date.now() < known.until) return known.verified
      tokens.delete(token)
      return undefined
    },
    keep(token: string, claims: JWTPayload): Verified {
      const verified: Verified = { claims }
      if (token.length > rememberedLength) return verified
      const until = Math.min(Date.now() + rememberedMs, ((claims.exp ?? 0) + leewaySeconds) * 1000)
      tokens.set(token, { verified, until })
      return verified
    },
  }
}

/** Imported once, not with every token. */
function importSecret(secret: string): Promise<CryptoKey> {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  return crypto.subtle.importKey('raw', new TextEncoder().encode(secret), algorithm, false, ['verify'])
}

/**
 * A signature that ends as an encoder writes it. Otherwise one token could be written in several
 * ways.
 */
const canonical = /\.(?:[\w-]{4})*(?:[\w-][AQgw]|[\w-]{2}[AEIMQUYcgkosw048])?$/

async function verify(
  token: string,
  key: Promise<CryptoKey> | JWTVerifyGetKey,
  algorithms: string[],
  expected: ExpectedClaims,
): Promise<JWTPayload> {
  const read = readTokenClaims(await verifySignature(token, key, algorithms), expected, Math.floor(Date.now() / 1000))
  if ('claims' in read) return read.claims
  const { fault } = read
  if (fault === 'expired') throw unauthorized('The token has expired. Get a new one.', true)
  if (fault === 'unreadable') throw notValid()
  throw unauthorized(`The claim ${fault.claim} of the token is missing or wrong.`, true)
}

const notValid = () => unauthorized('The token or its signature is not valid.', true)

/** What was signed. */
async function verifySignature(
  token: string,
  key: Promise<CryptoKey> | JWTVerifyGetKey,
  algorithms: string[],
): Promise<Uint8Array> {
  try {
    if (!canonical.test(token)) throw new errors.JWSInvalid()
    const { payload, protectedHeader } =
      typeof key === 'function'
        ? await compactVerify(token, key, { algorithms })
        : await compactVerify(token, await key, { algorithms })
    // In a token the payload is encoded: this is another message that the key has signed.
    if (protectedHeader.b64 === false) throw new errors.JWTInvalid()
    return payload
  } catch (error) {
    if (error instanceof Problem) throw error
    // A key that the issuer publishes and nobody should use: too weak, broken, or private.
    if (!(error instanceof errors.JOSEError) || error.code === 'ERR_JWKS_INVALID') logError('key of the issuer', error)
    throw notValid()
  }
}
