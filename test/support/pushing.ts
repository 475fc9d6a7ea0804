import type { Answer } from './server.ts'

/** What pushes are sent to. */
export interface Pushable {
  request(method: string, path: string, options?: object): Promise<Answer>
}

/** A put of a todo, stamped now. */
export const putNow = (id: string) => ({ table: 'todos', op: 'put', id, at: Date.now() * 1000, row: { title: id } })

/**
 * Pushes until told to stop; gives the ids that were acknowledged, and the statuses of the others.
 */
export function pushing(servers: readonly Pushable[], writer: string) {
  const acknowledged: string[] = []
  const refused = new Set<number>()
  let going = true
  const done = (async () => {
    for (let n = 0; going; n++) {
      const ids = Array.from({ length: 20 }, (_, k) => `${writer}-${n}-${k}`)
      const server = servers[n % servers.length] as Pushable
      const answer = await server
        .request('POST', '/v1/push', { body: { client: writer, changes: ids.map(putNow), return: 'lost' } })
        .catch(() => undefined)
      if (answer?.status === 200) acknowledged.push(...ids)
      else if (answer) refused.add(answer.status)
      if (answer?.status !== 200) await new Promise((resolve) => setTimeout(resolve, 20))
    }
  })()
  const stop = async () => {
    going = false
    await done
    return { acknowledged, refused }
  }
  return { acknowledged, stop }
}

/** Every id that a server hands out. */
export async function idsOf(server: Pushable): Promise<Set<string | undefined>> {
  const answer = await server.request('GET', '/v1/pull', { headers: { Accept: 'application/x-ndjson' } })
  const lines = answer.text.trim().split('\n')
  return new Set(lines.map((line) => JSON.parse(line).id))
}

export async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 5))
}
