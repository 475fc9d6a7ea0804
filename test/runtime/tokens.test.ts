import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { claimCases, scopesCases } from '../programs/tokens/claims.ts'
import { forgedKeyCases, forgedSecretCases } from '../programs/tokens/forged.ts'
import { formCases } from '../programs/tokens/form.ts'
import { issuer, type KeySet, publishKeys } from '../programs/tokens/key-set.ts'
import { ourSecret } from '../programs/tokens/keys.ts'
import { findTokenBreaches, startVerifier, type Verifier, verifierKinds } from '../programs/tokens/verifier.ts'

describe.each(verifierKinds)('tokens in %s', (kind) => {
  let keySet: KeySet
  let bySecret: Verifier
  let byKeys: Verifier
  beforeAll(async () => {
    keySet = await publishKeys()
    ;[bySecret, byKeys] = await Promise.all([
      startVerifier(kind, {}),
      startVerifier(kind, { AUTH_SECRET: '', AUTH_JWKS_URL: keySet.url }),
    ])
  })
  afterAll(() => Promise.all([bySecret.close(), byKeys.close()]).then(() => keySet.close()))

  it('P11 takes what is signed with its secret, and nothing that is forged, torn or no token', async () => {
    const cases = [
      ...formCases(ourSecret),
      ...claimCases(ourSecret),
      ...scopesCases(ourSecret),
      ...forgedSecretCases(ourSecret),
    ]
    expect(cases.length).toBeGreaterThan(100)
    expect(await findTokenBreaches(bySecret, cases)).toEqual([])
  })

  it.each(issuer)('P11 takes what is signed by $alg with a published key, and nothing that is forged', async (pair) => {
    // Form and claims are a matter of one algorithm: they are read in the same way for all.
    const common = pair.alg === 'ES256' ? [...formCases(pair), ...claimCases(pair)] : formCases(pair).slice(0, 20)
    expect(await findTokenBreaches(byKeys, [...common, ...forgedKeyCases(pair)])).toEqual([])
    expect(byKeys.log()).not.toMatch(/"level\W+error/)
  })

  it('P11 takes nothing by a key that is weak, broken, or published for something else', async () => {
    expect(await findTokenBreaches(byKeys, keySet.cases)).toEqual([])
    // Whoever runs the server is told why all tokens of their issuer are refused.
    expect(byKeys.log()).toMatch(/"where\W+key of the issuer/)
  })
})
