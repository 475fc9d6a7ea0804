import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { signToken } from '../../src/runtime/sign-token.ts'
import { as, del, patch, put, statuses, takeAll } from '../support/requests.ts'
import { type Runtime, runtimes } from '../support/runtimes.ts'
import { request, testSecret } from '../support/server.ts'
import { Replica, readLines } from '../support/streams.ts'

describe('everywhere it runs', () => {
  const started = new Map<string, Runtime>()
  const answers = new Map<string, readonly string[]>()
  beforeAll(async () => {
    for (const [name, start] of Object.entries(runtimes)) started.set(name, await start())
  })
  afterAll(() => Promise.all([...started.values()].map((runtime) => runtime.close())))
  const urlOf = (name: string) => started.get(name)?.url ?? ''

  it.each(Object.keys(runtimes))('%s takes every kind of request', async (name) => {
    answers.set(name, await takeAll(urlOf(name)))
  })

  it('P7 and all gave the same statuses, verdicts and bytes', () => {
    const [first = [], ...others] = [...answers.values()]
    expect(others).toHaveLength(Object.keys(runtimes).length - 1)
    expect(first.map((answer) => answer.slice(0, 3)).join(' ')).toBe(statuses)
    for (const other of others) for (const [place, answer] of other.entries()) expect(answer).toBe(first[place])
  })

  it.each(Object.keys(runtimes))('P11 %s keeps users apart whose requests are interleaved', async (name) => {
    const users = Array.from({ length: 6 }, (_, n) => `user-${n}`)
    const rounds = Array.from({ length: 4 }, (_, n) => n)
    await Promise.all(
      rounds.flatMap((round) =>
        users.map(async (sub) => {
          const changes = [put(`${sub}-${round}`, round, { title: `canary of ${sub}` })]
          const pushed = await request(urlOf(name), 'POST', '/v1/sync', {
            sub,
            body: { client: sub, cursor: null, changes },
          })
          expect([pushed.status, pushed.json?.verdicts?.[0]?.verdict], pushed.text).toEqual([200, 'applied'])
          const named: string[] = pushed.text.match(/user-\d/g) ?? []
          expect(named.filter((other) => other !== sub)).toEqual([])
        }),
      ),
    )
    for (const sub of users) {
      const { json } = await request(urlOf(name), 'GET', '/v1/pull', { sub })
      expect(json.changes.map(({ id }: { id: string }) => id).sort()).toEqual(rounds.map((round) => `${sub}-${round}`))
    }
  })
  it.each(Object.keys(runtimes).flatMap((name) => [[name, 'identity'] as const, [name, 'gzip'] as const]))(
    'P1 P3 P8 %s, %s: a stream with writes between its pages and the next pull give what the database holds',
    async (name, encoding) => {
      const sub = `streams-${encoding}`
      const push = (changes: object[]) =>
        request(urlOf(name), 'POST', '/v1/push', { sub, body: { client: 'a', changes } })
      await push(Array.from({ length: 200 }, (_, n) => put(`r${n}`, 0, { title: 'x' })))
      const stream = async (query: string) =>
        fetch(`${urlOf(name)}/v1/pull${query}`, {
          headers: {
            Authorization: `Bearer ${await signToken(testSecret, { sub })}`,
            ...as(encoding).headers,
          },
        })
      const replica = new Replica()
      let [cursor, round] = ['', 0]
      // Whatever the encoding, fetch has taken it off.
      for await (const line of readLines(await stream('?limit=40'), false)) {
        replica.take(line)
        if (line.cursor === undefined) continue
        cursor = line.cursor
        if (++round > 4) continue
        const at = 10 + round
        await push([
          del(`r${round}`, at),
          patch('r50', at, { notes: `${round}` }),
          put(`r${199 - round}`, at, { title: 'y' }),
        ])
      }
      for await (const line of readLines(await stream(`?cursor=${cursor}`), false)) replica.take(line)
      const { json } = await request(urlOf(name), 'GET', '/v1/pull?limit=1000', { sub })
      expect(json.changes).toHaveLength(196)
      expect(replica.rows()).toEqual(new Replica(json.changes).rows())
    },
  )
})
