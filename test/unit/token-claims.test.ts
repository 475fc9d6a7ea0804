import fc from 'fast-check'
import * as errors from 'jose/errors'
import { CompactSign } from 'jose/jws/compact/sign'
import { jwtVerify } from 'jose/jwt/verify'
import { describe, expect, it } from 'vitest'
import { readTokenClaims } from '../../src/http/token-claims.ts'

const key = new TextEncoder().encode('x'.repeat(32))
const now = 1_795_000_000
const leewaySeconds = 30

/** What jose says of the same bytes, in our words. */
async function askJose(payload: Uint8Array, issuer: string | undefined, audience: string | undefined) {
  const token = await new CompactSign(payload).setProtectedHeader({ alg: 'HS256' }).sign(key)
  try {
    const { payload: claims } = await jwtVerify(token, key, {
      ...{ requiredClaims: ['exp'], clockTolerance: leewaySeconds, currentDate: new Date(now * 1000) },
      ...(issuer !== undefined && { issuer }),
      ...(audience !== undefined && { audience }),
    })
    return { claims }
  } catch (error) {
    if (error instanceof errors.JWTExpired) return { fault: 'expired' }
    if (error instanceof errors.JWTClaimValidationFailed) return { fault: { claim: error.claim } }
    expect(error).toBeInstanceOf(errors.JWTInvalid)
    return { fault: 'unreadable' }
  }
}

/** Around what is looked at, what is not a time at all, and nothing. */
const time = fc.option(
  fc.oneof(
    ...[-leewaySeconds, 0, leewaySeconds].flatMap((by) => [-1, 0, 0.5, 1].map((more) => fc.constant(now + by + more))),
    fc.constantFrom(null, '', String(now + 100), true, [], {}, -1, 0),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
  ),
  { nil: undefined },
)
const name = fc.constantFrom(undefined, null, '', 'us', 'them', 1, {}, [], ['us'], ['them', 'us'], [['us']])

describe('the claims of a token', () => {
  it('are judged as jose does it, by the same claim', async () => {
    const claims = fc.record({ iss: name, aud: name, iat: time, nbf: time, exp: time, sub: fc.constant('alice') })
    const expected = fc.constantFrom(undefined, 'us', '')
    await fc.assert(
      fc.asyncProperty(claims, expected, expected, async (given, issuer, audience) => {
        const payload = new TextEncoder().encode(JSON.stringify(given))
        const read = readTokenClaims(payload, { issuer, audience, leewaySeconds }, now)
        const theirs = await askJose(payload, issuer, audience)
        // Of several that are wrong each may name another one.
        if ('fault' in read && 'fault' in theirs) return
        expect(read).toEqual(theirs)
      }),
      { numRuns: 3_000 },
    )
  })

  it.each([
    ['an array', '[]'],
    ['null', 'null'],
    ['text', '"a"'],
    ['a number', '1'],
    ['nothing', ''],
    ['no JSON', '{'],
    ['a mark of the order of bytes', '\ufeff{"exp":9999999999}'],
    ['two values', '{} {}'],
  ])('that are %s are judged as jose does it', async (_, text) => {
    const payload = new TextEncoder().encode(text)
    const read = readTokenClaims(payload, { issuer: undefined, audience: undefined, leewaySeconds }, now)
    expect(read).toEqual(await askJose(payload, undefined, undefined))
  })

  it('that are no UTF-8 are not read', () => {
    const payload = Uint8Array.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])
    expect(readTokenClaims(payload, { issuer: undefined, audience: undefined, leewaySeconds }, now)).toEqual({
      fault: 'unreadable',
    })
  })

  it.each([
    ['iss', { iss: 'them', aud: 'us', exp: now + 60 }],
    ['iss', { aud: 'us', exp: now + 60 }],
    ['aud', { iss: 'us', aud: ['them'], exp: now + 60 }],
    ['aud', { iss: 'us', exp: now + 60 }],
    ['iat', { iss: 'us', aud: 'us', iat: 'x', exp: now + 60 }],
    ['nbf', { iss: 'us', aud: 'us', nbf: now + 31, exp: now + 60 }],
    ['nbf', { iss: 'us', aud: 'us', nbf: '1', exp: now + 60 }],
    ['exp', { iss: 'us', aud: 'us' }],
    ['exp', { iss: 'us', aud: 'us', exp: `${now + 60}` }],
  ])('of which %s alone is wrong are refused by its name', async (claim, claims) => {
    const payload = new TextEncoder().encode(JSON.stringify(claims))
    const read = readTokenClaims(payload, { issuer: 'us', audience: 'us', leewaySeconds }, now)
    expect(read).toEqual({ fault: { claim } })
    expect(await askJose(payload, 'us', 'us')).toEqual(read)
  })

  it('end half a minute after their exp', () => {
    const at = (exp: number) => {
      const payload = new TextEncoder().encode(JSON.stringify({ exp }))
      return readTokenClaims(payload, { issuer: undefined, audience: undefined, leewaySeconds }, now)
    }
    expect(at(now - 29)).toEqual({ claims: { exp: now - 29 } })
    expect(at(now - 30)).toEqual({ fault: 'expired' })
  })
})
