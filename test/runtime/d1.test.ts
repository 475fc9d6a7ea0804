import { afterEach, expect, it, vi } from 'vitest'
import { type Receiver, startReceiver } from '../support/receiver.ts'
import { request } from '../support/server.ts'
import { sendWebhook, webhookSecret } from '../support/webhook.ts'
import { localD1, startWorker } from '../support/worker.ts'

const soon = { timeout: 20_000, interval: 50 }
const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

it('P2 P9 P14 the worker on D1: pushes, pulls, webhooks in and out, pruning by cron, and a restart', async () => {
  const receiver: Receiver = await startReceiver()
  cleanups.push(receiver.close)
  const settings = {
    RETENTION: '0d',
    WEBHOOK_SECRETS: JSON.stringify({ crm: webhookSecret }),
    WEBHOOK_ENDPOINTS: JSON.stringify([receiver.endpoint({ scopes: ['alice'] })]),
    WEBHOOK_ALLOW_PRIVATE: 'true',
  }
  const worker = await startWorker(settings, localD1)
  cleanups.push(() => worker.close())
  const ask = (method: string, path: string, body?: unknown, sub = 'alice') =>
    request(worker.url.origin, method, path, { sub, ...(body !== undefined && { body }) })
  const push = (...changes: object[]) => ask('POST', '/v1/push', { client: 'a', changes })
  const told = () => receiver.received.map(({ scope, to }) => `${scope} ${to}`)
  const at = Date.now() * 1000

  // The first request finds a database without tables.
  expect(await ask('GET', '/health')).toMatchObject({ status: 200 })
  const changes = [
    { table: 'todos', op: 'put', id: '1', at, row: { title: 'one' } },
    { table: 'todos', op: 'put', id: '2', at, row: { title: 'two' } },
  ]
  const first = await ask('POST', '/v1/sync', { client: 'a', cursor: null, changes })
  expect(first.json.verdicts).toMatchObject([{ verdict: 'applied' }, { verdict: 'applied' }])
  expect((await push(...changes)).json.verdicts).toMatchObject([{ verdict: 'duplicate' }, { verdict: 'duplicate' }])
  const { cursor } = (await ask('GET', '/v1/pull')).json
  expect((await ask('GET', '/v1/pull', undefined, 'bob')).json.changes).toEqual([])
  await vi.waitFor(() => expect(told()).toEqual(['alice 2']), soon)

  // What an endpoint did not take is sent again by the trigger of every minute.
  receiver.answers(() => 503)
  await push({ table: 'todos', op: 'delete', id: '1', at: at + 1 })
  await vi.waitFor(() => expect(told()).toHaveLength(2), soon)
  receiver.answers(() => 204)
  await vi.waitFor(async () => {
    expect((await worker.getWorker().scheduled({ cron: '* * * * *' })).outcome).toBe('ok')
    expect(told()).toHaveLength(3)
  }, soon)
  expect((await ask('GET', `/v1/pull?cursor=${cursor}`)).json.changes).toMatchObject([{ op: 'delete', id: '1' }])

  // The trigger of the night prunes.
  expect((await worker.getWorker().scheduled({ cron: '17 3 * * *' })).outcome).toBe('ok')
  expect((await ask('GET', `/v1/pull?cursor=${cursor}`)).json).toMatchObject({ status: 410, reason: 'pruned' })

  const post = (path: string, init: RequestInit) => fetch(new URL(path, worker.url), init)
  const put = { table: 'todos', op: 'put', scope: 'alice', id: '3', at: at + 2, row: { title: 'three' } }
  for (const _ of [1, 2]) {
    const { status, body } = await sendWebhook(post, { changes: [put] }, { id: 'msg_1' })
    expect([status, body.verdicts]).toMatchObject([200, [{ verdict: 'applied' }]])
  }

  await worker.restart()
  const ids = (await ask('GET', '/v1/pull')).json.changes.map(({ id }: { id: string }) => id)
  expect(ids).toEqual(['2', '3'])
})
