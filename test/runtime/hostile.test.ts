import { randomInt } from 'node:crypto'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hostileTexts, jsonBodies, mutatedRequest } from '../support/hostile.ts'
import { inLanes } from '../support/lanes.ts'
import { plain } from '../support/plain.ts'
import { type Runtime, runtimes } from '../support/runtimes.ts'
import { type Answer, request } from '../support/server.ts'
import { signedHeaders } from '../support/webhook.ts'

type Hostile = readonly [method: string, path: string, options?: object]

const names = ['Node with libSQL in a file', 'Node with Postgres', 'workerd with Durable Objects'] as const
const seed = Number(process.env.SEED ?? randomInt(2 ** 31))
const canary = 'canary-of-another-scope'
const at = 1_700_000_000_000_000
const put = (id: string, row: object, more: object = {}) => ({ table: 'todos', op: 'put', id, at, row, ...more })
const sync = (sub: string, body: unknown): Hostile => ['POST', '/v1/sync', { sub, body }]
const webhook = (id: string, body: string): Hostile => [
  'POST',
  '/v1/webhooks/crm',
  { body, headers: signedHeaders(body, id) },
]

describe('hostile input', () => {
  const started: Runtime[] = []
  beforeAll(async () => {
    started.push(...(await Promise.all(names.map((name) => runtimes[name]!()))))
    for (const { url } of started) {
      const changes = ['a', 'b', 'c'].map((id) => put(id, { title: canary, notes: canary }))
      expect((await request(url, 'POST', '/v1/push', { sub: 'owner', body: { client: 'o', changes } })).status).toBe(
        200,
      )
    }
  })
  afterAll(() => Promise.all(started.map((runtime) => runtime.close())))

  /** The answers of the first runtime, once all have given the same and none a 5xx or a byte of the other scope. */
  async function everywhere(requests: readonly Hostile[]): Promise<Answer[]> {
    const all = await Promise.all(started.map(({ url }) => inLanes(requests, (one) => request(url, ...one))))
    const [first = [], ...others] = all
    for (const [n, answer] of first.entries()) {
      const [method, path, options] = requests[n] as Hostile
      const what = `${method} ${path} ${JSON.stringify(options).slice(0, 500)} ${answer.text.slice(0, 300)}`
      expect(answer.status, what).toBeLessThan(500)
      expect(answer.text, what).not.toContain(canary)
      for (const [other, answers] of others.entries())
        expect(plain(answers[n] as Answer), `${names[other + 1]}: ${what}`).toBe(plain(answer))
    }
    return first
  }

  it('P7 P11 P12 every naughty text comes back as it was sent, or is rejected alone', async () => {
    const rows = hostileTexts.map((text, n) => put(`n${n}`, { title: text, notes: text, list_id: text }))
    const [pushed] = await everywhere([sync('texts', { client: 'a', changes: rows, return: 'lost' })])
    const [pulled] = await everywhere([['GET', '/v1/pull?limit=5000', { sub: 'texts' }]])
    const stored = new Map<string, { row: object }>(
      pulled?.json.changes.map((change: { id: string; row: object }) => [change.id, change]),
    )
    let applied = 0
    for (const [n, { verdict }] of pushed?.json.verdicts.entries() ?? []) {
      expect(verdict === 'applied', hostileTexts[n]).toBe(stored.has(`n${n}`))
      if (verdict === 'applied') expect(stored.get(`n${n}`)?.row).toMatchObject(rows[n]?.row ?? {})
      if (verdict === 'applied') applied++
    }
    expect(hostileTexts.length - applied).toBe(3) // NUL and two lone surrogates
  })

  it('P7 P11 P12 naughty texts as ids, tables, ops, scopes, columns and stamps harm no other change', async () => {
    const good = put('good', { title: 'good' })
    const places: ((text: string) => object)[] = [
      (text) => put(text, { title: 'x' }),
      (text) => put('x', { title: 'x' }, { table: text }),
      (text) => put('x', { title: 'x' }, { op: text }),
      (text) => put('x', { title: 'x' }, { scope: text }),
      (text) => put('x', { title: 'x' }, { at: text }),
      (text) => put('x', JSON.parse(`{"title":"x",${JSON.stringify(text)}:1}`)),
      (text) => JSON.parse(JSON.stringify(put('x', { title: 'x' })).replace('{', `{${JSON.stringify(text)}:1,`)),
    ]
    const answers = await everywhere(
      places.map((place, n) => sync(`places${n}`, { client: 'a', changes: [...hostileTexts.map(place), good] })),
    )
    for (const { json } of answers) {
      expect(json.verdicts).toHaveLength(hostileTexts.length + 1)
      expect(json.verdicts.at(-1)).toMatchObject({ verdict: 'applied', current: { row: { title: 'good' } } })
    }
    for (const { json } of answers.slice(1))
      expect(json.verdicts.filter(({ verdict }: { verdict: string }) => verdict === 'applied')).toHaveLength(1)
  })

  it('P7 P11 naughty texts as clients, cursors, limits, parameters, sources and members are refused with a 4xx', async () => {
    const some = hostileTexts.filter((text, n) => text.isWellFormed() && (n % 20 === 0 || n > hostileTexts.length - 20))
    const answers = await everywhere(
      some.flatMap((text): Hostile[] => {
        const inUrl = encodeURIComponent(text)
        return [
          sync('members', { client: `${text} `, cursor: null }),
          sync('members', { client: 'a', cursor: `${text}=` }),
          sync('members', JSON.parse(`{"client":"a",${JSON.stringify(text)}:1}`)),
          ['GET', `/v1/pull?cursor=${inUrl}=`, { sub: 'members' }],
          ['GET', `/v1/pull?limit=${inUrl}x`, { sub: 'members' }],
          ['GET', `/v1/live?scope=${inUrl}`, { sub: 'members', headers: { Accept: 'text/event-stream' } }],
          ['POST', `/v1/webhooks/${inUrl}x`, { sub: 'members', body: '{"changes":[]}' }],
        ]
      }),
    )
    for (const [n, { status }] of answers.entries()) expect(status, some[Math.floor(n / 7)]).toBeGreaterThanOrEqual(400)
  })

  it('P12 JSONTestSuite: what is no JSON is 400 and the rest gets its verdicts, in a sync and in a webhook', async () => {
    const wrapped = jsonBodies.map(({ input }) => `{"client":"a","changes":[${input}]}`)
    const bare = await everywhere(jsonBodies.map(({ input }, n) => webhook(`b${n}`, input)))
    const inside = await everywhere(wrapped.map((body) => sync('json', body)))
    for (const [n, { name }] of jsonBodies.entries()) {
      // None of them is a request, whether or not it is JSON.
      expect(bare[n]?.status, name).toBe(400)
      if (/^n_|^y_object/.test(name))
        expect(bare[n]?.json.detail.includes('must be JSON:'), name).toBe(name.startsWith('n_'))
      const fine = parses(wrapped[n] ?? '')
      expect(inside[n]?.status, name).toBe(fine ? 200 : 400)
      if (fine) for (const { verdict } of inside[n]?.json.verdicts ?? []) expect(verdict, name).toBe('rejected')
    }
  })

  it('P7 P11 valid requests with a few values changed: never a 5xx, the same bytes everywhere', async () => {
    console.log(`SEED=${seed}`)
    const requests = fc.sample(mutatedRequest, { numRuns: 120, seed })
    const bodies = requests.map((body) => JSON.stringify(body) ?? 'null')
    // One after the other: each meets the rows of those before it.
    for (const [n, body] of bodies.entries()) {
      await everywhere([sync('alice', body)])
      if (n % 3 === 0) await everywhere([webhook(`m${n}`, body)])
    }
    const [pulled] = await everywhere([['GET', '/v1/pull?limit=5000', { sub: 'alice' }]])
    expect(pulled?.json.changes.length).toBeGreaterThan(2)
  })

  it('P11 after all of it the other scope is as it was', async () => {
    for (const { url } of started) {
      const { json } = await request(url, 'GET', '/v1/pull', { sub: 'owner' })
      expect(json.changes.map(({ id, position, row }: Record<string, object>) => [id, position, row])).toEqual(
        ['a', 'b', 'c'].map((id, n) => [id, n + 1, expect.objectContaining({ title: canary, notes: canary })]),
      )
    }
  })
})

function parses(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
