import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { inLanes } from '../support/lanes.ts'
import { startServer } from '../support/server.ts'
import { temporaryFolder } from '../support/stores.ts'
import { startWorker } from '../support/worker.ts'
import type { TokenCase } from '../tokens/cases.ts'
import { claimCases } from '../tokens/claims.ts'
import { forgedKeyCases, forgedSecretCases } from '../tokens/forged.ts'
import { formCases } from '../tokens/form.ts'
import { issuer, type KeySet, publishKeys } from '../tokens/key-set.ts'
import { canary, ourSecret } from '../tokens/keys.ts'

interface Verifier {
  readonly url: string
  log(): string
  close(): Promise<unknown>
}

const kinds = ['Node', 'workerd'] as const

async function start(kind: (typeof kinds)[number], env: Record<string, string>): Promise<Verifier> {
  if (kind === 'workerd') {
    const worker = await startWorker(env)
    return { url: worker.url.origin, log: () => JSON.stringify(worker.getLogs()), close: () => worker.close() }
  }
  const { folder, drop } = await temporaryFolder()
  const server = await startServer({ DATABASE_URL: `file:${folder}/a.db`, ...env })
  return { url: server.url, log: server.output, close: () => server.stop().then(drop) }
}

describe.each(kinds)('tokens in %s', (kind) => {
  let keySet: KeySet
  let bySecret: Verifier
  let byKeys: Verifier
  beforeAll(async () => {
    keySet = await publishKeys()
    ;[bySecret, byKeys] = await Promise.all([
      start(kind, {}),
      start(kind, { AUTH_SECRET: '', AUTH_JWKS_URL: keySet.url }),
    ])
  })
  afterAll(() => Promise.all([bySecret.close(), byKeys.close()]).then(() => keySet.close()))

  /** Sends each to a pull, and each fifth that is refused also as the subprotocol of a live connection. */
  async function checkAll({ url, log }: Verifier, cases: readonly TokenCase[]): Promise<void> {
    const answers = await inLanes(cases, async ({ token, taken }, n) => {
      const ways: Record<string, string>[] = [{ Authorization: `Bearer ${token}` }]
      if (n % 5 === 0 && !taken && /^[^ ,]*$/.test(token))
        ways.push({ Accept: 'text/event-stream', 'Sec-WebSocket-Protocol': `driftline, bearer.${token}` })
      const wrong: string[] = []
      for (const headers of ways) {
        const answer = await fetch(`${url}/v1/${headers.Accept ? 'live' : 'pull'}`, { headers })
        const text = await answer.text()
        if (answer.status !== (taken ? 200 : 401)) wrong.push(`${answer.status} ${text}`)
        if (taken) continue
        if (!/^Bearer realm/.test(answer.headers.get('www-authenticate') ?? '')) wrong.push('names no scheme')
        if (tellsOf(token, text + JSON.stringify([...answer.headers]))) wrong.push(`tells of the token: ${text}`)
      }
      return wrong
    })
    expect(cases.flatMap(({ name }, n) => (answers[n] ?? []).map((wrong) => `${name}: ${wrong}`))).toEqual([])
    const written = log()
    expect(cases.filter(({ token }) => tellsOf(token, written))).toEqual([])
  }

  it('P11 takes what is signed with its secret, and nothing that is forged, torn or no token', async () => {
    const cases = [...formCases(ourSecret), ...claimCases(ourSecret), ...forgedSecretCases(ourSecret)]
    expect(cases.length).toBeGreaterThan(100)
    await checkAll(bySecret, cases)
  })

  it.each(issuer)('P11 takes what is signed by $alg with a published key, and nothing that is forged', async (pair) => {
    // Form and claims are a matter of one algorithm: they are read in the same way for all.
    const common = pair.alg === 'ES256' ? [...formCases(pair), ...claimCases(pair)] : formCases(pair).slice(0, 20)
    await checkAll(byKeys, [...common, ...forgedKeyCases(pair)])
    expect(byKeys.log()).not.toMatch(/"level\W+error/)
  })

  it('P11 takes nothing by a key that is weak, broken, or published for something else', async () => {
    await checkAll(byKeys, keySet.cases)
    // Whoever runs the server is told why all tokens of their issuer are refused.
    expect(byKeys.log()).toMatch(/"where\W+key of the issuer/)
  })
})

/** Whether a text holds a part of a token, or what stands in all of them. */
const tellsOf = (token: string, text: string) =>
  [canary, ...token.split(/[.\s]+/).filter((part) => part.length > 12)].some((part) => text.includes(part))
