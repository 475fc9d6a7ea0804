import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createApp } from '../../../src/http/app.ts'
import { text as textColumn } from '../../../src/model/column.ts'
import { defineSchema } from '../../../src/model/define-schema.ts'
import { problems, rejectionCodes } from '../../../src/model/errors.ts'
import { limits } from '../../../src/model/limits.ts'
import { describeApi } from '../../../src/openapi/document.ts'
import { nodeGzip } from '../../../src/runtime/node/gzip.ts'
import { signToken } from '../../../src/runtime/sign-token.ts'
import { StoreFault } from '../../../src/stores/store.ts'
import { keyPair, makeToken } from '../../programs/tokens/keys.ts'
import { createContract, templateOf } from '../../support/contract.ts'
import { mappedSources } from '../../support/mapped-sources.ts'
import { schema } from '../../support/schema.ts'
import { type Answer, type ServerProcess, startServer, testSecret } from '../../support/server.ts'
import { openTestStore, temporaryFolder } from '../../support/stores.ts'
import { signedHeaders, webhookSecret } from '../../support/webhook.ts'
import { put, type Request, requests } from './requests.ts'

const WEBHOOK_SECRETS = JSON.stringify({ crm: webhookSecret })
const halves: Readonly<Record<string, string>> = { '/v1/sync': 'sync', '/v1/push': 'push' }

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
    server = await startServer({ DATABASE_URL: database, LOG: 'off', LIVE_SOCKETS_MAX: '1', WEBHOOK_SECRETS })
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
    served.add(`${method} ${templateOf(path)} ${answer.status}`)
    if (answer.json?.code) seen.codes.add(answer.json.code)
    for (const { verdict, error } of answer.json?.verdicts ?? []) {
      seen.verdicts.add(verdict)
      if (error) seen.rejections.add(error.code)
    }
    if (halves[path] && typeof options.body === 'object') checkRequest(halves[path], options.body, answer)
    return answer
  }

  /**
   * What is accepted is valid by the document, and what is not valid by it is refused: a change by
   * its own verdict.
   */
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

  it.each(requests)('%s', async (...request) => {
    await ask(...request)
  })

  it('a live connection, and one more than there may be', async () => {
    const headers = {
      Authorization: `Bearer ${await signToken(testSecret, { sub: 'alice' })}`,
      Accept: 'text/event-stream',
    }
    const leaving = new AbortController()
    const answer = await fetch(`${server.url}/v1/live`, { headers, signal: leaving.signal })
    contract.checkAnswer({ method: 'GET', path: '/v1/live', status: answer.status, headers: answer.headers, text: '' })
    served.add(`GET /v1/live ${answer.status}`)
    expect((await ask('', 'GET', '/v1/live', { headers })).status).toBe(429)
    leaving.abort()
    expect((await ask('', 'GET', '/v1/live')).status).toBe(426)
    for (const wrong of [{ path: '?token=x' }, { path: '?scope=foreign' }, { Origin: 'https://evil.example' }]) {
      const { path = '', ...more } = wrong as { path?: string }
      expect([400, 403]).toContain(
        (await ask('', 'GET', `/v1/live${path}`, { headers: { ...headers, ...more } })).status,
      )
    }
    expect((await ask('', 'GET', '/v1/live', { headers: { ...headers, Authorization: 'Bearer x' } })).status).toBe(401)
    expect((await ask('', 'POST', '/v1/live')).status).toBe(405)
  })

  it('webhooks: taken, of every verdict, and refused', async () => {
    const send = async (payload: unknown, headers: Record<string, string> = {}) => {
      const body = JSON.stringify(payload)
      return ask('', 'POST', '/v1/webhooks/crm', {
        body,
        headers: { ...signedHeaders(body), Authorization: '', ...headers },
      })
    }
    const { at: _, ...unstamped } = put('hook')
    const changes = [
      unstamped,
      put('hook', { title: 'x' }, 1.6e15),
      { ...unstamped, id: '' },
      { ...unstamped, op: 'x' },
    ]
    const payload = { scope: 'alice', changes }
    expect(contract.isValid('webhook.request', { ...payload, changes: [unstamped, put('hook')] })).toBe(true)
    expect((await send(payload)).json.verdicts.map((one: { verdict: string }) => one.verdict)).toEqual([
      'applied',
      'applied',
      'rejected',
      'rejected',
    ])
    expect((await send(payload, { 'webhook-signature': 'v1,AAAA' })).status).toBe(401)
    expect((await send({ changes: 5 })).status).toBe(400)
    expect((await send({ changes: [unstamped], atomic: true })).status).toBe(422)
    expect((await send(payload, { 'Content-Type': 'text/plain' })).status).toBe(415)

    const opened = await openTestStore('libsql file')
    const map = () => {
      throw new Error('secret')
    }
    const app = createApp({
      ...{ schema, store: opened.store, auth: { secret: testSecret } },
      ...{ webhookSecrets: { crm: [webhookSecret] }, webhooks: { crm: { map } } },
    })
    const quiet = vi.spyOn(console, 'error').mockReturnValue()
    const answer = await app.request('/v1/webhooks/crm', { method: 'POST', headers: signedHeaders('{}'), body: '{}' })
    const text = await answer.text()
    contract.checkAnswer({
      method: 'POST',
      path: '/v1/webhooks/crm',
      status: answer.status,
      headers: answer.headers,
      text,
    })
    seen.codes.add(JSON.parse(text).code)
    expect(quiet).toHaveBeenCalledTimes(1)
    quiet.mockRestore()
    await opened.close()
  })

  it('an import by the mapping of a source', async () => {
    const opened = await openTestStore('libsql file')
    const auth = { secret: testSecret }
    const app = createApp({ schema, store: opened.store, auth, webhooks: mappedSources })
    const method = 'POST'
    const path = '/v1/import?source=crm'
    const headers = {
      Authorization: `Bearer ${await signToken(testSecret, { sub: 'alice' })}`,
      'Content-Type': 'application/x-ndjson',
    }
    const body = '{"key":1,"name":"x"}\n{"kind":"ping"}\n{"kind":"lost"}\nnonsense\n\u0000'
    const answer = await app.request(path, { method, headers, body })
    const text = await answer.text()
    expect(text).toMatch(/"text":"nonsense"[\s\S]*"passed":1,"done":true/)
    contract.checkAnswer({ method, path, status: answer.status, headers: answer.headers, text })
    await opened.close()
  })

  it('a body that stands still', async () => {
    const opened = await openTestStore('libsql file')
    const app = createApp({ schema, store: opened.store, auth: { secret: testSecret }, bodyIdleMsMax: 20 })
    const headers = {
      Authorization: `Bearer ${await signToken(testSecret, { sub: 'a' })}`,
      'Content-Type': 'application/json',
    }
    const silent = { method: 'POST', headers, body: new ReadableStream(), duplex: 'half' }
    const answer = await app.request('/v1/push', silent as RequestInit)
    const text = await answer.text()
    const { status } = answer
    contract.checkAnswer({ method: 'POST', path: '/v1/push', status, headers: answer.headers, text })
    expect(status).toBe(408)
    seen.codes.add(JSON.parse(text).code)
    await opened.close()
  })

  it('a subject that has used up what it may send', async () => {
    const opened = await openTestStore('libsql file')
    const few = { changesPerMinuteMax: 2, unseenDeletesPerHourMax: 1 }
    const app = createApp({ schema, store: opened.store, auth: { secret: testSecret }, ...few })
    const headers = {
      Authorization: `Bearer ${await signToken(testSecret, { sub: 'a' })}`,
      'Content-Type': 'application/json',
    }
    const changes = ['x', 'y'].map((id) => ({ table: 'lists', op: 'delete', id, at: put('x').at }))
    for (const expected of [200, 429]) {
      const body = JSON.stringify({ client: 'a', changes })
      const answer = await app.request('/v1/push', { method: 'POST', headers, body })
      const [text, { status }] = [await answer.text(), answer]
      contract.checkAnswer({ method: 'POST', path: '/v1/push', status, headers: answer.headers, text })
      expect(status).toBe(expected)
      const { code, verdicts = [] } = JSON.parse(text)
      if (code) seen.codes.add(code)
      for (const { error } of verdicts) if (error) seen.rejections.add(error.code)
    }
    await opened.close()
  })

  it('a store that cannot find out in time what it refuses', async () => {
    const own = 'CREATE UNIQUE INDEX lists_name ON lists (scope, name);'
    const opened = await openTestStore('libsql file', schema, { postgres: own, sqlite: own })
    const { dialect, batch, close } = opened.store
    const app = createApp({ schema, store: { dialect, batch, close }, auth: { secret: testSecret } })
    const headers = {
      Authorization: `Bearer ${await signToken(testSecret, { sub: 'a' })}`,
      'Content-Type': 'application/json',
    }
    const row = { name: 'the same' }
    const changes = Array.from({ length: limits.refusalBatchesMax + 2 }, (_, n) => ({
      ...put(`l${n}`),
      table: 'lists',
      row,
    }))
    const body = JSON.stringify({ client: 'a', changes })
    const answer = await app.request('/v1/push', { method: 'POST', headers, body })
    const [text, { status }] = [await answer.text(), answer]
    contract.checkAnswer({ method: 'POST', path: '/v1/push', status, headers: answer.headers, text })
    for (const { error } of JSON.parse(text).verdicts) if (error) seen.rejections.add(error.code)
    await opened.close()
  })

  it('a push whose verdicts would repeat too much', async () => {
    const large = put('large', { title: 'x', notes: 'x'.repeat(500_000) })
    const send = (client: string, changes: unknown[]) => ask('', 'POST', '/v1/push', { body: { client, changes } })
    expect((await send('a', [large, large, large])).status).toBe(200)
    expect((await send('b', Array(30).fill({ ...large, op: 'patch', row: { done: true } }))).status).toBe(413)
  })

  it('a database that is broken, one that is away, keys that are away, a token without a scope', async () => {
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
    const own = { store: opened.store, auth: { secret: testSecret } }
    const keyless = createApp({ schema, store: opened.store, auth: { jwksUrl: 'http://127.0.0.1:1/keys.json' } })
    const scopeless = createApp({ schema, store: opened.store, auth: { secret: testSecret, scopesOf: () => [] } })
    const newer = {
      ...own,
      schema: defineSchema({
        todos: { title: textColumn() },
        lists: { name: textColumn() },
        more: { name: textColumn() },
      }),
    }
    const full = { ...own, schema, streamsMax: 0 }
    const quiet = vi.spyOn(console, 'error').mockReturnValue()
    for (const [path, of, status] of [
      ['/v1/pull', app, 503],
      ['/health', app, 503],
      ['/health', createApp(newer), 503],
      ['/v1/pull', createApp(full), 429],
      ['/v1/pull', keyless, 401],
      ['/v1/pull', scopeless, 403],
    ] as const) {
      const Accept = of === app ? 'application/json' : 'application/x-ndjson'
      const headers = { Authorization: `Bearer ${await signToken(testSecret, { sub: 'a' })}`, Accept }
      const answer = await of.request(path, { headers })
      const text = await answer.text()
      expect(answer.status).toBe(status)
      contract.checkAnswer({ method: 'GET', path, status: answer.status, headers: answer.headers, text })
      seen.codes.add(JSON.parse(text).code)
    }
    const headers = { Authorization: `Bearer ${makeToken(keyPair('ES256'))}` }
    const answer = await keyless.request('/v1/pull', { headers })
    const text = await answer.text()
    contract.checkAnswer({ method: 'GET', path: '/v1/pull', status: 503, headers: answer.headers, text })
    seen.codes.add(JSON.parse(text).code)
    quiet.mockRestore()
    await opened.close()
  })

  it('the reference, where it is built and where it is not, compressed and not', async () => {
    const { store, close } = await openTestStore('libsql file')
    for (const page of ['<!doctype html>', undefined]) {
      for (const gzip of [nodeGzip, undefined]) {
        const options = { documents: async () => page, ...(gzip && { gzip }) }
        const app = createApp({ schema, store, auth: { secret: testSecret }, ...options })
        const answer = await app.request('/reference', { headers: { 'Accept-Encoding': 'gzip' } })
        const { status, headers } = answer
        const isGzip = headers.get('content-encoding') === 'gzip'
        expect([status, isGzip]).toEqual(page ? [200, gzip !== undefined] : [404, false])
        contract.checkAnswer({
          method: 'GET',
          path: '/reference',
          status,
          headers,
          text: isGzip ? '' : await answer.text(),
        })
        served.add(`GET /reference ${status}`)
      }
    }
    await close()
  })

  it('and of every kind there was one: each problem, verdict, rejection, and route', () => {
    expect([...seen.codes].sort()).toEqual(Object.keys(problems).sort())
    expect([...seen.verdicts].sort()).toEqual(['applied', 'duplicate', 'rejected', 'stale'])
    // The sample has no unique key and no counter.
    const ofRules = ['key_taken', 'add_expired']
    expect([...new Set([...seen.rejections, ...ofRules])].sort()).toEqual([...rejectionCodes].sort())
    // biome-ignore lint/suspicious/noExplicitAny: an OpenAPI document
    for (const [path, methods] of Object.entries<object>((describeApi(schema) as any).paths)) {
      const status = path === '/docs' ? 308 : 200
      for (const method of Object.keys(methods))
        expect([...served]).toContain(`${method.toUpperCase()} ${path} ${status}`)
    }
  })
})
