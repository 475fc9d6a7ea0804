import { SignJWT } from 'jose/jwt/sign'

export interface TokenClaims {
  readonly sub: string
  /**
   * Scopes beside `sub`; `{ id, access: 'read' }` for those that may only be read. A text that
   * reads as a permission of OAuth is not taken for one, an object is.
   */
  readonly scopes?: readonly (string | { readonly id: string; readonly access: 'read' | 'write' })[]
  readonly issuer?: string
  readonly audience?: string
  /** Until when, in seconds from now. */
  readonly seconds?: number
}

/**
 * A token signed with an HS256 secret: for development and tests, and for a backend that hands out
 * its own.
 */
export async function signToken(
  secret: string,
  { sub, scopes = [], issuer, audience, seconds = 24 * 3_600 }: TokenClaims,
): Promise<string> {
  const now = Math.floor(Date.now() / 1000)
  const token = new SignJWT({ scopes })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(sub)
    .setIssuedAt(now)
    .setExpirationTime(now + seconds)
  if (issuer) token.setIssuer(issuer)
  if (audience) token.setAudience(audience)
  return token.sign(new TextEncoder().encode(secret))
}
