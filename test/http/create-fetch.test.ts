import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createFetch, type FetchOptions } from '../../src/runtime/fetch.ts'
import { signToken } from '../../src/runtime/sign-token.ts'
import { type Receiver, startReceiver } from '../support/receiver.ts'
import { schema } from '../support/schema.ts'
import { testSecret } from '../support/server.ts'
import { openTestStore, type TestStore } from '../support/stores.ts'

describe('a plain handler', () => {
  let opened: TestStore
  let receiver: Receiver
  beforeAll(async () => {
    opened = await openTestStore('libsql file')
    receiver = await startReceiver()
  })
  afterAll(async () => {
    await receiver.close()
    await opened.close()
  })

  const create = (env: Record<string, string>, more: Partial<FetchOptions<typeof schema>> = {}) =>
    createFetch({ schema, env: { LOG: 'off', ...env }, openStore: () => opened.store, ...more })
  const asked = async (path: string, body?: object) =>
    new Request(`https://app.example${path}`, {
      headers: {
        Authorization: `Bearer ${await signToken(testSecret, { sub: 'alice' })}`,
        'Content-Type': 'application/json',
      },
      ...(body && { method: 'POST', body: JSON.stringify(body) }),
    })
  const push = {
    client: 'a',
    changes: [{ table: 'lists', op: 'put', id: '1', at: 1_700_000_000_000_000, row: { name: 'x' } }],
  }

  it.each([
    ['/api/sync/v1/pull', 200],
    ['/api/sync/v1/pull?limit=1', 200],
    ['/api/sync/health', 200],
    ['/api/sync', 404],
    ['/api/sync/', 404],
    ['/api/syncv1/pull', 404],
    ['/v1/pull', 404],
    ['/other/api/sync/v1/pull', 404],
  ])('below a path answers %s with %i', async (path, status) => {
    const handle = create({ AUTH_SECRET: testSecret }, { path: '/api/sync' })
    const answer = await handle(await asked(path))
    expect(answer.status).toBe(status)
    if (status === 404) expect(answer.headers.get('content-type')).toContain('application/problem+json')
  })

  it.each(['/', 'api', '/api/', '/a//b', '/:x', '/a?b'])('takes no path of the form %s', (path) => {
    expect(() => create({}, { path })).toThrow(/^path must be of the form \/api\/sync, without a \/ at its end$/)
  })

  it('says what is wrong with a setting, and shows none of it', async () => {
    const error = vi.spyOn(console, 'error').mockImplementation(() => {})
    for (const [env, detail] of [
      [{}, /Set AUTH_SECRET .* or AUTH_JWKS_URL/],
      [{ AUTH_SECRET: 'short-secret' }, /AUTH_SECRET has 12 bytes and needs 32/],
      [{ AUTH_SECRET: testSecret, LOG: 'loud' }, /LOG must be one of/],
    ] as const) {
      const answer = await create(env)(await asked('/v1/pull'))
      expect(answer.status).toBe(500)
      expect(answer.headers.get('x-request-id')).toHaveLength(36)
      const text = await answer.text()
      expect(text).toMatch(detail)
      expect(text).not.toMatch(/short-secret|loud/)
    }
    error.mockRestore()
  })

  it('P13 opens its store with the first request, once, and again where that failed', async () => {
    const error = vi.spyOn(console, 'error').mockImplementation(() => {})
    let tries = 0
    const openStore = async () => {
      if (++tries === 1) throw new Error('the database is away')
      return opened.store
    }
    const handle = create({ AUTH_SECRET: testSecret }, { openStore })
    expect(tries).toBe(0)
    const statuses = []
    for (let n = 0; n < 3; n++) statuses.push((await handle(await asked('/v1/pull'))).status)
    expect([statuses, tries]).toEqual([[500, 200, 200], 2])
    error.mockRestore()
  })

  it('hands what goes on after an answer to the runtime: a webhook that is sent', async () => {
    const works: Promise<unknown>[] = []
    const WEBHOOK_ENDPOINTS = JSON.stringify([receiver.endpoint()])
    const handle = create(
      { AUTH_SECRET: testSecret, WEBHOOK_ENDPOINTS, WEBHOOK_ALLOW_PRIVATE: 'true' },
      { waitUntil: (work) => works.push(work) },
    )
    expect((await handle(await asked('/v1/push', push))).status).toBe(200)
    await Promise.all(works)
    expect(receiver.received.map(({ scope }) => scope)).toEqual(['alice'])
  })
})
