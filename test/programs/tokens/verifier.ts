import { inLanes } from '../../support/lanes.ts'
import { startServer } from '../../support/server.ts'
import { temporaryFolder } from '../../support/temporary.ts'
import { startWorker } from '../../support/worker.ts'
import type { TokenCase } from './cases.ts'
import { canary } from './keys.ts'

/** A server that verifies tokens. */
export interface Verifier {
  readonly url: string
  /** Everything that it has written so far. */
  log(): string
  close(): Promise<unknown>
}

export const verifierKinds = ['Node', 'workerd'] as const

export async function startVerifier(
  kind: (typeof verifierKinds)[number],
  env: Record<string, string>,
): Promise<Verifier> {
  if (kind === 'workerd') {
    const worker = await startWorker(env)
    return { url: worker.url.origin, log: () => JSON.stringify(worker.getLogs()), close: () => worker.close() }
  }
  const { folder, drop } = await temporaryFolder()
  const server = await startServer({ DATABASE_URL: `file:${folder}/a.db`, ...env })
  return { url: server.url, log: server.output, close: () => server.stop().then(drop) }
}

/**
 * Sends each token to a pull, and each fifth that must be refused also as the subprotocol of a live
 * connection. Gives whatever was answered against the table, or told of a token.
 */
export async function findTokenBreaches({ url, log }: Verifier, cases: readonly TokenCase[]): Promise<string[]> {
  const found = await inLanes(cases, async ({ name, token, taken }, n) => {
    const ways: Record<string, string>[] = [{ Authorization: `Bearer ${token}` }]
    if (n % 5 === 0 && !taken && /^[^ ,]*$/.test(token))
      ways.push({ Accept: 'text/event-stream', 'Sec-WebSocket-Protocol': `driftline, bearer.${token}` })
    const breaches: string[] = []
    for (const headers of ways) {
      const answer = await fetch(`${url}/v1/${headers.Accept ? 'live' : 'pull'}`, { headers })
      const text = await answer.text()
      if (answer.status !== (taken ? 200 : 401)) breaches.push(`${name}: ${answer.status} ${text}`)
      if (taken) continue
      if (!/^Bearer realm/.test(answer.headers.get('www-authenticate') ?? '')) breaches.push(`${name}: no scheme`)
      if (tellsOf(token, text + JSON.stringify([...answer.headers]))) breaches.push(`${name}: told of it: ${text}`)
    }
    return breaches
  })
  const written = log()
  const logged = cases.filter(({ token }) => tellsOf(token, written)).map(({ name }) => `${name}: logged`)
  return [...found.flat(), ...logged]
}

/** Whether a text holds a part of a token, or what stands in all of them. */
const tellsOf = (token: string, text: string) =>
  [canary, ...token.split(/[.\s]+/).filter((part) => part.length > 12)].some((part) => text.includes(part))
