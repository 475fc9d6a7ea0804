import { constants, createHash, generateKeyPairSync, privateEncrypt } from 'node:crypto'
import { refused, type TokenCase } from './cases.ts'
import { type KeyPair, keyPair, makeToken } from './keys.ts'

/** The order of P-256. */
const order = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex')

export function ellipticCases(pair: KeyPair): TokenCase[] {
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
export function otherPaddingCases(pair: KeyPair): TokenCase[] {
  const other = keyPair(pair.alg === 'RS256' ? 'PS256' : 'RS256', pair.kid, pair)
  return [
    refused(`${pair.alg} said, ${other.alg} signed`, makeToken({ ...other, alg: pair.alg })),
    refused(`${other.alg} by a key that is published for ${pair.alg}`, makeToken(other)),
  ]
}

/**
 * Signatures of the true key over a padding that is not quite the one of PKCS #1: what a lax
 * verifier lets a forger make.
 */
export function paddingCases({ privateKey, ...pair }: KeyPair): TokenCase[] {
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
