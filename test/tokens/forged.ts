import { constants, createHash, generateKeyPairSync, privateEncrypt } from 'node:crypto'
import { refused, type TokenCase } from './cases.ts'
import { canary, claimsOf, hmacSigner, type KeyPair, keyPair, makeToken, type Signer } from './keys.ts'

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

/** The order of P-256. */
const order = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex')

function ellipticCases(pair: KeyPair): TokenCase[] {
  const signed = (name: string, change: (signature: Buffer) => Buffer) =>
    refused(`ES256: ${name}`, makeToken({ ...pair, sign: (input) => change(pair.sign(input)) }))
  const word = (n: number) => Buffer.from(n.toString(16).padStart(64, '0'), 'hex')
  const pairs = [word(0), word(1), order, Buffer.alloc(32, 255)]
  return [
    ...pairs.flatMap((r) =>
      pairs.map((s) =>
        signed(`r ${r.subarray(-2).toString('hex')} and s ${s.subarray(-2).toString('hex')}`, () =>
          Buffer.concat([r, s]),
        ),
      ),
    ),
    signed('s is zero', (signature) => Buffer.concat([signature.subarray(0, 32), word(0)])),
    signed('r is zero', (signature) => Buffer.concat([word(0), signature.subarray(32)])),
    signed('r and s swapped', (signature) => Buffer.concat([signature.subarray(32), signature.subarray(0, 32)])),
    signed('DER', (signature) => {
      const integer = (bytes: Buffer) => Buffer.concat([Buffer.from([2, 33, 0]), bytes])
      const both = Buffer.concat([integer(signature.subarray(0, 32)), integer(signature.subarray(32))])
      return Buffer.concat([Buffer.from([0x30, both.length]), both])
    }),
    ...['P-384', 'P-521', 'secp256k1'].map((namedCurve) => {
      const other = keyPair('ES256', pair.kid, generateKeyPairSync('ec', { namedCurve }))
      return refused(`ES256: a key of ${namedCurve}`, makeToken(other))
    }),
  ]
}

/** RS256 said and signed as PS256, and the other way round. */
function otherPaddingCases(pair: KeyPair): TokenCase[] {
  const other = keyPair(pair.alg === 'RS256' ? 'PS256' : 'RS256', pair.kid, pair)
  return [
    refused(`${pair.alg} said, ${other.alg} signed`, makeToken({ ...other, alg: pair.alg })),
    refused(`${other.alg} by a key that is published for ${pair.alg}`, makeToken(other)),
  ]
}

/** Signatures of the true key over a padding that is not quite the one of PKCS #1: what a lax verifier lets a forger make. */
function paddingCases({ privateKey, ...pair }: KeyPair): TokenCase[] {
  const raw = (block: Buffer) => privateEncrypt({ key: privateKey, padding: constants.RSA_NO_PADDING }, block)
  return Object.entries(paddings).map(([name, pad]) =>
    refused(
      `RS256: ${name}`,
      makeToken({ ...pair, sign: (input) => raw(pad(createHash('sha256').update(input).digest())) }),
    ),
  )
}

const sha256 = Buffer.from('3031300d060960864801650304020105000420', 'hex')
const filled = (tail: Buffer, { type = 1, fill = 255, gap = Buffer.from([0]) } = {}) =>
  Buffer.concat([Buffer.from([0, type]), Buffer.alloc(256 - 2 - gap.length - tail.length, fill), gap, tail])
/** What a signer does. */
export const pkcs1 = (hash: Buffer) => filled(Buffer.concat([sha256, hash]))

const paddings: Readonly<Record<string, (hash: Buffer) => Buffer>> = {
  'block type 2': (hash) => filled(Buffer.concat([sha256, hash]), { type: 2 }),
  'block type 0': (hash) => filled(Buffer.concat([sha256, hash]), { type: 0, fill: 0 }),
  'a byte of the padding is not ff': (hash) => {
    const block = pkcs1(hash)
    block[10] = 0xfe
    return block
  },
  'no zero behind the padding': (hash) => filled(Buffer.concat([sha256, hash]), { gap: Buffer.from([255]) }),
  'garbage behind the hash': (hash) =>
    Buffer.concat([Buffer.from('0001ffffffffffffffffffff00', 'hex'), sha256, hash, Buffer.alloc(192, 7)]),
  'the hash without its name': (hash) => filled(hash),
  'the name without its NULL': (hash) =>
    filled(Buffer.concat([Buffer.from('302f300b0609608648016503040201', 'hex'), Buffer.from('0420', 'hex'), hash])),
  'the name of another hash': (hash) =>
    filled(Buffer.concat([Buffer.from('3031300d060960864801650304020305000420', 'hex'), hash])),
}
