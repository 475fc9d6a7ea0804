import { claimCases, scopesCases } from '../tokens/claims.ts'
import { forgedKeyCases, forgedSecretCases } from '../tokens/forged.ts'
import { formCases } from '../tokens/form.ts'
import { issuer, publishKeys } from '../tokens/key-set.ts'
import { ourSecret } from '../tokens/keys.ts'
import { findTokenBreaches, startVerifier, verifierKinds } from '../tokens/verifier.ts'

/**
 * Every case of every algorithm, to a server with a secret and to one with published keys, in both
 * runtimes.
 */
export async function tryTokens(): Promise<{ tried: number; breaches: readonly string[] }> {
  const keySet = await publishKeys()
  // Made just before they are sent: some are about to expire.
  const bySecret = () => [
    ...formCases(ourSecret),
    ...claimCases(ourSecret),
    ...scopesCases(ourSecret),
    ...forgedSecretCases(ourSecret),
  ]
  const byKeys = () => [
    ...issuer.flatMap((pair) => [...formCases(pair), ...claimCases(pair), ...forgedKeyCases(pair)]),
    ...keySet.cases,
  ]
  const breaches: string[] = []
  let tried = 0
  try {
    for (const kind of verifierKinds) {
      const tries = [
        [{}, bySecret],
        [{ AUTH_SECRET: '', AUTH_JWKS_URL: keySet.url }, byKeys],
      ] as const
      for (const [env, makeCases] of tries) {
        const verifier = await startVerifier(kind, env)
        const cases = makeCases()
        tried += cases.length
        breaches.push(...(await findTokenBreaches(verifier, cases)).map((breach) => `${kind}: ${breach}`))
        await verifier.close()
      }
    }
  } finally {
    await keySet.close()
  }
  return { tried, breaches }
}
