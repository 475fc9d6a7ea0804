import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { createApp } from '../../src/http/app.ts'
import { hashScope, type RequestEvent, type SyncEvent } from '../../src/observe/facts.ts'
import { signToken } from '../../src/runtime/sign-token.ts'
import { type Store, StoreFault } from '../../src/stores/store.ts'
import { createSync } from '../../src/sync/create-sync.ts'
import { alice, noon, patch, put } from '../support/sample.ts'
import { schema } from '../support/schema.ts'
import { testSecret } from '../support/server.ts'
import { openTestStore, type TestStore } from '../support/stores.ts'

describe('onSync', () => {
  let opened: TestStore
  beforeAll(async () => {
    opened = await openTestStore('libsql file')
  })
  afterAll(() => opened.close())
  afterEach(() => void vi.restoreAllMocks())

  const now = () => noon / 1000 + 1_000
  const failing = (from: number): Store => {
    let calls = 0
    const batch: Store['batch'] = (scope, statements) => {
      if (++calls < from) return opened.store.batch(scope, statements)
      throw new StoreFault('transient', { message: 'SELECT secret', code: 'SQLITE_IOERR' })
    }
    return { ...opened.store, batch }
  }
  function serve(onSync: (event: SyncEvent) => unknown, store = opened.store) {
    const app = createApp({ schema, store, now, auth: { secret: testSecret }, onSync })
    return async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
      app.request(path, {
        method,
        headers: {
          Authorization: `Bearer ${await signToken(testSecret, { sub: 'alice' })}`,
          'Content-Type': 'application/json',
          ...headers,
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
  }
  const settle = (done: () => boolean) => vi.waitFor(() => expect(done()).toBe(true))

  it('is told of each push, pull and sync after its answer, failed ones included, and of no other request', async () => {
    const events: SyncEvent[] = []
    const call = serve((event) => events.push(event))
    const answer = await call('POST', '/v1/push', {
      client: 'a',
      changes: [put('1', 1, 'canary'), patch('none', 2, { done: true })],
    })
    expect(events).toEqual([])
    await settle(() => events.length === 1)
    expect(events[0]).toMatchObject({
      operation: 'push',
      requestId: answer.headers.get('x-request-id'),
      status: 200,
      code: undefined,
      aborted: false,
      changes: 2,
      verdicts: { applied: 1, duplicate: 0, stale: 0, rejected: 1 },
      rejected: { row_missing: 1 },
      rows: 0,
      scopes: 1,
      scopeHash: await hashScope('alice'),
    })
    expect(JSON.stringify(events)).not.toMatch(/canary|"alice|eyJ/)
    for (const [path, method] of [
      ['/health', 'GET'],
      ['/none', 'GET'],
      ['/v1/push', 'GET'],
      ['/v1/pull', 'GET'],
    ] as const) {
      await call(method, path)
    }
    await call('POST', '/v1/sync', { client: '' })
    await call('GET', '/v1/pull', undefined, { Authorization: '' })
    await settle(() => events.length === 4)
    expect(events.slice(1).map(({ operation, status, code, rows }) => [operation, status, code, rows])).toEqual([
      ['pull', 200, undefined, 1],
      ['sync', 400, 'malformed', 0],
      ['pull', 401, 'unauthorized', 0],
    ])
  })

  it('hears the same from createSync', async () => {
    const events: SyncEvent[] = []
    const options = { schema, now, onSync: (event: SyncEvent) => events.push(event) }
    const sync = createSync({ ...options, store: opened.store })
    await sync.push(alice, { client: 'a', changes: [put('2', 1, 'x')] })
    await sync.pull(alice)
    await expect(sync.sync(alice, { client: '' })).rejects.toThrow('client')
    await expect(createSync({ ...options, store: failing(1) }).pull(alice)).rejects.toThrow()
    await settle(() => events.length === 4)
    expect(events.map(({ operation, status, code, fault }) => [operation, status, code, fault])).toEqual([
      ['push', 200, undefined, undefined],
      ['pull', 200, undefined, undefined],
      ['sync', 400, 'malformed', undefined],
      ['pull', 503, 'unavailable', 'transient'],
    ])
    expect(events[0]).toMatchObject({ scopeHash: await hashScope('alice'), verdicts: { applied: 1 } })
  })

  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('canary')
      },
    ],
    ['rejects', () => Promise.reject(new Error('canary'))],
    ['never ends', () => new Promise(() => {})],
  ])('that %s breaks and delays nothing, and is logged the first time', async (name, hook) => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => {})
    let called = 0
    const counted = () => {
      called++
      return hook()
    }
    const call = serve(counted)
    const sync = createSync({ schema, store: opened.store, now, onSync: counted })
    for (let n = 0; n < 3; n++) expect((await call('POST', '/v1/push', { client: 'a' })).status).toBe(200)
    for (let n = 0; n < 3; n++) expect((await sync.push(alice, { client: 'a' })).verdicts).toEqual([])
    await settle(() => called === 6)
    // One for the app, one for createSync.
    await settle(() => log.mock.calls.length === (name === 'never ends' ? 0 : 2))
    for (const [line] of log.mock.calls) {
      expect(JSON.parse(line)).toMatchObject({ level: 'error', where: 'onSync', fault: 'Error' })
      expect(line).not.toContain('canary')
    }
  })

  it('hears of a stream that a fault has cut, once, with what was behind it', async () => {
    const sync = createSync({ schema, store: opened.store, now })
    await sync.push(alice, { client: 'a', changes: Array.from({ length: 30 }, (_, n) => put(`s${n}`, 5, 'x')) })
    const events: (SyncEvent & Partial<RequestEvent>)[] = []
    const call = serve((event) => events.push(event), failing(4))
    const answer = await call('GET', '/v1/pull?limit=10', undefined, { Accept: 'application/x-ndjson' })
    await expect(answer.text()).rejects.toThrow()
    await settle(() => events.length === 1)
    expect(events).toMatchObject([
      { status: 200, aborted: true, rows: 20, fault: 'transient', faultCode: 'SQLITE_IOERR', route: '/v1/pull' },
    ])
    expect(JSON.stringify(events)).not.toContain('secret')
  })
})
