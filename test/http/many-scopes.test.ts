import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createApp } from '../../src/http/app.ts'
import { openEvents } from '../../src/live/events.ts'
import { createHub } from '../../src/live/hub.ts'
import type { Live } from '../../src/live/live.ts'
import { signToken } from '../../src/runtime/sign-token.ts'
import type { Store } from '../../src/stores/store.ts'
import { noon } from '../support/sample.ts'
import { schema } from '../support/schema.ts'
import { testSecret } from '../support/server.ts'
import { inThisRun, openTestStore, storeNames, type TestStore } from '../support/stores.ts'
import { linesOf } from '../support/streams.ts'

const scopes = Array.from({ length: 100 }, (_, n) => `scope${n}`)
/** The last ten are never written. */
const written = scopes.slice(0, 90)

describe.each(inThisRun([...storeNames, 'd1']))('requests of a hundred scopes on %s', (name) => {
  let opened: TestStore
  let app: ReturnType<typeof createApp>
  const hub = createHub()
  /** As of a Node process, without a bus to others. */
  const live: Live = { poke: hub.poke, connect: (_, listener) => openEvents(hub, listener) }
  let batches = 0
  let headers: Record<string, string>
  beforeAll(async () => {
    opened = await openTestStore(name)
    const store: Store = {
      ...opened.store,
      batch(scope, statements) {
        batches++
        return opened.store.batch(scope, statements)
      },
    }
    app = createApp({ schema, store, live, auth: { secret: testSecret }, now: () => noon / 1000 })
    headers = { Authorization: `Bearer ${await signToken(testSecret, { sub: 'scope0', scopes })}` }
    await post('/v1/push', { client: 'a', changes: changesAt(0) })
  })
  afterAll(async () => {
    hub.close()
    await opened?.close()
  })

  const changesAt = (at: number) =>
    written.map((scope) => ({ scope, table: 'todos', op: 'put', id: `r${at}`, at: noon + at, row: { title: 't' } }))
  const post = async (path: string, body: object) => {
    const json = { ...headers, 'Content-Type': 'application/json' }
    const answer = await app.request(path, { method: 'POST', headers: json, body: JSON.stringify(body) })
    expect(answer.status).toBe(200)
    return answer.json()
  }
  const stream = (more: Record<string, string> = {}, query = '?limit=1000') =>
    app.request(`/v1/pull${query}`, { headers: { ...headers, Accept: 'application/x-ndjson', ...more } })
  /** Batches, which are round trips to the database: both are counted where the store can tell. */
  const tripsOf = async (work: () => Promise<unknown>) => {
    const before = [batches, opened.roundTrips()] as const
    await work()
    const trips = batches - before[0]
    if (!Number.isNaN(opened.roundTrips())) expect(opened.roundTrips() - before[1]).toBe(trips)
    return trips
  }

  it('a stream that the client holds already costs one round trip, and a new one as many as pages and one', async () => {
    const first = await stream()
    const tag = first.headers.get('etag') ?? ''
    const lines = await linesOf(first)
    expect(lines[0]).toMatchObject({ rows: written.length })
    expect(lines).toHaveLength(written.length + 2)
    const held = await tripsOf(async () => expect((await stream({ 'If-None-Match': tag })).status).toBe(304))
    expect(held).toBe(1)
    const whole = await tripsOf(async () => expect(await linesOf(await stream())).toHaveLength(written.length + 2))
    expect(whole).toBe(2)
    const { cursor } = lines.at(-1) as { cursor: string }
    await post('/v1/push', { client: 'a', changes: changesAt(1).slice(0, 20) })
    const rest = await tripsOf(async () => {
      const [top, ...others] = await linesOf(await stream({}, `?limit=1000&cursor=${cursor}`))
      expect([top, others.length]).toMatchObject([{ rows: 20 }, 21])
    })
    expect(rest).toBe(2)
    const changed = await tripsOf(async () => expect((await stream({ 'If-None-Match': tag })).status).toBe(200))
    expect(changed).toBe(3)
  })

  it('P15 who listens to all of them asks the database nothing, nor does any of their pokes', async () => {
    let body: ReadableStream<Uint8Array> | null = null
    const connecting = await tripsOf(async () => {
      const answer = await app.request('/v1/live', { headers: { ...headers, Accept: 'text/event-stream' } })
      expect(answer.status).toBe(200)
      body = answer.body
    })
    expect(connecting).toBe(0)
    const pokes = new Set<string>()
    const pushing = await tripsOf(async () => {
      await post('/v1/push', { client: 'a', changes: changesAt(2) })
      const decoder = new TextDecoder()
      for await (const block of body ?? []) {
        for (const [, scope = ''] of decoder.decode(block).matchAll(/"scope":"(\w+)"/g)) pokes.add(scope)
        if (pokes.size === written.length) break
      }
    })
    expect(pushing).toBe(1)
  })
})
