import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createApp } from '../../src/http/app.ts'
import type { RequestEvent } from '../../src/observe/facts.ts'
import { signToken } from '../../src/runtime/sign-token.ts'
import { createSync } from '../../src/sync/create-sync.ts'
import { createBuckets } from '../../src/sync/quotas/buckets.ts'
import type { QuotaOptions } from '../../src/sync/quotas/quotas.ts'
import { del, noon, patch, principal, put, type SampleChange } from '../support/sample.ts'
import { schema } from '../support/schema.ts'
import { testSecret } from '../support/server.ts'
import { allStoreNames, openTestStore, type TestStore } from '../support/stores.ts'

describe('buckets', () => {
  it('take what is there, say when there is more, and fill up evenly to the brim', () => {
    let now = 0
    const buckets = createBuckets(60, 60_000, () => now)
    expect(buckets.take('a', 50)).toBe(0)
    expect(buckets.take('a', 20)).toBe(10_000)
    expect(buckets.take('b', 60)).toBe(0)
    now += 9_999
    expect(buckets.take('a', 20)).toBe(1)
    now += 1
    expect(buckets.take('a', 20)).toBe(0)
    now += 3_600_000
    expect([buckets.takeSome('a', 100), buckets.takeSome('a', 100)]).toEqual([60, 0])
    now -= 7_200_000
    expect(buckets.take('a', 1)).toBe(1_000)
    buckets.giveBack('a', 1_000)
    expect(buckets.takeSome('a', 1_000)).toBe(60)
  })

  it('take more than they hold where they are full, and make up for it', () => {
    let now = 0
    const buckets = createBuckets(60, 60_000, () => now)
    expect(buckets.take('a', 90)).toBe(0)
    expect(buckets.take('a', 1)).toBe(31_000)
    now += 31_000
    expect(buckets.take('a', 1)).toBe(0)
  })
})

describe('changes a minute of a subject', () => {
  let opened: TestStore
  beforeAll(async () => {
    opened = await openTestStore('libsql file')
  })
  afterAll(() => opened.close())

  const open = (more: QuotaOptions) => {
    const events: RequestEvent[] = []
    const onRequest = (event: RequestEvent) => events.push(event)
    const app = createApp({
      schema,
      store: opened.store,
      auth: { secret: testSecret },
      now: () => noon / 1000,
      onRequest,
      ...more,
    })
    const send = async (sub: string, path: string, body: string | object, type = 'application/json') => {
      const headers = { Authorization: `Bearer ${await signToken(testSecret, { sub })}`, 'Content-Type': type }
      return app.request(path, {
        method: 'POST',
        headers,
        body: typeof body === 'string' ? body : JSON.stringify(body),
      })
    }
    const push = (sub: string, changes: readonly unknown[]) => send(sub, '/v1/push', { client: 'phone', changes })
    return { app, send, push, events }
  }

  it('beyond the setting are 429 with Retry-After and a line in the log, apply nothing, and are no one else’s', async () => {
    const { push, send, events } = open({ changesPerMinuteMax: 3 })
    expect((await push('hasty', [put('a', 0, 'a'), put('b', 0, 'b'), { nonsense: true }])).status).toBe(200)
    const answer = await push('hasty', [put('c', 0, 'c')])
    expect([answer.status, await answer.json()]).toMatchObject([429, { code: 'quota_exceeded', retryable: true }])
    expect(Number(answer.headers.get('Retry-After'))).toBeGreaterThan(0)
    expect(Number(answer.headers.get('Retry-After'))).toBeLessThanOrEqual(20)
    expect((await push('calm', [put('c', 0, 'c')])).status).toBe(200)
    // Whoever brings nothing may still ask.
    const pulled = await send('hasty', '/v1/sync', { client: 'phone', cursor: null })
    const { changes } = (await pulled.json()) as { changes: { id: string }[] }
    expect(changes.map(({ id }) => id)).toEqual(['a', 'b'])
    await expect.poll(() => events.map(({ status, code }) => [status, code])).toContainEqual([429, 'quota_exceeded'])
  })

  it('are bounded by default, of an app and not of a backend’s own calls', async () => {
    const { push } = open({})
    expect((await push('usual', [put('a', 0, 'a')])).status).toBe(200)
    const limited = createSync({ schema, store: opened.store, now: () => noon / 1000, changesPerMinuteMax: 1 })
    const changes = [put('a', 0, 'a')]
    await limited.push(principal('backend'), { client: 'b', changes })
    const again = limited.push(principal('backend'), { client: 'b', changes })
    await expect(again).rejects.toMatchObject({ code: 'quota_exceeded' })
  })

  it('make an import wait, which takes every line', async () => {
    const { send } = open({ changesPerMinuteMax: 6_000 })
    const lines = Array.from({ length: 6_100 }, (_, n) => JSON.stringify({ id: `r${n}`, title: 't' })).join('\n')
    const answer = await send('importer', `/v1/import?table=todos&at=${noon}`, lines, 'application/x-ndjson')
    const last = JSON.parse((await answer.text()).trimEnd().split('\n').at(-1) ?? '')
    expect(last).toMatchObject({ done: true, applied: 6_100 })
  })

  it('count the deletes of an import, line by line', async () => {
    const { send } = open({ unseenDeletesPerHourMax: 10 })
    const lines = (from: number, count: number) =>
      Array.from({ length: count }, (_, n) =>
        JSON.stringify({ table: 'todos', op: 'delete', id: `d${from + n}`, at: noon }),
      )
    const importLines = async (some: readonly string[]) => {
      const answer = await send('restorer', '/v1/import', some.join('\n'), 'application/x-ndjson')
      return JSON.parse((await answer.text()).trimEnd().split('\n').at(-1) ?? '')
    }
    expect(await importLines(lines(0, 8))).toMatchObject({ applied: 8, rejected: 0 })
    expect(await importLines(lines(4, 10))).toMatchObject({ applied: 2, duplicate: 4, rejected: 4 })
    expect(await importLines(lines(0, 10))).toMatchObject({ applied: 0, duplicate: 10, rejected: 0 })
  })
})

describe.each(allStoreNames)('deletes of ids that were never seen, on %s', { timeout: 60_000 }, (name) => {
  let opened: TestStore
  beforeAll(async () => {
    opened = await openTestStore(name)
  }, 60_000)
  afterAll(() => opened.close())

  const open = (unseenDeletesPerHourMax: number) => {
    const sync = createSync({ schema, store: opened.store, now: () => noon / 1000, unseenDeletesPerHourMax })
    return async (who: string, changes: readonly SampleChange[], atomic = false) => {
      const { verdicts } = await sync.push(principal(who), { client: 'phone', changes, atomic, return: 'lost' })
      return verdicts.map((one) => (one.verdict === 'rejected' ? one.error.code : one.verdict))
    }
  }

  it('are bounded; those of rows that are there are not, whatever else is sent (P12)', async () => {
    const push = open(4)
    const who = `bounded-${name}`
    const [rows, dels] = [
      Array.from({ length: 20 }, (_, n) => put(`r${n}`, 0, 'r')),
      Array.from({ length: 20 }, (_, n) => del(`r${n}`, 1)),
    ]
    await push(who, rows)
    // More than the bucket holds, and nothing of it is left to count.
    expect(new Set(await push(who, dels))).toEqual(new Set(['applied']))
    expect(await push(who, [del('n1', 0), del('n2', 0), del('n3', 0)])).toEqual(['applied', 'applied', 'applied'])
    const mixed = [
      del('n4', 0),
      put('new', 0, 'n'),
      del('n5', 0),
      patch('new', 1, { done: true }),
      del('n1', 0),
      del('r3', 2),
    ]
    const verdicts = await push(who, mixed)
    expect(verdicts).toEqual(['applied', 'applied', 'quota_exceeded', 'applied', 'duplicate', 'applied'])
    expect(await push(who, [del('n6', 0)])).toEqual(['quota_exceeded'])
    expect(await push(who, [del('r4', 2), del('n2', 1)])).toEqual(['applied', 'applied'])
    await expect(push(who, [put('x', 0, 'x'), del('n7', 0)], true)).rejects.toMatchObject({ code: 'quota_exceeded' })
    // Not even where they come first, and all at once. Another subject has a bucket of its own.
    const first = await push(
      `${who}-3`,
      Array.from({ length: 9 }, (_, n) => del(`n${n}`, 0)),
    )
    expect(first.filter((one) => one === 'applied')).toHaveLength(4)
    expect(await push(`${who}-2`, [del('n6', 0)])).toEqual(['applied'])
  })

  it('are bounded side by side as one after the other', async () => {
    const push = open(10)
    const sets = Array.from({ length: 8 }, (_, set) => Array.from({ length: 5 }, (_, n) => del(`s${set}-${n}`, 0)))
    const verdicts = (await Promise.all(sets.map((set) => push(`side-${name}`, set)))).flat()
    expect(verdicts.filter((one) => one === 'applied')).toHaveLength(10)
    expect(verdicts.filter((one) => one === 'quota_exceeded')).toHaveLength(30)
  })
})
