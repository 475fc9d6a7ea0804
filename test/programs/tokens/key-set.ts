import { createHash, generateKeyPairSync, type JsonWebKey } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { refused, type TokenCase, taken } from './cases.ts'
import { type KeyPair, keyPair, makeToken } from './keys.ts'
import { pkcs1 } from './signatures.ts'

/** One published key for each algorithm. */
export const issuer: readonly KeyPair[] = ['RS256', 'PS256', 'ES256', 'EdDSA'].map((alg) => keyPair(alg))

/** A key that is published wrongly, and a token that its owner signs with it. */
interface OddKey extends TokenCase {
  readonly jwks: readonly JsonWebKey[]
}

const oddKey = (name: string, pair: KeyPair, jwk: object, isTaken = false): OddKey => ({
  ...(isTaken ? taken : refused)(`the key ${name}`, makeToken(pair)),
  jwks: [{ ...pair.jwk, ...jwk }],
})

/**
 * The classes of Wycheproof's vectors for JWK, and others of their kind. Each key has a `kid` of
 * its own.
 */
function oddKeys(): OddKey[] {
  const rsa = (kid: string) => keyPair('RS256', kid, issuer[0])
  const ec = (kid: string) => keyPair('ES256', kid, issuer[2])
  const weak = keyPair('RS256', 'weak', generateKeyPairSync('rsa', { modulusLength: 1024 }))
  /** Whoever knows the padding signs: to the power of 1 it stays what it is. */
  const byAnybody = (kid: string) => ({
    ...rsa(kid),
    sign: (input: Buffer) => pkcs1(createHash('sha256').update(input).digest()),
  })
  const elsewhere = (namedCurve: string) =>
    keyPair('ES256', `on-${namedCurve}`, generateKeyPairSync('ec', { namedCurve }))
  const twice = ['RS256', 'ES256'].map((alg) => [keyPair(alg, `twice-${alg}`), keyPair(alg, `twice-${alg}`)] as const)
  const y = Buffer.from(String(issuer[2]?.jwk.y), 'base64url')
  y[31] = (y[31] ?? 0) ^ 1
  return [
    oddKey('without alg', rsa('no-alg'), { alg: undefined }, true),
    oddKey('without use', ec('no-use'), { use: undefined }, true),
    oddKey('with key_ops verify', ec('verify'), { use: undefined, key_ops: ['verify'] }, true),
    oddKey('of 1024 bits', weak, {}),
    ...['AQ', 'AAE', 'AAAB', 'AQ==', 'AR'].map((e) =>
      oddKey(`with the exponent 1 as ${e}`, byAnybody(`e-${e}`), { e }),
    ),
    oddKey('with the exponent 0', rsa('e-is-zero'), { e: 'AA' }),
    oddKey('without an exponent', rsa('no-e'), { e: undefined }),
    oddKey('without a modulus', rsa('no-n'), { n: undefined }),
    oddKey('with an empty modulus', rsa('empty-n'), { n: '' }),
    oddKey('for encryption', rsa('enc'), { use: 'enc' }),
    oddKey('for RSA1_5', rsa('rsa15'), { alg: 'RSA1_5', use: 'enc' }),
    oddKey('for RS512', rsa('rs512'), { alg: 'RS512' }),
    oddKey('for PS256', rsa('ps256'), { alg: 'PS256' }),
    oddKey('for ES521', ec('es521'), { alg: 'ES521' }),
    oddKey('for ES224', ec('es224'), { alg: 'ES224' }),
    oddKey('with use: 1', ec('use-1'), { use: 1 }),
    oddKey('with key_ops sign', ec('sign'), { key_ops: ['sign'] }),
    oddKey('with key_ops encrypt', rsa('encrypt'), { key_ops: ['encrypt'] }),
    oddKey('with key_ops as text', ec('ops-text'), { key_ops: 'verify' }),
    oddKey('not on its curve', ec('off-curve'), { y: y.toString('base64url') }),
    oddKey('of another curve than it says', ec('says-384'), { crv: 'P-384' }),
    oddKey('of another kind than it says', ec('says-rsa'), { kty: 'RSA' }),
    oddKey('with a coordinate too short', ec('short'), { x: 'AAAA' }),
    oddKey('of P-384 for ES256', elsewhere('P-384'), {}),
    oddKey('of secp256k1 for ES256', elsewhere('secp256k1'), {}),
    oddKey('with its private part', ec('private'), issuer[2]?.privateKey.export({ format: 'jwk' }) ?? {}),
    oddKey('as a secret', rsa('oct'), { kty: 'oct', k: 'AAAA', alg: 'HS256' }),
    oddKey('of no kind', ec('no-kty'), { kty: undefined }),
    ...twice.map(([first, second]) => ({
      ...refused(`the kid of two keys, ${first.alg}`, makeToken(first)),
      jwks: [first.jwk, second.jwk],
    })),
  ]
}

export interface KeySet {
  readonly url: string
  /** Tokens that are signed with the keys that are published wrongly. */
  readonly cases: readonly TokenCase[]
  close(): Promise<void>
}

/** Publishes all of them on this machine. */
export async function publishKeys(): Promise<KeySet> {
  const odd = oddKeys()
  const keys = [...issuer.map(({ jwk }) => jwk), ...odd.flatMap(({ jwks }) => jwks)]
  const server = createServer((_, response) => {
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify({ keys }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys.json`,
    cases: odd.map(({ name, token, taken }) => ({ name, token, taken })),
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
