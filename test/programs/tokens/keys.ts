import { constants, createHmac, generateKeyPairSync, type JsonWebKey, type KeyObject, sign } from 'node:crypto'
import { testSecret } from '../../support/server.ts'

/** Somebody who can sign: an issuer's key, or a forger's. */
export interface Signer {
  readonly alg: string
  readonly kid: string
  sign(input: Buffer): Buffer
}

export interface KeyPair extends Signer {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  /** As it is published. */
  readonly jwk: JsonWebKey
}

/**
 * How each algorithm of public keys signs, by Node's own crypto: another implementation than the
 * one that verifies.
 */
const ways: Readonly<Record<string, (input: Buffer, key: KeyObject) => Buffer>> = {
  RS: (input, key) => sign('sha256', input, key),
  PS: (input, key) => sign('sha256', input, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }),
  ES: (input, key) => sign('sha256', input, { key, dsaEncoding: 'ieee-p1363' }),
  Ed: (input, key) => sign(null, input, key),
}

function makePair(alg: string): { privateKey: KeyObject; publicKey: KeyObject } {
  if (alg.startsWith('ES')) return generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return alg.startsWith('Ed') ? generateKeyPairSync('ed25519') : generateKeyPairSync('rsa', { modulusLength: 2048 })
}

export function keyPair(alg: string, kid = alg, { privateKey, publicKey } = makePair(alg)): KeyPair {
  const way = ways[alg.slice(0, 2)]
  if (!way) throw new TypeError(`The tests do not sign by ${alg}`)
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' }
  return { alg, kid, privateKey, publicKey, jwk, sign: (input) => way(input, privateKey) }
}

/** Signs as whoever knows this for the secret. */
export const hmacSigner = (secret: string | Buffer, alg = 'HS256'): Signer => ({
  alg,
  kid: alg,
  sign: (input) =>
    createHmac(`sha${alg.slice(2)}`, secret)
      .update(input)
      .digest(),
})

export const ourSecret = hmacSigner(testSecret)

/** A text that stands in every token, and so must stand in no answer and no log. */
export const canary = 'token-canary'

const hour = 3_600
export const inAnHour = () => Math.floor(Date.now() / 1000) + hour

export const claimsOf = (more: object = {}) => ({ sub: canary, exp: inAnHour(), ...more })

const encode = (part: string | object | Buffer) =>
  Buffer.from(typeof part === 'string' || Buffer.isBuffer(part) ? part : JSON.stringify(part)).toString('base64url')

export const headerOf = ({ alg, kid }: Signer) => ({ alg, kid })

/** A token; header and claims may be any text. */
export function makeToken(
  signer: Signer,
  claims: string | object | Buffer = claimsOf(),
  header: string | object | Buffer = headerOf(signer),
): string {
  const input = `${encode(header)}.${encode(claims)}`
  return `${input}.${signer.sign(Buffer.from(input)).toString('base64url')}`
}
