import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { signToken } from '../../src/runtime/sign-token.ts'
import { plain } from '../support/plain.ts'
import { type Runtime, runtimes } from '../support/runtimes.ts'
import { request, testSecret } from '../support/server.ts'
import { Replica, readLines } from '../support/streams.ts'
import { signedHeaders } from '../support/webhook.ts'

const at = (n: number) => 1_700_000_000_000_000 + n
const put = (id: string, n: number, row: object) => ({ table: 'todos', op: 'put', id, at: at(n), row })
const patch = (id: string, n: number, row: object) => ({ table: 'todos', op: 'patch', id, at: at(n), row })
const del = (id: string, n: number) => ({ table: 'todos', op: 'delete', id, at: at(n) })

const as = (encoding: string, more: object = {}) => ({
  headers: { Accept: 'application/x-ndjson', 'Accept-Encoding': encoding, ...more },
})
const lines = { headers: { Accept: 'application/x-ndjson' } }
const foreign = { sub: 'carol', scopes: [{ id: 'alice', access: 'read' as const }, 'team'] }
const sync = (body: object, options: object = {}) => ['POST', '/v1/sync', { body, ...options }] as const
const many = Array.from({ length: 120 }, (_, n) => put(`m${n}`, n, { title: `é${n}`, amount: n / 7, notes: null }))
const odd = '\u0001\t"\\/\u2028😀</script>'

const webhook = (id: string, payload: object) => {
  const body = JSON.stringify(payload)
  return ['POST', '/v1/webhooks/crm', { body, headers: signedHeaders(body, id) }] as const
}

const imported = (query: string, list: readonly unknown[]) => {
  const body = list.map((one) => (typeof one === 'string' ? one : JSON.stringify(one))).join('\n')
  return ['POST', `/v1/import${query}`, { body, headers: { 'Content-Type': 'application/x-ndjson' } }] as const
}

/**
 * Requests in their order. CURSOR and TAG stand for the last cursor and the first ETag that were
 * handed out.
 */
const requests: readonly (readonly [method: string, path: string, options?: object])[] = [
  ['GET', '/health'],
  ['GET', '/v1/pull'],
  sync({
    client: 'a',
    cursor: null,
    changes: [put('1', 0, { title: 'one' }), del('2', 0), put('3', 0, { title: odd })],
  }),
  sync({
    client: 'a',
    cursor: null,
    changes: [put('1', 0, { title: 'one' }), del('2', 0), put('3', 0, { title: odd })],
  }),
  sync({
    client: 'b',
    cursor: 'CURSOR',
    changes: [put('1', -5, { title: 'late' }), patch('1', 5, { done: true, amount: 0.1 })],
  }),
  sync({
    client: 'b',
    return: 'lost',
    changes: [
      put('4', 1, { title: 'four', amount: 1e-7 }),
      patch('9', 1, { done: true }),
      put('3', 0, { title: 'tie' }),
    ],
  }),
  sync({
    client: 'b',
    changes: [
      {},
      { ...del('1', 9), op: 'x' },
      put('5', 1, { titel: 'x' }),
      put('5', 1, {}),
      put('5', 1e15, { title: 'x' }),
      { ...del('1', 9), scope: 'bob' },
    ],
  }),
  sync({ client: 'b', atomic: true, changes: [put('6', 1, { title: 'six' }), patch('7', 1, { done: true })] }),
  sync({
    client: 'b',
    atomic: true,
    cursor: 'CURSOR',
    changes: [put('6', 1, { title: 'six' }), patch('6', 2, { done: true }), del('1', 3)],
  }),
  sync({ client: 'c', changes: many, return: 'lost' }),
  ['GET', '/v1/pull?limit=50'],
  ['GET', '/v1/pull?limit=50&cursor=CURSOR'],
  ['GET', '/v1/pull?limit=50&cursor=CURSOR'],
  ['GET', '/v1/pull?limit=7', lines],
  ['GET', '/v1/pull?limit=7', as('identity')],
  ['GET', '/v1/pull?limit=7', as('gzip;q=0, br')],
  ['GET', '/v1/pull?limit=7', as('gzip', { Origin: 'https://app.example' })],
  ['HEAD', '/v1/pull?limit=7', lines],
  ['GET', '/v1/pull?limit=7', as('gzip', { 'If-None-Match': 'TAG' })],
  ['GET', '/v1/pull?limit=8', as('gzip', { 'If-None-Match': 'TAG' })],
  ['GET', '/v1/pull?limit=7', { headers: { 'If-None-Match': 'TAG' } }],
  sync(
    {
      client: 'a',
      cursor: null,
      limit: 3,
      changes: [
        { ...put('t', 1, { title: 'team' }), scope: 'team' },
        { ...put('t', 1, { title: 'x' }), scope: 'alice' },
      ],
    },
    foreign,
  ),
  ['GET', '/v1/pull?limit=5000', foreign],
  ['GET', '/v1/pull?cursor=CURSOR', { sub: 'carol' }],
  sync({ client: 'a', cursor: 'nonsense' }),
  sync({ client: 'a', more: 1 }),
  ['POST', '/v1/sync', { body: '{"client":' }],
  ['POST', '/v1/push', { body: '{}', headers: { 'Content-Type': 'text/plain' } }],
  ['POST', '/v1/push', { body: `{"client":"a","changes":[${' '.repeat(4 * 1024 * 1024)}]}` }],
  ['GET', '/v1/pull', { headers: { Authorization: '' } }],
  ['GET', '/v1/pull', { headers: { Authorization: 'Bearer x.y.z' } }],
  ['GET', '/v1/pull', { sub: 'x'.repeat(129) }],
  webhook('first', {
    scope: 'alice',
    changes: [put('1', 20, { title: 'hooked' }), del('m1', 20), patch('none', 1, { done: true })],
  }),
  webhook('first', {
    scope: 'alice',
    changes: [put('1', 20, { title: 'hooked' }), del('m1', 20), patch('none', 1, { done: true })],
  }),
  webhook('first', { scope: 'alice', changes: [put('1', 30, { title: 'another body' })] }),
  webhook('odd', {
    changes: [
      { ...put('1', 1, { title: 'late' }), scope: 'alice' },
      { ...put('1', 20, { title: 'hooked' }), scope: 'alice' },
      put('1', 1, { title: 'nowhere' }),
      { ...put('1', 1, { title: 'x' }), scope: '' },
      { table: 'lists', op: 'put', id: 'l', scope: 'team', row: { name: odd } },
      { table: 'todos', op: 'put', id: 'm2', scope: 'alice', row: { title: 'without a stamp' } },
      { table: 'todos', op: 'patch', id: 'm2', scope: 'alice', row: { done: true } },
      { table: 'todos', op: 'patch', id: '2', scope: 'alice', row: { done: true } },
      { table: 'todos', op: 'delete', id: 'm3', scope: 'alice' },
      { table: 'todos', op: 'put', id: 'm4', at: '5', scope: 'alice', row: { title: 'x' } },
    ],
  }),
  webhook('atomic', {
    scope: 'alice',
    atomic: true,
    changes: [put('8', 1, { title: 'x' }), patch('none', 1, { done: true })],
  }),
  webhook('many', { scope: 'hooks', changes: many }),
  webhook('many', { scope: 'hooks', changes: many }),
  webhook('none', { changes: [] }),
  webhook('member', { client: 'x', changes: [] }),
  webhook('', { changes: [] }),
  ['POST', '/v1/webhooks/crm', { body: '{"changes":[]}' }],
  ['POST', '/v1/webhooks/unknown', { body: '{"changes":[]}' }],
  ['GET', '/v1/webhooks/crm'],
  imported('?table=todos', [put('i1', 1, { title: odd }), put('i1', 2, { title: 'twice' }), del('m4', 40), '{]']),
  imported('?table=todos', [put('i1', 1, { title: odd }), put('i1', 2, { title: 'twice' }), del('m4', 40), '{]']),
  imported('?table=lists&at=1700000000000000&client=crm', [{ id: 'r1', name: odd }, { id: 'r2' }, { id: '' }]),
  imported('', [
    { ...put('i2', 1, { title: 'pulled' }), by: 'phone', position: 7, scope: 'alice' },
    patch('i2', 3, { amount: 0.1 }),
    { cursor: 'x', more: false },
    { ...put('i2', 1, { title: 'x' }), scope: 'bob' },
    { ...put('i2', 1, { title: 'x' }), by: 'no client' },
    patch('none', 3, { amount: 0.1 }),
  ]),
  imported('?table=nope', []),
  imported('?tables=todos', []),
  imported('?table=todos&at=5', []),
  ['POST', '/v1/import', { body: '{}' }],
  ['GET', '/v1/import'],
  ['GET', '/v1/pull'],
  ['GET', '/v1/pull?limit=200', { sub: 'hooks' }],
  ['DELETE', '/v1/sync'],
  ['GET', '/nowhere'],
]

describe('everywhere it runs', () => {
  const started = new Map<string, Runtime>()
  const answers = new Map<string, string[]>()
  beforeAll(async () => {
    for (const [name, start] of Object.entries(runtimes)) started.set(name, await start())
  })
  afterAll(() => Promise.all([...started.values()].map((runtime) => runtime.close())))
  const urlOf = (name: string) => started.get(name)?.url ?? ''

  it.each(Object.keys(runtimes))('%s takes every kind of request', async (name) => {
    let cursor = ''
    let tag = ''
    const seen: string[] = []
    for (const [method, path, options = {}] of requests) {
      const filled = JSON.parse(
        JSON.stringify({ path, options })
          .replaceAll('CURSOR', cursor)
          .replaceAll('TAG', JSON.stringify(tag).slice(1, -1)),
      )
      const answer = await request(urlOf(name), method, filled.path, filled.options)
      expect(answer.status, `${method} ${path} ${answer.text}`).toBeLessThan(500)
      if (typeof answer.json?.cursor === 'string') cursor = answer.json.cursor
      tag ||= answer.headers.get('etag') ?? ''
      seen.push(plain(answer))
    }
    answers.set(name, seen)
  })

  it('P7 and all gave the same statuses, verdicts and bytes', () => {
    const [first = [], ...others] = [...answers.values()]
    expect(others).toHaveLength(Object.keys(runtimes).length - 1)
    expect(first.map((answer) => answer.slice(0, 3)).join(' ')).toBe(
      '200 200 200 200 200 200 200 422 200 200 200 200 200 200 200 200 200 200 304 200 200 200 200 200 400 400 400 415 413 401 401 401 ' +
        '200 200 200 200 422 200 200 200 400 401 401 401 405 200 200 200 200 400 400 400 415 405 200 200 405 404',
    )
    for (const other of others) for (const [place, answer] of other.entries()) expect(answer).toBe(first[place])
  })

  it.each(Object.keys(runtimes))('P11 %s keeps users apart whose requests are interleaved', async (name) => {
    const users = Array.from({ length: 6 }, (_, n) => `user-${n}`)
    const rounds = Array.from({ length: 8 }, (_, n) => n)
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
      for await (const line of readLines(await stream('?limit=20'), false)) {
        replica.take(line)
        if (line.cursor === undefined) continue
        cursor = line.cursor
        if (++round > 8) continue
        const at = 10 + round
        await push([
          del(`r${round}`, at),
          patch('r50', at, { notes: `${round}` }),
          put(`r${199 - round}`, at, { title: 'y' }),
        ])
      }
      for await (const line of readLines(await stream(`?cursor=${cursor}`), false)) replica.take(line)
      const { json } = await request(urlOf(name), 'GET', '/v1/pull?limit=1000', { sub })
      expect(json.changes).toHaveLength(192)
      expect(replica.rows()).toEqual(new Replica(json.changes).rows())
    },
  )
})
