import type { JWTPayload } from 'jose'
import { isObject } from '../model/untrusted.ts'

export interface ExpectedClaims {
  readonly issuer: string | undefined
  readonly audience: string | undefined
  /** The tolerated difference of clocks. */
  readonly leewaySeconds: number
}

/** What is wrong with the claims of a token whose signature is right. */
export type ClaimFault = 'expired' | 'unreadable' | { readonly claim: string }

/**
 * The claims of a verified token as RFC 7519 wants them: `exp` must be there, and not over; `nbf`
 * must be over where it is there; `iss` and `aud` are looked at where they are expected. The same
 * as jose's `jwtVerify`, to which test/unit/token-claims.test.ts holds it; that also reads times in
 * words, and would be a hundredth of a worker.
 */
export function readTokenClaims(
  payload: Uint8Array,
  { issuer, audience, leewaySeconds }: ExpectedClaims,
  nowSeconds: number,
): { readonly claims: JWTPayload } | { readonly fault: ClaimFault } {
  let claims: unknown
  try {
    claims = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload))
  } catch {}
  if (!isObject(claims)) return { fault: 'unreadable' }
  const { iss, aud, iat, nbf, exp } = claims
  const isTime = (value: unknown) => value === undefined || typeof value === 'number'
  const isMeant = Array.isArray(aud) ? aud.includes(audience) : aud === audience
  const checks: readonly (readonly [claim: string, isRight: boolean])[] = [
    ['iss', issuer === undefined || iss === issuer],
    ['aud', audience === undefined || isMeant],
    ['iat', isTime(iat)],
    ['nbf', isTime(nbf) && !(Number(nbf) > nowSeconds + leewaySeconds)],
    ['exp', typeof exp === 'number'],
  ]
  const wrong = checks.find(([, isRight]) => !isRight)
  if (wrong) return { fault: { claim: wrong[0] } }
  if (Number(exp) <= nowSeconds - leewaySeconds) return { fault: 'expired' }
  return { claims }
}
