import { signToken } from '../../../src/runtime/sign-token.ts'
import { testSecret } from '../../support/server.ts'
import { signedHeaders } from '../../support/webhook.ts'

/** What clients did through a bad network, and what they were told. */
export interface Played {
  /** Ids of rows whose change was acknowledged. */
  readonly applied: readonly string[]
  /** Ids of rows that were refused by a verdict: none of them may be stored. */
  readonly refused: readonly string[]
  /** Ids of rows that came by a webhook, each sent until it was answered, and then once more. */
  readonly hooked: readonly string[]
  /** Tries that brought no answer, or a 503. */
  readonly failures: number
  /** Whatever is against a promise. */
  readonly breaches: readonly string[]
}

export interface PlayOptions {
  /** Where the clients connect, such as a proxy. */
  readonly url: string
  /** Asked before each new change set; what is under way is sent until it is answered. */
  isOver(): boolean
  readonly writers?: number
  /** How long a client waits for an answer before it tries again, in milliseconds. */
  readonly answerMsMax?: number
}

type Verdicts = readonly { verdict: string; error?: { code: string } }[]

/**
 * Writers that push change sets and send webhooks, each again and again until it is answered, as a
 * phone's outbox does. Every change set holds one change that must be refused.
 */
export async function playWriters({ url, isOver, writers = 3, answerMsMax = 3_000 }: PlayOptions): Promise<Played> {
  const applied: string[] = []
  const refused: string[] = []
  const hooked: string[] = []
  const breaches: string[] = []
  let failures = 0
  const authorization = `Bearer ${await signToken(testSecret, { sub: 'alice' })}`

  /** The verdicts of the same request, sent until it is answered. */
  async function insist(path: string, headers: () => Record<string, string>, body: string): Promise<Verdicts> {
    for (;;) {
      try {
        const signal = AbortSignal.timeout(answerMsMax)
        const answer = await fetch(url + path, { method: 'POST', headers: headers(), body, signal })
        const text = await answer.text()
        if (answer.status === 200) return JSON.parse(text).verdicts
        // 400 where a fault cut the body itself short.
        if (answer.status !== 503 && answer.status !== 400) breaches.push(`${path} was answered with ${answer.status}`)
      } catch {}
      failures++
    }
  }

  async function push(writer: string, round: number): Promise<void> {
    const ids = Array.from({ length: 10 }, (_, n) => `${writer}-${round}-${n}`)
    const changes: object[] = ids.map((id) => ({ table: 'todos', op: 'put', id, at: stamp(), row: { title: id } }))
    const bad = `${writer}-${round}-bad`
    changes.splice(round % 11, 0, { table: 'todos', op: 'patch', id: bad, at: stamp(), row: { done: true } })
    const body = JSON.stringify({ client: writer, changes, return: 'lost' })
    const headers = () => ({ Authorization: authorization, 'Content-Type': 'application/json' })
    const verdicts = await insist('/v1/push', headers, body)
    const codes = verdicts.map(({ verdict, error }) => error?.code ?? verdict)
    // A try whose answer was lost may have been applied.
    const kept = codes.filter((code) => code === 'applied' || code === 'duplicate')
    if (kept.length !== ids.length || codes[round % 11] !== 'row_missing') breaches.push(`${writer}: ${codes.join()}`)
    applied.push(...ids)
    refused.push(bad)
  }

  async function hook(writer: string, round: number): Promise<void> {
    const id = `${writer}-${round}-hook`
    const body = JSON.stringify({ scope: 'alice', changes: [{ table: 'todos', op: 'put', id, row: { title: id } }] })
    for (let times = 0; times < 2; times++) {
      const [verdict] = await insist('/v1/webhooks/crm', () => signedHeaders(body, id), body)
      const text = JSON.stringify(verdict)
      if (text !== '{"verdict":"applied","action":"inserted"}') breaches.push(`the webhook ${id}: ${text}`)
    }
    hooked.push(id)
  }

  await Promise.all(
    Array.from({ length: writers }, async (_, n) => {
      for (let round = 0; !isOver(); round++) {
        await push(`w${n}`, round)
        if (round % 3 === 0) await hook(`w${n}`, round)
      }
    }),
  )
  return { applied, refused, hooked, failures, breaches }
}

/** Rising by one with each call: one process, many writers. */
let stamps = 0
const stamp = () => Date.now() * 1000 + (stamps++ % 1000)

/** A pull to its end from a server, straight. */
export type ReadRows = () => Promise<readonly { id: string; position: number }[]>

/**
 * What is against the promises once all is over: nothing acknowledged is missing, nothing refused
 * is stored.
 */
export async function findBreaches(played: Played, readRows: ReadRows): Promise<string[]> {
  const rows = new Map((await readRows()).map((row) => [row.id, row]))
  const missing = [...played.applied, ...played.hooked].filter((id) => !rows.has(id))
  const stored = played.refused.filter((id) => rows.has(id))
  return [
    ...played.breaches,
    ...missing.map((id) => `${id} was acknowledged and is missing`),
    ...stored.map((id) => `${id} was refused and is stored`),
  ]
}
