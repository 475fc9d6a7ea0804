import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createApp } from '../../src/app.ts'
import { problems, rejectionCodes } from '../../src/errors.ts'
import { limits } from '../../src/limits.ts'
import { describeApi } from '../../src/openapi/document.ts'
import { schema } from '../../src/schema.ts'
import { StoreFault } from '../../src/stores/store.ts'
import { formatCursor } from '../../src/sync/cursor.ts'
import { signToken } from '../../src/token.ts'
import { createContract } from '../support/contract.ts'
import { type Answer, type ServerProcess, startServer, testSecret } from '../support/server.ts'
import { openTestStore, temporaryFolder } from '../support/stores.ts'

const now = () => Date.now() * 1000
const put = (id: string, row: object = { title: id }, at = now()) => ({ table: 'todos', op: 'put', id, at, row })
const lines = { headers: { Accept: 'application/x-ndjson' } }
const halves: Readonly<Record<string, string>> = { '/v1/sync': 'sync', '/v1/push': 'push' }
type Request = [name: string, method: string, path: string, options?: Parameters<ServerProcess['request']>[2]]

describe('every answer is as GET /openapi.json describes it', () => {
  let server: ServerProcess
  let contract: ReturnType<typeof createContract>
  let database: string
  let drop = async () => {}
  const seen = { codes: new Set<string>(), verdicts: new Set<string>(), rejections: new Set<string>() }
  const served: Set<string> = new Set()

  beforeAll(async () => {
    const { folder, drop: dropFolder } = await temporaryFolder()
    drop = dropFolder
    database = `file:${folder}/a.db`
    server = await startServer({ DATABASE_URL: database, LOG: 'off' })
    // What a caller gets is what answers are held against.
    contract = createContract((await server.request('GET', '/openapi.json')).json)
    await alter('CREATE UNIQUE INDEX once ON lists (scope, name)')
  })
  afterAll(async () => {
    await server.stop()
    await drop()
  })
  async function alter(sql: string): Promise<void> {
    const { createClient } = await import('@libsql/client/sqlite3')
    const client = createClient({ url: database })
    await client.execute(sql)
    client.close()
  }

  async function ask(...[, method, path, options = {}]: Request): Promise<Answer> {
    const answer = await server.request(method, path, options)
    contract.checkAnswer({ method, path, ...answer })
    served.add(`${method} ${path.split('?')[0]} ${answer.status}`)
    if (answer.json?.code) seen.codes.add(answer.json.code)
    for (const { verdict, error } of answer.json?.verdicts ?? []) {
      seen.verdicts.add(verdict)
      if (error) seen.rejections.add(error.code)
    }
    if (halves[path] && typeof options.body === 'object') checkRequest(halves[path], options.body, answer)
    return answer
  }

  /** What is accepted is valid by the document, and what is not valid by it is refused: a change by its own verdict. */
  function checkRequest(half: string, body: object | null, answer: Answer): void {
    const { changes = [], ...rest } = { ...body } as { changes?: unknown[] }
    const fits = contract.isValid(`${half}.request`, Array.isArray(body) ? body : rest) && Array.isArray(changes)
    if (answer.status === 200) expect(fits).toBe(true)
    if (!fits) expect([400, 401]).toContain(answer.status)
    for (const [index, { verdict }] of (answer.json?.verdicts ?? []).entries()) {
      const valid = contract.isValid('change', changes[index])
      if (verdict !== 'rejected') expect(valid, JSON.stringify(changes[index])).toBe(true)
    }
  }

  const stampAhead = now() + 3_600_000_000
  const restored = formatCursor(new Map([['alice', { incarnation: 'another', position: 1, start: 0 }]]))
  const foreign = formatCursor(new Map([['removed', { incarnation: 'x', position: 1, start: 0 }]]))
  const noScope = () => signToken(testSecret, { sub: 'x'.repeat(200) })
  const requests: Request[] = [
    [
      'a push',
      'POST',
      '/v1/push',
      { body: { client: 'a', changes: [put('1'), put('1', { title: 'x' }, now() - 9e6)] } },
    ],
    ['a push of another', 'POST', '/v1/push', { body: { client: 'b', changes: [put('2')], return: 'lost' } }],
    [
      'a replay',
      'POST',
      '/v1/push',
      { body: { client: 'a', changes: [put('3', { title: '' }, 1.7e15), put('3', { title: '' }, 1.7e15)] } },
    ],
    ['a stale change', 'POST', '/v1/push', { body: { client: 'a', changes: [put('1', { title: 'late' }, 1.6e15)] } }],
    [
      'every op',
      'POST',
      '/v1/sync',
      {
        body: {
          client: 'a',
          cursor: null,
          limit: 2,
          atomic: false,
          changes: [
            { ...put('1'), op: 'patch', row: { done: true, amount: 0.5 } },
            { table: 'todos', op: 'delete', id: '2', at: now() },
            { table: 'lists', op: 'put', id: 'l', at: now(), row: { name: 'Home' }, scope: 'alice' },
          ],
        },
      },
    ],
    ['no changes', 'POST', '/v1/sync', { body: { client: 'a' } }],
    ['an atomic push', 'POST', '/v1/push', { body: { client: 'a', atomic: true, changes: [put('4')] } }],
    ['a removed scope', 'POST', '/v1/sync', { body: { client: 'a', cursor: foreign } }],
    [
      'every rejection',
      'POST',
      '/v1/sync',
      {
        body: {
          client: 'a',
          changes: [
            5,
            { ...put('x'), more: 1 },
            { ...put('x'), table: 'x' },
            { ...put('x'), op: 'x' },
            put('x', { title: 'x', x: 1 }),
            put('x', {}),
            put(''),
            put('x', { title: 1 }),
            put('x', { title: 'x' }, 5),
            put('x', { title: 'x' }, stampAhead),
            { ...put('x'), scope: 'foreign' },
            { ...put('none'), op: 'patch', row: { done: true } },
            { table: 'lists', op: 'put', id: 'l2', at: now(), row: { name: 'Home' } },
            put('large', { title: 'x'.repeat(limits.changeBytesMax) }),
          ],
        },
      },
    ],
    ['a pull', 'GET', '/v1/pull'],
    ['a page', 'GET', '/v1/pull?limit=1'],
    ['a pull with a removed scope', 'GET', `/v1/pull?cursor=${foreign}`],
    ['a stream', 'GET', '/v1/pull?limit=2', lines],
    ['an empty stream', 'GET', '/v1/pull', { ...lines, sub: 'nobody' }],
    ['a stream with a removed scope', 'GET', `/v1/pull?cursor=${foreign}`, lines],
    ['HEAD', 'HEAD', '/v1/pull'],
    ['HEAD of a stream', 'HEAD', '/v1/pull', lines],
    ['health', 'GET', '/health', { headers: { Authorization: '' } }],
    ['the document', 'GET', '/openapi.json', { headers: { Authorization: '' } }],
    ['the page of the document', 'GET', '/docs', { headers: { Authorization: '' } }],
    ['HEAD of the page', 'HEAD', '/docs'],
    ['another path', 'GET', '/v1'],
    ['another method', 'DELETE', '/v1/sync'],
    ['another method of the document', 'POST', '/docs', { body: {} }],
    ['OPTIONS', 'OPTIONS', '/v1/pull'],
    ['a body that is no object', 'POST', '/v1/sync', { body: [] }],
    ['null', 'POST', '/v1/push', { body: null }],
    ['no JSON', 'POST', '/v1/push', { body: '{' }],
    ['no client', 'POST', '/v1/push', { body: {} }],
    ['a member too many', 'POST', '/v1/push', { body: { client: 'a', limit: 1 } }],
    ['a client with a space', 'POST', '/v1/sync', { body: { client: 'a b' } }],
    ['a limit too large', 'POST', '/v1/sync', { body: { client: 'a', limit: limits.pageRowsMax + 1 } }],
    ['changes of another form', 'POST', '/v1/sync', { body: { client: 'a', changes: {} } }],
    ['a cursor that cannot be read', 'POST', '/v1/sync', { body: { client: 'a', cursor: 'x' } }],
    ['a cursor of a pull that cannot be read', 'GET', '/v1/pull?cursor=x', lines],
    ['another parameter', 'GET', '/v1/pull?x=1'],
    ['another history', 'POST', '/v1/sync', { body: { client: 'a', cursor: restored } }],
    ['another history in a push', 'POST', '/v1/push', { body: { client: 'a', cursor: restored, changes: [put('5')] } }],
    ['another history in a pull', 'GET', `/v1/pull?cursor=${restored}`, lines],
    ['no token', 'POST', '/v1/sync', { body: { client: 'a' }, headers: { Authorization: '' } }],
    ['a bad token', 'GET', '/v1/pull', { headers: { Authorization: 'Bearer x' } }],
    ['another type', 'POST', '/v1/sync', { body: '{}', headers: { 'Content-Type': 'text/plain' } }],
    ['a large body', 'POST', '/v1/push', { body: ' '.repeat(limits.bodyBytesMax + 1) }],
    ['many changes', 'POST', '/v1/push', { body: `{"client":"a","changes":[${'1,'.repeat(limits.changesMax)}1]}` }],
    [
      'an atomic push with a bad change',
      'POST',
      '/v1/push',
      { body: { client: 'a', atomic: true, changes: [put('')] } },
    ],
    [
      'an atomic push of two scopes',
      'POST',
      '/v1/push',
      { scopes: ['team'], body: { client: 'a', atomic: true, changes: [put('6'), { ...put('6'), scope: 'team' }] } },
    ],
  ]
  it.each(requests)('%s', async (...request) => {
    await ask(...request)
  })

  it('a token without a scope, a database that is broken, one that is away', async () => {
    await ask('', 'GET', '/v1/pull', { headers: { Authorization: `Bearer ${await noScope()}` } })
    await alter('ALTER TABLE lists RENAME TO lists_away')
    expect((await ask('', 'GET', '/v1/pull')).status).toBe(500)
    expect(
      (
        await ask('', 'POST', '/v1/push', {
          body: { client: 'a', changes: [{ ...put('9'), table: 'lists', row: { name: 'x' } }] },
        })
      ).status,
    ).toBe(500)
    await alter('ALTER TABLE lists_away RENAME TO lists')

    const opened = await openTestStore('libsql file')
    const batch = () => Promise.reject(new StoreFault('transient', { message: 'away' }))
    const app = createApp({ schema, store: { ...opened.store, batch }, auth: { secret: testSecret } })
    for (const path of ['/v1/pull', '/health']) {
      const headers = { Authorization: `Bearer ${await signToken(testSecret, { sub: 'a' })}` }
      const answer = await app.request(path, { headers })
      const text = await answer.text()
      contract.checkAnswer({ method: 'GET', path, status: answer.status, headers: answer.headers, text })
      seen.codes.add(JSON.parse(text).code)
    }
    await opened.close()
  })

  it('and of every kind there was one: each problem, verdict, rejection, and route', () => {
    expect([...seen.codes].sort()).toEqual(Object.keys(problems).sort())
    expect([...seen.verdicts].sort()).toEqual(['applied', 'duplicate', 'rejected', 'stale'])
    expect([...seen.rejections].sort()).toEqual([...rejectionCodes].sort())
    // biome-ignore lint/suspicious/noExplicitAny: an OpenAPI document
    for (const [path, methods] of Object.entries<object>((describeApi(schema) as any).paths)) {
      for (const method of Object.keys(methods)) expect([...served]).toContain(`${method.toUpperCase()} ${path} 200`)
    }
  })
})
