import { gzipSync } from 'node:zlib'
import { plain } from './plain.ts'
import { request } from './server.ts'
import { signedHeaders, webhookSecret } from './webhook.ts'

type Options = NonNullable<Parameters<typeof request>[3]>

const at = (n: number) => 1_700_000_000_000_000 + n
export const put = (id: string, n: number, row: object) => ({ table: 'todos', op: 'put', id, at: at(n), row })
export const patch = (id: string, n: number, row: object) => ({ table: 'todos', op: 'patch', id, at: at(n), row })
export const del = (id: string, n: number) => ({ table: 'todos', op: 'delete', id, at: at(n) })

export const as = (encoding: string, more: object = {}) => ({
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

const preflight = (origin: string, method: string) => {
  const headers = { Origin: origin, 'Access-Control-Request-Method': method, Authorization: '' }
  return ['OPTIONS', '/v1/sync', { headers }] as const
}

const compressed = (path: string, type: string, body: object) => {
  const headers = { 'Content-Type': type, 'Content-Encoding': 'gzip' }
  return ['POST', path, { body: gzipSync(JSON.stringify(body)), headers }] as const
}

const imported = (query: string, list: readonly unknown[]) => {
  const body = list.map((one) => (typeof one === 'string' ? one : JSON.stringify(one))).join('\n')
  return ['POST', `/v1/import${query}`, { body, headers: { 'Content-Type': 'application/x-ndjson' } }] as const
}

/**
 * Requests in their order. CURSOR and TAG stand for the last cursor and the first ETag that were
 * handed out. Bodies are bytes where they are compressed. Made each time: signatures grow old.
 */
const makeRequests = (): readonly (readonly [method: string, path: string, options?: Options])[] => [
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
  preflight('https://app.example', 'POST'),
  preflight('https://evil.example', 'POST'),
  ['GET', '/health', { headers: { Origin: 'https://app.example', Authorization: '' } }],
  compressed('/v1/push', 'application/json', { client: 'a', changes: [put('z', 0, { title: odd })] }),
  compressed('/v1/import?table=todos', 'application/x-ndjson', put('z2', 0, { title: 'gzip' })),
  ['POST', '/v1/push', { body: '{}', headers: { 'Content-Encoding': 'gzip' } }],
  ['POST', '/v1/push', { body: '{}', headers: { 'Content-Encoding': 'br' } }],
  ['POST', '/v1/pull', { body: { cursor: null, limit: 3 } }],
  ['POST', '/v1/pull', { body: { limit: 200 }, ...lines }],
  ['GET', '/openapi.json', { headers: { Authorization: '' } }],
]

/** What a server that keeps the contract answers to each, by its status. */
export const statuses =
  '200 200 200 200 200 200 200 422 200 200 200 200 200 200 200 200 200 200 304 200 200 200 200 200 400 400 400 415 413 401 401 401 ' +
  '200 200 200 200 422 200 200 200 400 401 401 401 405 200 200 200 200 400 400 400 415 405 200 200 405 404 204 204 200 200 200 400 415 200 200 200'

/** The settings that the requests ask for. */
export const settings = {
  WEBHOOK_SECRETS: JSON.stringify({ crm: webhookSecret }),
  CORS_ORIGINS: 'https://app.example',
}

/** Sends them all to a server, and gives its answers without what is another in every run. */
export async function takeAll(url: string): Promise<readonly string[]> {
  let [cursor, tag] = ['', '']
  const seen: string[] = []
  for (const [method, path, options = {}] of makeRequests()) {
    const fill = (text: string) => text.replaceAll('CURSOR', cursor).replaceAll('TAG', JSON.stringify(tag).slice(1, -1))
    const { body } = options
    const filled: Options = {
      ...JSON.parse(fill(JSON.stringify(options))),
      ...(body instanceof Uint8Array && { body }),
    }
    const answer = await request(url, method, fill(path), filled)
    if (answer.status >= 500) throw new Error(`${method} ${path} ${answer.status} ${answer.text}`)
    if (typeof answer.json?.cursor === 'string') cursor = answer.json.cursor
    tag ||= answer.headers.get('etag') ?? ''
    seen.push(plain(answer))
  }
  return seen
}
