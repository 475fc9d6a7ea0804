import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { type AppOptions, createApp } from '../../src/http/app.ts'
import { signToken } from '../../src/runtime/sign-token.ts'
import { type Store, StoreFault } from '../../src/stores/store.ts'
import { principal, put, sampleSync } from '../support/sample.ts'
import { schema } from '../support/schema.ts'
import { testSecret } from '../support/server.ts'
import { openTestStore, type TestStore } from '../support/stores.ts'

describe('a 500 of an app that nobody listens to', () => {
  let opened: TestStore
  beforeAll(async () => {
    opened = await openTestStore('libsql file')
    const changes = ['a', 'b', 'c'].map((id) => put(id, 0, id))
    await sampleSync(opened.store).push(principal('alice'), { client: 'a', changes })
  })
  afterAll(() => opened.close())
  afterEach(() => void vi.restoreAllMocks())

  const failing = (fault: unknown, from = 1): Store => {
    let batches = 0
    const batch: Store['batch'] = async (scope, statements) => {
      if (++batches >= from) throw fault
      return opened.store.batch(scope, statements)
    }
    return { ...opened.store, batch }
  }
  const broken = new StoreFault('broken', { message: 'SELECT secret', code: '42501' })
  const away = new StoreFault('transient', { message: 'SELECT secret', code: '57P01' })
  async function ask(store: Store, path = '/v1/pull', headers: object = {}, more: Partial<AppOptions> = {}) {
    const lines: string[] = []
    vi.spyOn(console, 'error').mockImplementation((line) => void lines.push(String(line)))
    const app = createApp({ schema, store, auth: { secret: testSecret }, ...more } as AppOptions<typeof schema>)
    const token = await signToken(testSecret, { sub: 'alice' })
    const answer = await app.request(path, { headers: { Authorization: `Bearer ${token}`, ...headers } })
    await answer.text().catch(() => {})
    await new Promise((resolve) => setTimeout(resolve, 50))
    return { status: answer.status, id: answer.headers.get('x-request-id'), lines }
  }

  it.each<[string, unknown, string, object]>([
    ['a fault of the database', broken, '/v1/pull', { fault: 'broken', fault_code: '42501' }],
    ['a mistake of ours', new RangeError('secret'), '/v1/pull', { fault: 'RangeError' }],
    ['a mistake in /health', new RangeError('secret'), '/health', { fault: 'RangeError' }],
  ])('is a line in the log with its request id, and no more: %s', async (_, fault, path, expected) => {
    for (const more of [{}, { onSync: () => {} }]) {
      const { status, id, lines } = await ask(failing(fault), path, {}, more)
      expect([status, lines.length]).toEqual([500, 1])
      expect(JSON.parse(lines[0] ?? '')).toMatchObject({
        level: 'error',
        where: 'request',
        request_id: id,
        ...expected,
      })
      expect(lines[0]).not.toContain('secret')
    }
  })

  it('is one in the middle of a stream as well', async () => {
    const stream = { Accept: 'application/x-ndjson' }
    const { status, id, lines } = await ask(failing(broken, 3), '/v1/pull?limit=1', stream)
    expect(status).toBe(200)
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([{ request_id: id, fault: 'broken' }])
  })

  it('is none where somebody listens, nor for what is no fault of ours', async () => {
    const told: unknown[] = []
    const listened = await ask(failing(broken), '/v1/pull', {}, { onRequest: (event) => told.push(event) })
    expect([listened.status, listened.lines, told.length]).toEqual([500, [], 1])
    for (const [fault, path, status] of [
      [away, '/v1/pull', 503],
      [away, '/none', 404],
      [away, '/v1/pull?limit=0', 400],
    ] as const) {
      const answer = await ask(failing(fault), path)
      expect([answer.status, answer.lines]).toEqual([status, []])
    }
  })
})
