import { refused, type TokenCase, taken } from './cases.ts'
import { canary, claimsOf, inAnHour, makeToken, type Signer } from './keys.ts'

/**
 * What no scope can be named, and so neither a `sub`: it would be left out, and another scope be
 * the first.
 */
const oddNames = [
  '\u0000',
  'a\u0000b',
  'a\u001f',
  '\u007f',
  '\u0085',
  '\n',
  '\ud800',
  `a\udc00`,
  'x'.repeat(129),
  '😀'.repeat(129),
]
const goodNames = [' ', 'x'.repeat(128), '😀'.repeat(128), '../../..', 'CN=Ana,DC=example', '\u00a0', '*']

/** The claim `scopes`, where a secret signs and no setting names another one. */
export function scopesCases(signer: Signer): TokenCase[] {
  const withScopes = (scopes: unknown) => makeToken(signer, claimsOf({ scopes }))
  const say = (value: unknown) => JSON.stringify(value)
  return [
    ...['alice', 1, true, { id: canary }, null].map((scopes) => refused(`scopes ${say(scopes)}`, withScopes(scopes))),
    ...[1, null, [canary], {}, { id: 1 }, { id: canary, access: 'admin' }, { id: canary, access: null }].map((scope) =>
      refused(`scopes [${say(scope)}]`, withScopes([canary, scope])),
    ),
    ...['', ...oddNames].flatMap((name) => [
      refused(`scopes [${say(name)}]`, withScopes([name])),
      refused(`scopes [${say({ id: name })}]`, withScopes(['team', { id: name, access: 'read' }, 'news'])),
    ]),
    taken('good names of scopes', withScopes(goodNames)),
    taken('permissions of OAuth', withScopes(['*', 'read-orders'])),
    taken('a scope twice', withScopes([canary, { id: canary, access: 'read' }])),
    taken('no scopes', withScopes([])),
  ]
}

/** Claims that are signed as they should be, and are not what they should be. */
export function claimCases(signer: Signer): TokenCase[] {
  const now = Math.floor(Date.now() / 1000)
  const withClaims = (more: object) => makeToken(signer, claimsOf(more))
  const odd = [null, true, String(inAnHour()), [inAnHour()], { at: inAnHour() }, new Date(now * 1000 + 3_600_000)]
  const say = (value: unknown) => JSON.stringify(value) ?? 'missing'
  return [
    ...odd.flatMap((value) => [
      refused(`exp ${say(value)}`, withClaims({ exp: value })),
      refused(`nbf ${say(value)}`, withClaims({ nbf: value })),
      refused(`iat ${say(value)}`, withClaims({ iat: value })),
    ]),
    ...[undefined, 0, -1, -1e308, now - 31, now - 30.5, 1e-300].map((exp) =>
      refused(`exp ${say(exp)}`, withClaims({ exp })),
    ),
    refused('exp -0', makeToken(signer, `{"sub":"${canary}","exp":-0}`)),
    refused('exp -1e999', makeToken(signer, `{"sub":"${canary}","exp":-1e999}`)),
    ...[now + 3_600.5, 2 ** 53, 1e308].map((exp) => taken(`exp ${exp}`, withClaims({ exp }))),
    taken('exp within the leeway', withClaims({ exp: now - 5 })),
    ...[now + 3_600, 1e308, 2 ** 53].map((nbf) => refused(`nbf ${nbf}`, withClaims({ nbf }))),
    taken('nbf before', withClaims({ nbf: now - 3_600.5, iat: 0 })),

    ...[undefined, null, '', 1, true, [canary], { id: canary }].map((sub) =>
      refused(`sub ${say(sub)}`, withClaims({ sub })),
    ),
    ...oddNames.map((sub) => refused(`sub ${say(sub)}`, withClaims({ sub }))),
    ...goodNames.map((sub) => taken(`sub ${say(sub)}`, withClaims({ sub }))),
    taken('unknown claims', withClaims({ iss: canary, aud: [canary], jti: 1, __proto__: null, admin: true })),

    // Of two members the last counts, which RFC 7519 allows where the text is not refused.
    taken('sub twice', makeToken(signer, `{"sub":1,"sub":"${canary}","exp":${inAnHour()}}`)),
    refused('sub twice, the last one a number', makeToken(signer, `{"sub":"${canary}","sub":1,"exp":${inAnHour()}}`)),
    refused('exp twice, the last one past', makeToken(signer, `{"sub":"${canary}","exp":${inAnHour()},"exp":1}`)),
    refused('sub by __proto__', makeToken(signer, `{"__proto__":{"sub":"${canary}"},"exp":${inAnHour()}}`)),
    refused('exp by __proto__', makeToken(signer, `{"sub":"${canary}","__proto__":{"exp":${inAnHour()}}}`)),

    ...['', '[]', '"x"', 'null', '1', '{', '{}', 'foo', `{"sub":"${canary}"`].map((text) =>
      refused(`the claims ${text}`, makeToken(signer, text)),
    ),
    refused('claims in UTF-16', makeToken(signer, Buffer.from(JSON.stringify(claimsOf()), 'utf16le'))),
    refused(
      'claims that are no UTF-8',
      makeToken(
        signer,
        Buffer.concat([Buffer.from('{"sub":"'), Buffer.from([0xff]), Buffer.from(`","exp":${inAnHour()}}`)]),
      ),
    ),
  ]
}
