import { afterEach, beforeEach, describe, expect, inject, it, vi } from 'vitest'
import { migrate } from '../../src/migrations/apply.ts'
import { readMigrations } from '../../src/migrations/read.ts'
import { openStore } from '../../src/stores/open.ts'
import { sampleMigrations } from '../support/migrations.ts'
import { startNeonGateway } from '../support/neon-gateway.ts'
import { type Answer, type Receiver, startReceiver } from '../support/receiver.ts'
import { request, testSecret } from '../support/server.ts'
import { createDatabase } from '../support/stores.ts'
import { startTestWorker, startWorker } from '../support/worker.ts'

const soon = { timeout: 20_000, interval: 50 }

describe('outgoing webhooks of a worker', () => {
  const cleanups: (() => unknown)[] = []
  let receiver: Receiver
  beforeEach(async () => {
    receiver = await startReceiver()
    cleanups.push(receiver.close)
  })
  afterEach(async () => {
    for (const clean of cleanups.splice(0).reverse()) await clean()
  })
  const settings = (more: object = {}): Record<string, string> => ({
    WEBHOOK_ENDPOINTS: JSON.stringify([receiver.endpoint(more)]),
    WEBHOOK_ALLOW_PRIVATE: 'true',
  })
  async function push(worker: { url: URL }, sub: string, id: string) {
    const changes = [{ table: 'todos', op: 'put', id, at: Date.now() * 1000, row: { title: id } }]
    const { json } = await request(worker.url.origin, 'POST', '/v1/push', { sub, body: { client: 'a', changes } })
    expect(json.verdicts).toMatchObject([{ verdict: 'applied' }])
  }
  const told = () => receiver.received.map(({ scope, to }) => `${scope} ${to}`)

  it('P2 a Durable Object sends by its alarm, in order, and again what failed', async () => {
    const worker = await startWorker(settings({ rows: true, scopes: ['alice'] }))
    cleanups.push(() => worker.close())
    const answers: Answer[] = [{ status: 307, headers: { Location: `${receiver.url}/elsewhere` } }, 204]
    receiver.answers(() => answers[receiver.received.length - 1] ?? 204)
    await push(worker, 'alice', '1')
    await vi.waitFor(() => expect(told()).toEqual(['alice 1']), soon)
    await push(worker, 'alice', '2')
    await push(worker, 'bob', '1')
    await vi.waitFor(() => expect(told()).toEqual(['alice 1', 'alice 1', 'alice 2']), soon)
    expect(receiver.received[0]?.id).toBe(receiver.received[1]?.id)
    expect((receiver.received[1]?.at ?? 0) - (receiver.received[0]?.at ?? 0)).toBeGreaterThan(4_900)
    expect(receiver.received.map(({ path }) => path)).toEqual(['/hook', '/hook', '/hook'])
    expect(receiver.received[2]?.payload.data.changes).toMatchObject([{ id: '2', row: { title: '2' } }])
    const logs = worker.getLogs().map(({ message }) => message)
    expect(logs.filter((line) => line.includes('"where":"delivery"'))).toHaveLength(1)
    expect(logs.join()).not.toMatch(/whsec|the body of/)
    await push(worker, 'alice', '3')
    await vi.waitFor(() => expect(told().at(-1)).toBe('alice 3'), soon)
    expect(receiver.forged).toEqual([])
  })

  it('P2 an object that is evicted before it has sent still does', async () => {
    const worker = await startWorker(settings())
    cleanups.push(() => worker.close())
    receiver.answers(() => (receiver.received.length === 1 ? 500 : 204))
    await push(worker, 'alice', '1')
    await vi.waitFor(() => expect(told()).toEqual(['alice 1']), soon)
    await vi.waitFor(() => worker.getWorker().evictDurableObject('ScopeObject', { name: 'alice' }), soon)
    await vi.waitFor(() => expect(told()).toEqual(['alice 1', 'alice 1']), soon)
  })

  it('P2 over Neon, sends after the answer of a push, and by cron what failed', async () => {
    const url = await createDatabase()
    const store = await openStore(url)
    cleanups.push(() => store.close())
    await migrate(store, await readMigrations('postgres', sampleMigrations))
    const gateway = await startNeonGateway(inject('postgresUrl'))
    cleanups.push(gateway.close)
    const atNeon = new URL(url)
    atNeon.hostname = 'ep-test.neon.tech'
    const vars = {
      AUTH_SECRET: testSecret,
      DATABASE_URL: atNeon.href,
      NEON_ENDPOINT: gateway.fetchEndpoint,
      ...settings(),
    }
    const worker = await startTestWorker('neon', vars)
    cleanups.push(() => worker.close())
    await push(worker, 'alice', '1')
    await vi.waitFor(() => expect(told()).toEqual(['alice 1']), soon)
    receiver.answers(() => 503)
    await push(worker, 'alice', '2')
    await push(worker, 'bob', '1')
    await vi.waitFor(() => expect(told()).toHaveLength(3), soon)
    receiver.answers(() => 204)
    const cron = () => worker.getWorker().scheduled({ cron: '* * * * *' })
    await vi.waitFor(async () => {
      expect((await cron()).outcome).toBe('ok')
      expect(told().slice(3).toSorted()).toEqual(['alice 2', 'bob 1'])
    }, soon)
    const left = { sql: 'SELECT * FROM driftline_deliveries', params: [] }
    await vi.waitFor(async () => expect((await store.batch('alice', [left]))[0]).toEqual([]), soon)
    // Only the nightly trigger prunes.
    const marks = { sql: 'SELECT scope FROM driftline_marks', params: [] }
    expect((await store.batch('', [marks]))[0]).toEqual([])
    expect((await worker.getWorker().scheduled({ cron: '17 3 * * *' })).outcome).toBe('ok')
    expect((await store.batch('', [marks]))[0]).toHaveLength(2)
    expect(receiver.forged).toEqual([])
  })

  it('refuses private hosts unless the setting allows them, and says what to write', async () => {
    const worker = await startWorker({ ...settings(), WEBHOOK_ALLOW_PRIVATE: '' })
    cleanups.push(() => worker.close())
    const { status, json } = await request(worker.url.origin, 'GET', '/v1/pull')
    expect(status).toBe(500)
    expect(json.detail).toMatch(/WEBHOOK_ENDPOINTS: url must begin with https:\/\//)
  })
})
