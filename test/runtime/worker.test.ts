import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { schema as app } from '../../src/app/schema.ts'
import { startPostgres } from '../support/postgres.ts'
import { request } from '../support/server.ts'
import { openTestStore } from '../support/stores.ts'
import { startAppWorker, startWorker } from '../support/worker.ts'

type Worker = Awaited<ReturnType<typeof startWorker>>

describe('the worker', () => {
  let worker: Worker | undefined
  afterEach(() => worker?.close())
  const ask = (method: string, path: string, options: object = {}) =>
    request(worker?.url.origin ?? '', method, path, options)
  const logs = () => (worker?.getLogs() ?? []).map(({ message }) => message).join('\n')

  const refusals: [string, Record<string, string>, RegExp][] = [
    ['no secret', { AUTH_SECRET: '' }, /Set the secret AUTH_SECRET .*wrangler secret put AUTH_SECRET/],
    ['a short secret', { AUTH_SECRET: 'short-secret' }, /12 bytes and needs 32/],
    ['a secret and a key set', { AUTH_JWKS_URL: 'https://x.example' }, /not both/],
    ['a key set that is not encrypted', { AUTH_SECRET: '', AUTH_JWKS_URL: 'http://x.example' }, /begins with https/],
    ['an origin with a path', { CORS_ORIGINS: 'https://app.example/' }, /CORS_ORIGINS.*write https:\/\/app\.example/],
    ['a claim that is no path', { AUTH_SCOPES_CLAIM: 'a..b' }, /AUTH_SCOPES_CLAIM must be names of claims/],
    ['a file', { DATABASE_URL: 'file:a.db' }, /DATABASE_URL must begin with libsql.*no files/],
  ]
  it.each(refusals)('answers 500 and says what to do where it was given %s', async (_, secrets, message) => {
    worker = await startWorker(secrets)
    for (const path of ['/v1/pull', '/health']) {
      const answer = await ask('GET', path)
      expect([answer.status, answer.headers.get('content-type')]).toEqual([
        500,
        'application/problem+json; charset=utf-8',
      ])
      expect(answer.json.detail).toMatch(message)
      expect(answer.text).not.toContain('short-secret')
    }
    expect(logs()).toMatch(message)
  })

  it('of wrangler.toml starts as it is, with the tables of this repository’s app, whichever they are', async () => {
    worker = await startAppWorker()
    const synced = await ask('POST', '/v1/sync', { body: { client: 'a', changes: [], cursor: null } })
    expect([synced.status, synced.json.changes]).toEqual([200, []])
    const document = await ask('GET', '/openapi.json')
    expect(document.status).toBe(200)
    for (const { name } of app.tables) expect(document.text).toContain(`"${name}"`)
  })

  it('P13 answers 503 with Retry-After while the database is away, and logs a code and no address', async () => {
    worker = await startWorker({ DATABASE_URL: 'postgres://u:secret-password@127.0.0.1:1/x' })
    const answer = await ask('POST', '/v1/push', { body: { client: 'a', changes: [] } })
    expect(answer.status).toBe(200)
    const away = await ask('GET', '/v1/pull')
    expect([away.status, away.json.code, away.json.retryable]).toEqual([503, 'unavailable', true])
    expect(Number(away.headers.get('retry-after'))).toBeGreaterThan(0)
    const line = /"route":"\/v1\/pull","status":503,"code":"unavailable","fault":"transient"/
    await vi.waitFor(() => expect(logs()).toMatch(line))
    expect(away.text + logs()).not.toMatch(/secret-password|127\.0\.0\.1:1\b|SELECT/)
  })

  it('gives Postgres its password by SCRAM', async () => {
    const postgres = await startPostgres()
    const client = new pg.Client({ connectionString: postgres.url })
    await client.connect()
    await client.query("CREATE ROLE scrammed SUPERUSER LOGIN PASSWORD 'pass word:€'")
    await writeFile(join(postgres.dataDir, 'pg_hba.conf'), 'host all scrammed 127.0.0.1/32 scram-sha-256\n')
    await client.query('SELECT pg_reload_conf()')
    await client.end()
    const url = new URL(postgres.url)
    // The database is empty, which only whoever is let in can find.
    for (const [password, code] of [
      ['pass word:€', 'schema_behind'],
      ['wrong', 'internal'],
    ] as const) {
      url.username = 'scrammed'
      url.password = encodeURIComponent(password)
      worker = await startWorker({ DATABASE_URL: url.href })
      expect((await ask('GET', '/health')).json.code, logs()).toBe(code)
      await worker.close()
    }
    worker = undefined
    await postgres.stop()
  })

  it('P9 prunes a database when the cron trigger fires', async () => {
    const { store, url, close } = await openTestStore('postgres')
    worker = await startWorker({ DATABASE_URL: url, RETENTION: '0d' })
    const at = Date.now() * 1000
    const push = (...changes: object[]) => ask('POST', '/v1/push', { body: { client: 'a', changes } })
    await push({ table: 'todos', op: 'put', id: '1', at, row: { title: 'x' } })
    const { cursor } = (await ask('GET', '/v1/pull')).json
    await push({ table: 'todos', op: 'delete', id: '1', at: at + 1 })
    expect((await worker.getWorker().scheduled({ cron: '17 3 * * *' })).outcome).toBe('ok')
    expect((await ask('GET', `/v1/pull?cursor=${cursor}`)).json).toMatchObject({ status: 410, reason: 'pruned' })
    expect((await store.batch('alice', [{ sql: 'SELECT id FROM todos', params: [] }]))[0]).toEqual([])
    await close()
  })

  it('P2 an object that was evicted has kept its rows', async () => {
    worker = await startWorker()
    const changes = [{ table: 'todos', op: 'put', id: '1', at: Date.now() * 1000, row: { title: 'kept' } }]
    expect((await ask('POST', '/v1/push', { body: { client: 'a', changes } })).json.verdicts[0].verdict).toBe('applied')
    await worker.getWorker().evictDurableObject('ScopeObject', { name: 'alice' })
    expect((await ask('GET', '/v1/pull')).json.changes).toMatchObject([{ row: { title: 'kept' } }])
  })
})
