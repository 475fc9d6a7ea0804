import { refused, type TokenCase } from './cases.ts'
import { canary, claimsOf, hmacSigner, type KeyPair, keyPair, makeToken, type Signer } from './keys.ts'
import { ellipticCases, otherPaddingCases, paddingCases } from './signatures.ts'

/** A secret has one way to be forged that is not a matter of form: another secret. */
export function forgedSecretCases(signer: Signer): TokenCase[] {
  const others = ['', '\0', 'secret', 'a secret of the tests, 32 bytes or mor']
  const pair = keyPair('RS256')
  return [
    ...others.map((secret) => refused(`the secret ${JSON.stringify(secret)}`, makeToken(hmacSigner(secret)))),
    ...['HS384', 'HS512'].map((alg) =>
      refused(alg, makeToken(hmacSigner('a secret of the tests, 32 bytes or more', alg))),
    ),
    refused('a public key where a secret counts', makeToken(pair)),
    refused(
      'the secret as a key in the header',
      embedding(signer, { kty: 'oct', k: 'AAAA' }, hmacSigner(Buffer.alloc(3))),
    ),
  ]
}

/** Forgeries against one published key. */
export function forgedKeyCases(pair: KeyPair): TokenCase[] {
  const { alg, kid, publicKey, jwk } = pair
  const mallory = keyPair(alg, kid)
  const spki = publicKey.export({ format: 'der', type: 'spki' })
  const pem = publicKey.export({ format: 'pem', type: 'spki' }).toString()
  const secrets: Record<string, string | Buffer> = {
    'as PEM': pem,
    'as PEM without its last line break': pem.trimEnd(),
    'as PEM with Windows line breaks': pem.replaceAll('\n', '\r\n'),
    'as DER': spki,
    'as base64 of DER': spki.toString('base64'),
    'as JWK': JSON.stringify(jwk),
    'by its x or n': Buffer.from(String(jwk.x ?? jwk.n), 'base64url'),
    'by its x or n, encoded': String(jwk.x ?? jwk.n),
  }
  return [
    refused('a key of another', makeToken(mallory)),
    ...Object.entries(secrets).map(([how, secret]) =>
      refused(`${alg}: HS256 with the public key ${how}`, makeToken({ ...hmacSigner(secret), kid })),
    ),
    ...['HS384', 'HS512'].map((hmac) =>
      refused(`${alg}: ${hmac} with the public key as PEM`, makeToken({ ...hmacSigner(pem, hmac), kid })),
    ),
    ...Object.entries(secrets).map(([how, secret]) =>
      refused(`${alg} said, HMAC with the public key ${how}`, makeToken({ ...hmacSigner(secret), alg, kid })),
    ),
    refused('its own key in the header', embedding(pair, mallory.jwk, mallory)),
    ...injections.map((text) => refused(`kid ${text}`, makeToken({ ...mallory, kid: text }))),
    ...injections.map((text) => refused(`its true key by the kid ${text}`, makeToken({ ...pair, kid: text }))),
    ...[null, 1, true, [kid], { kid }].map((odd) =>
      refused(`kid ${JSON.stringify(odd)}`, makeToken(pair, claimsOf(), { alg, kid: odd })),
    ),
    ...['jku', 'x5u', 'x5c', 'x5t'].map((member) => {
      const value = member === 'x5c' ? [spki.toString('base64')] : 'http://127.0.0.1:1/keys.json'
      return refused(`${member} of its own`, makeToken(mallory, claimsOf(), { alg, kid, [member]: value }))
    }),
    ...(alg.startsWith('ES') ? ellipticCases(pair) : []),
    ...(alg === 'RS256' ? paddingCases(pair) : []),
    ...(alg.startsWith('RS') || alg.startsWith('PS') ? otherPaddingCases(pair) : []),
  ]
}

const embedding = (signer: Signer, jwk: object, by: Signer) =>
  makeToken(by, claimsOf(), { alg: signer.alg, kid: signer.kid, jwk })

const injections = [
  '',
  '../../../../../../dev/null',
  '/dev/null',
  "' OR '1'='1",
  "x' UNION SELECT 'secret' --",
  '| whoami',
  '__proto__',
  'constructor',
  `${canary}\u0000`,
  'é\ud800'.toWellFormed(),
  'x'.repeat(4_000),
  'http://127.0.0.1:1/key',
]
