import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Store } from '../../src/stores/store.ts'
import { createSync } from '../../src/sync/create-sync.ts'
import { retryAfterMsMax } from '../../src/webhooks/out/backoff.ts'
import type { Endpoint } from '../../src/webhooks/out/endpoints.ts'
import { listDeliveries, pruneDeliveries, resendDeliveries } from '../../src/webhooks/out/keep.ts'
import { nodePost } from '../../src/webhooks/out/node-post.ts'
import { createRecorder } from '../../src/webhooks/out/record.ts'
import { createSender, leaseMs, type Sender } from '../../src/webhooks/out/send.ts'
import { type Receiver, startReceiver } from '../support/receiver.ts'
import { del, noon, patch, principal, put } from '../support/sample.ts'
import { schema } from '../support/schema.ts'
import { allStoreNames, itOfDialects, openTestStore, type TestStore } from '../support/stores.ts'

const post = nodePost({ allowPrivate: true })
const impatient = nodePost({ allowPrivate: true, msMax: 800 })
const second = 1_000
const log = vi.spyOn(console, 'error').mockImplementation(() => {})
afterAll(() => log.mockRestore())
const hour = 3_600 * second

describe.each(allStoreNames)('outgoing webhooks on %s', (name) => {
  const itSpells = itOfDialects(name)
  let opened: TestStore
  let receiver: Receiver
  /** Milliseconds since the tests' noon. */
  let clock = 0
  const now = () => noon / 1000 + clock
  beforeAll(async () => {
    opened = await openTestStore(name)
  })
  afterAll(() => opened.close())
  let scopes = 0
  let scope = ''
  beforeEach(async () => {
    receiver = await startReceiver(now)
    scope = `s${++scopes}`
    clock = 0
    log.mockClear()
    return () => receiver.close()
  })

  const syncTo = (endpoints: readonly Endpoint[], store: Store = opened.store) =>
    createSync({ schema, store, now, record: createRecorder(store.dialect, schema, endpoints) })
  const mine = (more: Partial<Endpoint> = {}) => receiver.endpoint({ name: `crm${scopes}`, ...more })
  const senderTo = (endpoints: readonly Endpoint[], more: object = {}): Sender =>
    createSender({ store: opened.store, schema, endpoints, post, now, random: () => 0, ...more })
  const rows = async () => {
    const { param } = opened.store.dialect
    const sql = `SELECT endpoint, position, from_position, attempts, last_error FROM driftline_deliveries WHERE scope = ${param(1)} ORDER BY endpoint, position`
    const [found = []] = await opened.store.batch(scope, [{ sql, params: [scope] }])
    return found.map(([endpoint, to, from, attempts, error]) => [
      endpoint,
      Number(from),
      Number(to),
      Number(attempts),
      error,
    ])
  }
  const disabled = async (of = scope) => {
    const { param } = opened.store.dialect
    const sql = `SELECT endpoint, last_error FROM driftline_deliveries WHERE scope = ${param(1)} AND disabled_at > 0`
    return (await opened.store.batch(of, [{ sql, params: [of] }]))[0]
  }
  const told = () => receiver.received.map(({ from, to }) => [from, to])
  const pushTo = (sync: ReturnType<typeof syncTo>, ...changes: ReturnType<typeof put>[]) =>
    sync.push(principal(scope), { client: 'a', changes })

  it('P2 a push is recorded with its positions, delivered once it is committed, and then forgotten', async () => {
    const sync = syncTo([mine()])
    await pushTo(sync, put('1', 1, 'a'), put('2', 1, 'b'))
    await pushTo(sync, patch('1', 2, { done: true }))
    await pushTo(sync, del('2', 3))
    expect(await rows()).toEqual([
      [`crm${scopes}`, 0, 2, 0, ''],
      [`crm${scopes}`, 2, 3, 0, ''],
      [`crm${scopes}`, 3, 4, 0, ''],
    ])
    expect(await senderTo([mine()]).sendScope(scope)).toBeUndefined()
    expect(receiver.forged).toEqual([])
    expect(receiver.received.map(({ payload }) => payload)).toEqual([
      { type: 'sync.committed', timestamp: '2026-11-21T02:00:00.000Z', data: { scope, from: 0, to: 2 } },
      { type: 'sync.committed', timestamp: '2026-11-21T02:00:00.000Z', data: { scope, from: 2, to: 3 } },
      { type: 'sync.committed', timestamp: '2026-11-21T02:00:00.000Z', data: { scope, from: 3, to: 4 } },
    ])
    expect(new Set(receiver.received.map(({ id }) => id)).size).toBe(3)
    expect(receiver.received[0]?.id).toMatch(/^msg_[0-9a-f-]{36}$/)
    expect(await rows()).toEqual([])
  })

  itSpells(
    'P5 nothing applied is nothing recorded: replays, lost and rejected changes, other scopes, other tables',
    async () => {
      const sync = syncTo([
        mine({ scopes: [`${scope}`, 'team:*'], tables: ['lists'] }),
        mine({ name: 'all', scopes: ['team:*'] }),
      ])
      const list = { table: 'lists', op: 'put', id: '1', at: noon, row: { name: 'x' } } as const
      await pushTo(sync, put('1', 5, 'a'))
      expect(await rows()).toEqual([])
      await pushTo(sync, list as never)
      await pushTo(sync, list as never)
      await pushTo(sync, { ...list, at: noon - 1 } as never, put('1', 4, 'old'), patch('none', 9, { done: true }))
      await sync.push(principal('elsewhere'), { client: 'a', changes: [list] })
      expect(await rows()).toEqual([[`crm${scopes}`, 1, 2, 0, '']])
    },
  )

  itSpells('records nothing of a push that is undone, and nothing for what the database refused', async () => {
    const sync = syncTo([mine()])
    const atomic = { client: 'a', atomic: true, changes: [put('1', 1, 'a'), patch('none', 1, { done: true })] }
    await expect(sync.push(principal(scope), atomic)).rejects.toThrow()
    expect(await rows()).toEqual([])
  })

  itSpells(
    'with rows, sends them as they are pulled, of its tables, and those written again since with their own push',
    async () => {
      const endpoint = mine({ rows: true, tables: ['todos'] })
      const sync = syncTo([endpoint])
      const list = { table: 'lists', op: 'put', id: '1', at: noon, row: { name: 'x' } } as never
      await pushTo(sync, put('1', 1, 'a'), put('2', 1, 'b'), list)
      await pushTo(sync, put('1', 2, 'a again'), del('3', 1))
      await senderTo([endpoint]).sendScope(scope)
      const { changes } = await sync.pull(principal(scope))
      const dead = { scope, table: 'todos', op: 'delete', id: '3', at: noon + 1, by: 'a', position: 5 }
      expect(receiver.received.map(({ payload }) => payload.data)).toEqual([
        { scope, from: 0, to: 3, changes: changes.filter(({ id, table }) => id === '2' && table === 'todos') },
        {
          scope,
          from: 3,
          to: 5,
          changes: [...changes.filter(({ id, table }) => id === '1' && table === 'todos'), dead],
        },
      ])
    },
  )

  itSpells('says that there are more rows than one delivery carries', async () => {
    const endpoint = mine({ rows: true })
    const sync = syncTo([endpoint])
    await pushTo(sync, ...Array.from({ length: 1_001 }, (_, n) => put(`${n}`, 1, 'x')))
    await senderTo([endpoint]).sendScope(scope)
    const { changes, more } = receiver.received[0]?.payload.data ?? {}
    expect([changes.length, changes.at(-1).position, more]).toEqual([1_000, 1_000, true])
  })

  it('P3 the order of a scope is kept under failures: a later one waits for the earlier, which keeps its id', async () => {
    const sync = syncTo([mine()])
    const sender = senderTo([mine()], { post: impatient })
    const answers = [500, 'cut', 'stall', 302, 204] as const
    receiver.answers(({ from }) => (from === 0 ? (answers[receiver.received.length - 1] ?? 204) : 204))
    await pushTo(sync, put('1', 1, 'a'))
    await pushTo(sync, put('1', 2, 'b'))
    const pauses: unknown[] = []
    for (const error of ['http_500', 'econnreset', 'timeout', 'http_302']) {
      const next = await sender.sendScope(scope)
      pauses.push((next ?? 0) - now())
      expect((await rows())[0]).toEqual([`crm${scopes}`, 0, 1, pauses.length, error])
      expect(await sender.sendScope(scope)).toBe(next)
      await pushTo(sync, put('1', 2 + pauses.length, 'later'))
      clock += (next ?? 0) - now()
    }
    expect(pauses).toEqual([5 * second, 300 * second, 1_800 * second, 2 * hour])
    expect(await sender.sendScope(scope)).toBeUndefined()
    expect(told()).toEqual([...Array(5).fill([0, 1]), [1, 2], [2, 3], [3, 4], [4, 5], [5, 6]])
    expect(new Set(receiver.received.slice(0, 5).map(({ id }) => id)).size).toBe(1)
    expect(await rows()).toEqual([])
    // A line for each failure, without the URL, the secret, the scope or anything of the answer.
    const lines = log.mock.calls.map(([line]) => JSON.parse(line))
    expect(lines.map(({ status, error, attempts }) => [status, error, attempts])).toEqual([
      [500, 'http_500', 1],
      [undefined, 'econnreset', 2],
      [undefined, 'timeout', 3],
      [302, 'http_302', 4],
    ])
    expect(lines[0]).toMatchObject({ level: 'error', where: 'delivery', endpoint: `crm${scopes}` })
    expect(JSON.stringify(lines)).not.toMatch(/whsec|127\.0\.0\.1|body of|"scope"/)
  })

  itSpells('Retry-After is the least that is waited, up to a day', async () => {
    const sync = syncTo([mine()])
    await pushTo(sync, put('1', 1, 'a'))
    const sender = senderTo([mine()])
    for (const [status, value, expected] of [
      [429, '120', 120 * second],
      [503, new Date(now() + 300 * second + 1_200 * second).toUTCString(), 1_380 * second],
      [429, '999999999', retryAfterMsMax],
      [503, '1', 2 * hour],
      [503, 'soon', 5 * hour],
    ] as const) {
      receiver.answers(() => ({ status, headers: { 'Retry-After': value } }))
      const next = (await sender.sendScope(scope)) ?? 0
      expect(Math.round((next - now()) / second) * second).toBe(expected)
      clock += next - now()
    }
  })

  itSpells(
    '410 disables an endpoint in its scope at once; what is pushed is kept, and a resend delivers all of it in order',
    async () => {
      const [gone, other] = [mine(), mine({ name: `other${scopes}`, url: `${receiver.url}/other` })]
      const sync = syncTo([gone, other])
      const sender = senderTo([gone, other])
      receiver.answers(({ path }) => (path === '/hook' ? 410 : 204))
      await pushTo(sync, put('1', 1, 'a'))
      expect(await sender.sendScope(scope)).toBeUndefined()
      await pushTo(sync, put('1', 2, 'b'))
      clock += 100 * hour
      expect(await sender.sendScope(scope)).toBeUndefined()
      expect(receiver.received.filter(({ path }) => path === '/hook')).toHaveLength(1)
      expect(receiver.received.filter(({ path }) => path === '/hook/other').map(({ to }) => to)).toEqual([1, 2])
      expect(await disabled()).toEqual([[gone.name, 'http_410']])
      // Disabled again later than the setting's time, it stays so.
      const again = { ...gone, resend: new Date(now()).toISOString() }
      clock += hour
      expect(await senderTo([again]).sendScope(scope)).toBeUndefined()
      expect(receiver.received.filter(({ path }) => path === '/hook')).toHaveLength(2)
      expect(await senderTo([again]).sendScope(scope)).toBeUndefined()
      expect(receiver.received.filter(({ path }) => path === '/hook')).toHaveLength(2)
      if (name === 'durable-object') return
      const kept = (await listDeliveries(opened.store)).find(({ endpoint }) => endpoint === gone.name)
      expect(kept).toEqual({
        endpoint: gone.name,
        waiting: 2,
        oldest: noon / 1000,
        attempts: 2,
        lastError: 'http_410',
        disabled: [{ scope, since: now(), reason: 'http_410' }],
      })
      receiver.answers(() => 204)
      await resendDeliveries(opened.store, gone.name, now())
      expect(await sender.sendScope(scope)).toBeUndefined()
      expect(receiver.received.filter(({ path }) => path === '/hook').map(({ to }) => to)).toEqual([1, 1, 1, 2])
    },
  )

  itSpells(
    'what fails in one scope for good, by 410 or ten times, holds back no other scope of the endpoint',
    async () => {
      const endpoint = mine()
      const sync = syncTo([endpoint])
      const sender = senderTo([endpoint])
      const [bad, gone, fine] = [`${scope}bad`, `${scope}gone`, `${scope}fine`]
      receiver.answers(({ scope: from }) => ({ [bad]: 500, [gone]: 410 })[from] ?? 204)
      const push = (to: string, at: number) => sync.push(principal(to), { client: 'a', changes: [put('1', at, 'x')] })
      const send = async (to: string) => {
        if (name !== 'durable-object') await sender.sendDue(endpoint)
        return sender.sendScope(to)
      }
      for (const to of [bad, gone, fine]) await push(to, 1)
      expect(await send(gone)).toBeUndefined()
      for (let next = await send(bad); next !== undefined; next = await send(bad)) clock += next - now()
      expect(await disabled(bad)).toEqual([[`crm${scopes}`, 'http_500']])
      expect(await disabled(gone)).toEqual([[`crm${scopes}`, 'http_410']])
      for (const to of [bad, gone, fine]) {
        await push(to, 2)
        await send(to)
      }
      expect(receiver.received.filter(({ scope: from }) => from === fine).map(({ to }) => to)).toEqual([1, 2])
      expect(receiver.received.filter(({ scope: from }) => from === gone)).toHaveLength(1)
      expect(receiver.received.filter(({ scope: from }) => from === bad)).toHaveLength(10)
      if (name === 'durable-object') return
      const kept = (await listDeliveries(opened.store)).find(({ endpoint: of }) => of === endpoint.name)
      expect(kept).toMatchObject({ waiting: 4, attempts: 10 })
      expect(kept?.disabled.map(({ scope: of }) => of)).toEqual([gone, bad])
      // What disabled a line goes after thirty days, and what waited behind it is tried.
      clock += 30 * 24 * hour - 60 * second
      await push(gone, 3)
      clock += 90 * second
      await pruneDeliveries(opened.store, now())
      receiver.answers(() => 204)
      expect(await send(gone)).toBeUndefined()
      expect(receiver.received.filter(({ scope: from }) => from === gone).at(-1)?.to).toBe(3)
    },
  )

  itSpells('the setting enables what was disabled before its time, in every scope', async () => {
    const sync = syncTo([mine()])
    receiver.answers(() => 410)
    await pushTo(sync, put('1', 1, 'a'))
    await senderTo([mine()]).sendScope(scope)
    receiver.answers(() => 204)
    clock += hour
    const endpoint = mine({ resend: new Date(now()).toISOString() })
    if (name === 'durable-object') await senderTo([endpoint]).sendScope(scope)
    else await senderTo([endpoint]).sendDue(endpoint)
    expect(told()).toEqual([
      [0, 1],
      [0, 1],
    ])
    expect(await rows()).toEqual([])
  })

  itSpells('disables an endpoint after the tenth try, three days later, and loses nothing', async () => {
    const sync = syncTo([mine()])
    const sender = senderTo([mine()])
    receiver.answers(() => 500)
    await pushTo(sync, put('1', 1, 'a'))
    for (let tries = 1; tries < 10; tries++) clock += ((await sender.sendScope(scope)) ?? 0) - now()
    expect(clock / hour / 24).toBeCloseTo(3.15, 1)
    expect(await sender.sendScope(scope)).toBeUndefined()
    expect(receiver.received).toHaveLength(10)
    expect(await disabled()).toEqual([[`crm${scopes}`, 'http_500']])
    expect(await rows()).toEqual([[`crm${scopes}`, 0, 1, 10, 'http_500']])
    expect(JSON.parse(log.mock.calls.at(-1)?.[0])).toMatchObject({ attempts: 10, disabled: true })
  })

  it('P2 a sender that dies between its claim and the answer is followed by another, with the same id', async () => {
    const sync = syncTo([mine()])
    await pushTo(sync, put('1', 1, 'a'))
    // Whoever dies never hears the answer, and writes nothing any more.
    const died = new Promise<never>(() => {})
    const dying = senderTo([mine()], {
      post: (...call: Parameters<typeof post>) => post(...call).then(() => died),
    })
    void dying.sendScope(scope)
    await vi.waitFor(() => expect(receiver.received).toHaveLength(1))
    const sender = senderTo([mine()])
    expect(await sender.sendScope(scope)).toBe(now() + leaseMs)
    expect(receiver.received).toHaveLength(1)
    clock += leaseMs
    expect(await sender.sendScope(scope)).toBeUndefined()
    expect(receiver.received).toHaveLength(2)
    expect(new Set(receiver.received.map(({ id }) => id)).size).toBe(1)
  })

  it('of several senders at once each delivery is sent by one', async () => {
    const sync = syncTo([mine()])
    for (let n = 0; n < 5; n++) await pushTo(sync, put('1', n, 'x'))
    await Promise.all(Array.from({ length: 6 }, () => senderTo([mine()]).sendScope(scope)))
    await senderTo([mine()]).sendScope(scope)
    expect(told()).toEqual([
      [0, 1],
      [1, 2],
      [2, 3],
      [3, 4],
      [4, 5],
    ])
  })

  it('the next of a line belongs to who sent the one before it, and not to a slow sender whose claim has ended', async () => {
    const sync = syncTo([mine()])
    for (const at of [1, 2, 3]) await pushTo(sync, put('1', at, 'x'))
    const gates: (() => void)[] = []
    const gated = () =>
      senderTo([mine()], {
        post: async (...call: Parameters<typeof post>) => {
          const answer = await post(...call)
          await new Promise<void>((open) => gates.push(open))
          return answer
        },
      })
    const slow = gated().sendScope(scope)
    await vi.waitFor(() => expect(gates).toHaveLength(1))
    clock += leaseMs
    const other = gated().sendScope(scope)
    await vi.waitFor(() => expect(gates).toHaveLength(2))
    gates[1]?.()
    // The other has delivered the first and is at the second, which is nobody else's now.
    await vi.waitFor(() => expect(gates).toHaveLength(3))
    gates[0]?.()
    expect(await slow).toBe(now() + leaseMs)
    expect(await senderTo([mine()]).sendScope(scope)).toBe(now() + leaseMs)
    expect(told()).toEqual([
      [0, 1],
      [0, 1],
      [1, 2],
    ])
    gates[2]?.()
    await vi.waitFor(() => expect(gates).toHaveLength(4))
    gates[3]?.()
    expect(await other).toBeUndefined()
    expect(told().slice(3)).toEqual([[2, 3]])
  })

  it('P2 loses and swaps none of many pushes that are sent while others are recorded', async () => {
    const sync = syncTo([mine()])
    const sender = senderTo([mine()])
    const sending: Promise<unknown>[] = []
    await Promise.all(
      Array.from({ length: 30 }, async (_, n) => {
        await pushTo(sync, put(`${n}`, n, 'x'))
        sending.push(sender.sendScope(scope))
      }),
    )
    await Promise.all(sending)
    expect(await rows()).toEqual([])
    expect(told()).toEqual(Array.from({ length: 30 }, (_, n) => [n, n + 1]))
  })

  it('costs one statement for each endpoint that matches, no round trip, and without endpoints nothing', async () => {
    const sent: string[][] = []
    const store: Store = {
      ...opened.store,
      batch(to, statements) {
        // The nonce is another for each run.
        sent.push(statements.map(({ sql }) => sql.replaceAll(/_[0-9a-f]{32}_/g, '')))
        return opened.store.batch(to, statements)
      },
    }
    const push = (endpoints: readonly Endpoint[], at: number) =>
      syncTo(endpoints, store).sync(principal(scope), { client: 'a', cursor: null, changes: [put('1', at, 'x')] })
    const before = opened.roundTrips()
    await push([], 1)
    await push([mine({ scopes: ['team:*'] })], 2)
    await push([mine(), mine({ name: 'b' }), mine({ name: 'c', scopes: ['team:*'] })], 3)
    expect(sent).toHaveLength(3)
    if (!Number.isNaN(before)) expect(opened.roundTrips() - before).toBe(3)
    expect(sent[1]).toEqual(sent[0])
    expect(sent[2]).toHaveLength((sent[0]?.length ?? 0) + 2)
    expect(sent[0]?.join()).not.toContain('driftline_deliveries')
    await opened.store.batch(scope, [{ sql: 'DELETE FROM driftline_deliveries', params: [] }])
  })

  if (name === 'durable-object') return

  itSpells(
    'sends what is due in all scopes, several side by side, one line at a time, and past one that stalls',
    async () => {
      const endpoint = mine({ scopes: [`${scope}-*`] })
      const sync = syncTo([endpoint])
      for (let n = 0; n < 12; n++)
        for (const at of [1, 2])
          await sync.push(principal(`${scope}-${n}`), { client: 'a', changes: [put('1', at, 'x')] })
      receiver.answers(async ({ scope: of }) => {
        await new Promise((resolve) => setTimeout(resolve, 20))
        return of === `${scope}-0` ? 'stall' : 204
      })
      await senderTo([endpoint], { post: impatient }).sendDue(endpoint)
      expect(receiver.most).toBeGreaterThan(1)
      expect(receiver.most).toBeLessThanOrEqual(4)
      for (let n = 1; n < 12; n++) {
        expect(receiver.received.filter(({ scope: of }) => of === `${scope}-${n}`).map(({ to }) => to)).toEqual([1, 2])
      }
      expect(receiver.received.filter(({ scope: of }) => of === `${scope}-0`)).toHaveLength(1)
    },
  )

  itSpells('keeps what nobody takes for 30 days, and what waited behind it is due then', async () => {
    const sync = syncTo([mine()])
    await pushTo(sync, put('1', 1, 'a'))
    clock = 29 * 24 * hour
    await pushTo(sync, put('1', 2, 'b'))
    await pruneDeliveries(opened.store, now())
    expect(await rows()).toHaveLength(2)
    clock = 31 * 24 * hour
    await pruneDeliveries(opened.store, now())
    expect(await senderTo([mine()]).sendScope(scope)).toBeUndefined()
    expect(told()).toEqual([[1, 2]])
  })
})
