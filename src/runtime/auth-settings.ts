import { createReadSubject, readScopesAt } from '../http/claims.ts'
import { checkKeySetUrl } from '../http/key-set.ts'
import type { Environment } from './environment.ts'
import { readEach } from './read-each.ts'

/** Without a secret and a jwksUrl where neither is set. */
export interface AuthSettings {
  readonly secret?: string
  readonly jwksUrl?: string
  readonly issuer?: string
  readonly audience?: string
  readonly scopesClaim?: string
  readonly subClaim?: string
}

/**
 * Hosts whose keys sign for everybody: without an audience the token of any other app would be
 * taken.
 */
const sharedKeys = /^(www\.googleapis\.com|login\.microsoftonline\.com|appleid\.apple\.com)$/

export function readAuth(env: Environment): AuthSettings {
  const { AUTH_SECRET: secret, AUTH_JWKS_URL: jwksUrl, AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience } = env
  const { AUTH_SCOPES_CLAIM: scopesClaim, AUTH_SUB_CLAIM: subClaim } = env
  readEach({
    key() {
      if (secret && jwksUrl) throw new TypeError('Set either AUTH_SECRET or AUTH_JWKS_URL, not both')
      if (secret) checkSecret(secret)
      if (jwksUrl) checkKeys(jwksUrl, audience)
    },
    scopes: () => scopesClaim && readScopesAt('AUTH_SCOPES_CLAIM', scopesClaim),
    sub: () => subClaim && createReadSubject({ subClaim }),
  })
  return {
    ...(secret && { secret }),
    ...(jwksUrl && { jwksUrl }),
    ...(issuer && { issuer }),
    ...(audience && { audience }),
    ...(scopesClaim && { scopesClaim }),
    ...(subClaim && { subClaim }),
  }
}

/** Whose tokens are taken, where that may be more than was meant: sentences to print at start. */
export function authWarnings({ jwksUrl, issuer, audience }: AuthSettings): string[] {
  if (jwksUrl === undefined) return []
  return [
    ...(issuer === undefined
      ? ['AUTH_ISSUER is not set: the tokens of every issuer are taken that signs by the keys of AUTH_JWKS_URL.']
      : []),
    ...(audience === undefined
      ? ['AUTH_AUDIENCE is not set: the tokens are taken that the issuer makes for any other app of its own.']
      : []),
  ]
}

function checkKeys(jwksUrl: string, audience: string | undefined): void {
  checkKeySetUrl('AUTH_JWKS_URL', jwksUrl)
  if (!audience && sharedKeys.test(new URL(jwksUrl).hostname))
    throw new TypeError(
      'Set AUTH_AUDIENCE (of Firebase the id of the project, of others the id of your app): the keys of this AUTH_JWKS_URL sign tokens for the apps of everybody',
    )
}

function checkSecret(secret: string): void {
  const { length } = new TextEncoder().encode(secret)
  if (length < 32)
    throw new TypeError(
      `AUTH_SECRET has ${length} bytes and needs 32 or more: take one from \`openssl rand -base64 48\``,
    )
}
