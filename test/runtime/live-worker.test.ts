import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeLive } from '../suites/live-suite.ts'
import { listenByEvents, listenBySocket, put, quiet } from '../support/live.ts'
import { request } from '../support/server.ts'
import { startWorker } from '../support/worker.ts'

const messages = (worker: Awaited<ReturnType<typeof startWorker>>) =>
  worker
    .getLogs()
    .map(({ message }) => message)
    .join('\n')

describeLive('workerd', async (settings) => {
  const worker = await startWorker(settings)
  return { url: worker.url.origin, seesStreamsGo: false, logs: () => messages(worker), close: () => worker.close() }
})

describe('the live objects', () => {
  let worker: Awaited<ReturnType<typeof startWorker>>
  beforeAll(async () => {
    worker = await startWorker({ LOG: 'errors' })
  })
  afterAll(() => worker.close())
  const push = (changes: object[], sub: string, scopes: string[] = []) =>
    request(worker.url.origin, 'POST', '/v1/push', { body: { client: 'a', changes }, sub, scopes })
  const evict = (name: string, webSockets: 'hibernate' | 'close' = 'hibernate') =>
    worker.getWorker().evictDurableObject('LiveObject', { name, webSockets })

  it('P15 keep telling a socket that hibernates, of its own scope and of one that it follows', async () => {
    const listener = await listenBySocket(worker.url.origin, { sub: 'alice', scopes: ['team'] })
    for (let round = 1; round <= 2; round++) {
      await evict('alice')
      await evict('team')
      await push([put(`${round}`), put(`${round}`, { scope: 'team' })], 'alice', ['team'])
      await listener.reached('alice', round)
      await listener.reached('team', round)
    }
    expect(listener.pokes).toHaveLength(4)
    listener.close()
  })

  it('close a socket that hibernates when its token expires', async () => {
    const listener = await listenBySocket(worker.url.origin, { sub: 'bob', scopes: ['team'], seconds: 3 })
    await evict('bob')
    expect(await listener.closed).toMatchObject({ code: 4401 })
  })

  it('forget who follows when nobody there listens any more, and tell whoever comes back', async () => {
    const claims = { sub: 'carol', scopes: ['news'] }
    const change = (id: string) => push([put(id, { scope: 'news' })], 'carol', ['news'])
    const gone = await listenBySocket(worker.url.origin, claims)
    gone.close()
    await gone.closed
    await change('1')
    await quiet()
    const back = await listenBySocket(worker.url.origin, claims)
    const stream = await listenByEvents(worker.url.origin, claims)
    await change('2')
    await back.reached('news', 2)
    await stream.reached('news', 2)
    back.close()
    await change('3')
    await stream.reached('news', 3)
    stream.close()
  })

  it('P15 lose nothing when an object is replaced: the client connects again and pulls', async () => {
    const listener = await listenBySocket(worker.url.origin, { sub: 'dave' })
    await evict('dave', 'close')
    await listener.closed
    await push([put('1')], 'dave')
    const pulled = await request(worker.url.origin, 'GET', '/v1/pull', { sub: 'dave' })
    expect(pulled.json.changes).toHaveLength(1)
    const again = await listenBySocket(worker.url.origin, { sub: 'dave' })
    await push([put('2')], 'dave')
    await again.reached('dave', 2)
    again.close()
  })

  it('say nothing in the log', () => {
    expect(messages(worker)).toBe('')
  })
})
