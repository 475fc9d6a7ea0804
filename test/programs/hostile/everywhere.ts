import { inLanes } from '../../support/lanes.ts'
import { plain } from '../../support/plain.ts'
import { type Answer, request } from '../../support/server.ts'
import { type Hostile, put } from './requests.ts'

/** A server that hostile requests are sent to. */
export interface Target {
  readonly name: string
  readonly url: string
}

/** Stands in every row of a scope that no hostile request may read. */
export const canary = 'canary-of-another-scope'

export interface Outcome {
  /** Of the first target, in the order of the requests. */
  readonly answers: readonly Answer[]
  /**
   * Whatever is against a promise: a 5xx, a byte of the other scope (P11), an answer that is
   * another elsewhere (P7).
   */
  readonly breaches: readonly string[]
}

/**
 * Sends the requests to every target, and holds the answers against the promises and against each
 * other.
 */
export async function askEverywhere(targets: readonly Target[], requests: readonly Hostile[]): Promise<Outcome> {
  const all = await Promise.all(targets.map(({ url }) => inLanes(requests, (one) => request(url, ...one))))
  const breaches: string[] = []
  for (const [n, one] of requests.entries()) {
    const [method, path, options] = one
    const what = `${method} ${path} ${JSON.stringify(options).slice(0, 500)}`
    const first = all[0]?.[n]
    for (const [place, { name }] of targets.entries()) {
      const answer = all[place]?.[n] as Answer
      const said = `${name}: ${what}: ${answer.status} ${answer.text.slice(0, 300)}`
      if (answer.status >= 500) breaches.push(`a 5xx from ${said}`)
      if (answer.text.includes(canary)) breaches.push(`another scope's row from ${said}`)
      if (first && plain(answer) !== plain(first)) breaches.push(`another answer from ${said}`)
    }
  }
  return { answers: all[0] ?? [], breaches }
}

/** Writes rows with the canary into a scope of another. */
export async function writeCanaries(targets: readonly Target[]): Promise<void> {
  const changes = ['a', 'b', 'c'].map((id) => put(id, { title: canary, notes: canary }))
  for (const { name, url } of targets) {
    const { status } = await request(url, 'POST', '/v1/push', { sub: 'owner', body: { client: 'o', changes } })
    if (status !== 200) throw new Error(`${name} does not take the rows of the other scope: ${status}`)
  }
}

/**
 * The other scope's rows as they are now, with their positions: each must still be as it was
 * written.
 */
export async function readCanaries({ url }: Target): Promise<unknown[]> {
  const { json } = await request(url, 'GET', '/v1/pull', { sub: 'owner' })
  return json.changes.map(({ id, position, row }: { id: string; position: number; row: Record<string, unknown> }) => [
    id,
    position,
    row.title,
    row.notes,
  ])
}
export const untouched = ['a', 'b', 'c'].map((id, n) => [id, n + 1, canary, canary])
