import { refused, type TokenCase, taken } from './cases.ts'
import { canary, claimsOf, headerOf, makeToken, type Signer } from './keys.ts'

/**
 * What can be wrong with a token whatever its algorithm: its three parts, their encoding and its
 * header. The classes are those of Wycheproof's vectors for JWS, with keys of our own.
 */
export function formCases(signer: Signer): TokenCase[] {
  const valid = makeToken(signer)
  const [header = '', claims = '', signature = ''] = valid.split('.')
  const { alg, kid } = signer
  const bytes = Buffer.from(signature, 'base64url')
  const flipped = Buffer.from(bytes)
  flipped[0] = (flipped[0] ?? 0) ^ 1
  const parts = (...some: (string | Buffer)[]) =>
    some.map((part) => (typeof part === 'string' ? part : part.toString('base64url'))).join('.')
  const withHeader = (more: object) => makeToken(signer, claimsOf(), { ...headerOf(signer), ...more })
  const mallory = Buffer.from(JSON.stringify(claimsOf({ sub: 'mallory' })))
  const asJson = JSON.stringify({ payload: claims, signatures: [{ protected: header, signature }] })

  return [
    taken('valid', valid),
    taken('an unknown member of the header', withHeader({ extra: canary })),
    taken('another typ', withHeader({ typ: 'at+jwt', cty: canary })),

    refused('one bit of the signature', parts(header, claims, flipped)),
    refused('no signature', parts(header, claims, '')),
    refused('a signature too short', parts(header, claims, bytes.subarray(0, -1))),
    refused('a signature too long', parts(header, claims, Buffer.concat([bytes, Buffer.from([0])]))),
    refused('a zero before the signature', parts(header, claims, Buffer.concat([Buffer.from([0]), bytes]))),
    refused('a signature of zeros', parts(header, claims, Buffer.alloc(bytes.length))),
    refused('a signature of ones', parts(header, claims, Buffer.alloc(bytes.length, 255))),
    refused('the signature twice', parts(header, claims, Buffer.concat([bytes, bytes]))),
    refused("another token's signature", parts(header, mallory, signature)),
    refused("another token's header", parts(Buffer.from(JSON.stringify({ alg, kid, a: 1 })), claims, signature)),

    refused('no claims', parts(header, '', signature)),
    refused('no header', parts('', claims, signature)),
    refused('the claims alone', parts('', claims, '')),
    refused('dots alone', '..'),
    refused('two parts', parts(header, claims)),
    refused('one part', claims),
    refused('four parts', parts(header, claims, signature, signature)),
    refused('an empty fourth part', `${valid}.`),
    refused('an empty part before', `.${valid}`),
    refused('five parts, as an encrypted token has', parts(header, '', claims, claims, signature)),
    refused('the JSON serialization', asJson),
    refused('the flattened JSON serialization', JSON.stringify({ payload: claims, protected: header, signature })),
    refused('quotes around it', `"${valid}"`),
    refused('Bearer twice', `Bearer ${valid}`),
    refused('a comma and another', `${valid}, ${valid}`),

    ...[header, claims, signature].flatMap((part, place) => {
      const name = ['header', 'claims', 'signature'][place]
      const put = (text: string) => [header, claims, signature].map((one, n) => (n === place ? text : one)).join('.')
      return [
        refused(`padding behind the ${name}`, put(`${part}=`)),
        refused(`much padding behind the ${name}`, put(`${part}==`)),
        refused(`base64 and not base64url in the ${name}`, put(`${part.slice(0, -2)}+/`)),
        refused(`a space in the ${name}`, put(`${part.slice(0, 4)} ${part.slice(4)}`)),
        refused(`a percent sign in the ${name}`, put(`${part.slice(0, 4)}%2e${part.slice(4)}`)),
        refused(`a character too many in the ${name}`, put(`${part}A`)),
        refused(`other bits behind the last byte of the ${name}`, put(withOtherBits(part))),
      ]
    }),

    ...[
      'none',
      'None',
      'NONE',
      'nOnE',
      'none ',
      '',
      'HS512',
      'RS1',
      'ES256K',
      'dir',
      'A256GCM',
      alg.toLowerCase(),
    ].flatMap((other) => {
      const otherHeader = Buffer.from(JSON.stringify({ alg: other, kid }))
      return [
        refused(`alg ${other} without a signature`, parts(otherHeader, claims, '')),
        refused(`alg ${other} with a signature`, makeToken(signer, claimsOf(), { alg: other, kid })),
      ]
    }),
    ...[undefined, null, 0, true, [alg], { alg }].map((other) =>
      refused(`alg ${JSON.stringify(other)}`, makeToken(signer, claimsOf(), { alg: other, kid })),
    ),
    refused('crit with an unknown name', withHeader({ crit: ['extra'], extra: 1 })),
    refused('crit with a name that is not there', withHeader({ crit: ['extra'] })),
    refused('crit empty', withHeader({ crit: [] })),
    refused('crit as text', withHeader({ crit: 'exp' })),
    refused('crit with a name of the standard', withHeader({ crit: ['alg'] })),
    refused('claims that are not encoded', withHeader({ b64: false, crit: ['b64'] })),
    refused('b64 as text', withHeader({ b64: 'false', crit: ['b64'] })),
    ...['[]', '"x"', '1', 'null', '{', '', `{"alg":"${alg}"`, '\ufeff{}', Buffer.from([0xff, 0xfe])].map((text) =>
      refused(`the header ${String(text)}`, makeToken(signer, claimsOf(), text)),
    ),
    refused('alg twice, none last', makeToken(signer, claimsOf(), `{"alg":"${alg}","kid":"${kid}","alg":"none"}`)),
  ]
}

/** Ends a part with a character that stands for the same bytes, which no encoder writes. */
function withOtherBits(part: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  // Where the bytes fill the last character too, a bit of theirs is changed instead.
  const last = alphabet.indexOf(part.at(-1) ?? 'A') ^ 1
  return part.slice(0, -1) + alphabet[last]
}
