import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createApp } from '../../src/http/app.ts'
import { createTables } from '../../src/migrations/ddl.ts'
import { bytes, decimal, integer, json, text, uuid } from '../../src/model/column.ts'
import { defineSchema } from '../../src/model/define-schema.ts'
import type { RequestEvent } from '../../src/observe/facts.ts'
import { findDatabases } from '../../src/runtime/node/databases.ts'
import { signToken } from '../../src/runtime/sign-token.ts'
import type { Store } from '../../src/stores/store.ts'
import { createSync, type Sync } from '../../src/sync/create-sync.ts'
import type { RoomOptions } from '../../src/sync/quotas/rooms.ts'
import { createMigrated, openUrls } from '../support/many.ts'
import { seededRandom } from '../support/random.ts'
import { del, noon, patch, principal, put, type Sample, type SampleChange, sampleSync } from '../support/sample.ts'
import { schema } from '../support/schema.ts'
import { testSecret } from '../support/server.ts'
import {
  allStoreNames,
  dialectStores,
  itOfDialects,
  openTestStore,
  type TestStore,
  temporaryFolder,
} from '../support/stores.ts'
import { sendWebhook, webhookSecret } from '../support/webhook.ts'

const places = [...allStoreNames, 'libsql file, two rows at once', 'a file for each scope', 'shards'] as const

async function openPlace(name: (typeof places)[number]): Promise<Pick<TestStore, 'store' | 'close'>> {
  if (name === 'shards') {
    const store = await openUrls(await createMigrated(2))
    return { store, close: () => store.close() }
  }
  if (name === 'libsql file, two rows at once') {
    const { store, close } = await openTestStore('libsql file')
    return { store: { ...store, rowsAtOnceMax: 2 }, close }
  }
  if (name !== 'a file for each scope') return openTestStore(name)
  const { folder, drop } = await temporaryFolder()
  const migrations = [{ name: '0001_test', statements: createTables(schema, 'sqlite') }]
  const store = await findDatabases(`file:${join(folder, '{scope}.db')}`, schema).open(migrations)
  const close = async () => {
    await store.close()
    await drop()
  }
  return { store, close }
}

type Batches = readonly string[][]

/** Keeps the statements of each batch. */
function watched(store: Store): Store & { readonly sent: string[][] } {
  const sent: string[][] = []
  return {
    ...store,
    sent,
    batch(scope, statements) {
      sent.push(statements.map(({ sql }) => sql))
      return store.batch(scope, statements)
    },
  }
}

const outcomes = ({ verdicts }: Awaited<ReturnType<Sync<Sample>['push']>>) =>
  verdicts.map((one) => (one.verdict === 'rejected' ? one.error.code : one.verdict))

async function idsIn(store: Store, who: string): Promise<string[]> {
  const { changes } = await sampleSync(store).pull(principal(who))
  return changes.map(({ id }) => id).toSorted()
}

describe.each(places)('the rows of a scope, on %s', { timeout: 60_000 }, (name) => {
  let opened: Pick<TestStore, 'store' | 'close'>
  beforeAll(async () => {
    opened = await openPlace(name)
  }, 60_000)
  afterAll(() => opened.close())
  const itSpells = itOfDialects(name)

  const open = (options: RoomOptions, store = opened.store) => {
    const sync = createSync({ schema, store, now: () => noon / 1000, ...options })
    return async (who: string, changes: readonly SampleChange[], atomic = false) =>
      outcomes(await sync.push(principal(who), { client: 'phone', changes, atomic }))
  }

  it('end exactly at the limit, and only what would be a row more is rejected (P12)', async () => {
    const push = open({ scopeRowsMax: 3 })
    expect(await push('exact', [put('a', 0, 'a'), put('b', 0, 'b'), put('c', 0, 'c')])).toEqual(
      Array(3).fill('applied'),
    )
    const list: SampleChange = { table: 'lists', op: 'put', id: 'a', at: noon, row: { name: 'l' } }
    expect(await push('exact', [put('d', 0, 'd'), list])).toEqual(['quota_exceeded', 'quota_exceeded'])
    // What is there may change, and go.
    const mixed = [
      put('a', 1, 'A'),
      put('e', 1, 'e'),
      patch('b', 1, { done: true }),
      patch('e', 1, { done: true }),
      put('c', -1, 'old'),
      put('b', 0, 'b'),
    ]
    const expected = ['applied', 'quota_exceeded', 'applied', 'row_missing', 'stale', 'duplicate']
    // The put and the patch of b, which come in the order of their stamps.
    expect(await push('exact', mixed)).toEqual(expected)
    expect(await push('exact', [del('a', 2), del('never', 0)])).toEqual(['applied', 'applied'])
    expect(await push('exact', [put('e', 2, 'e'), put('f', 2, 'f')])).toEqual(['applied', 'quota_exceeded'])
    expect(await idsIn(opened.store, 'exact')).toEqual(['b', 'c', 'e'])
    // Another server, which has counted nothing.
    expect(await open({ scopeRowsMax: 3 })('exact', [put('f', 3, 'f'), put('e', 3, 'E')])).toEqual([
      'quota_exceeded',
      'applied',
    ])
    expect(await push('others', [put('a', 0, 'a')])).toEqual(['applied'])
  })

  itSpells('count by what a change set leaves of them: deletes make room first, and one id is one row', async () => {
    const push = open({ scopeRowsMax: 2 })
    expect(await push('sets', [put('a', 0, 'a'), put('a', 1, 'a'), put('b', 0, 'b'), put('b', 0, 'b')])).toEqual([
      'applied',
      'applied',
      'applied',
      'duplicate',
    ])
    expect(await push('sets', [put('new', 2, 'n'), put('new', 3, 'n')])).toEqual(['quota_exceeded', 'quota_exceeded'])
    expect(await push('sets', [put('c', 2, 'c'), del('a', 2), put('d', 2, 'd')])).toEqual([
      'applied',
      'applied',
      'quota_exceeded',
    ])
    // Of a row that is there: gone, and there again.
    expect(await push('sets', [del('b', 3), put('b', 4, 'b')])).toEqual(['applied', 'applied'])
    // Made and gone again in one set, it never takes room. A tombstone becomes a row again where
    // there is room.
    expect(await push('sets', [put('won', 5, 'x'), del('won', 6), put('a', 5, 'a')])).toEqual([
      'applied',
      'applied',
      'quota_exceeded',
    ])
    // A delete that loses makes none.
    expect(await push('sets', [del('b', 1), put('e', 7, 'e')])).toEqual(['stale', 'quota_exceeded'])
    expect(await idsIn(opened.store, 'sets')).toEqual(['b', 'c'])
  })

  itSpells('are refused as a whole where the set is atomic, which is applied where it makes room itself', async () => {
    const push = open({ scopeRowsMax: 1 })
    await push('atomic', [put('a', 0, 'a')])
    const refused = push('atomic', [put('a', 1, 'A'), put('b', 1, 'b')], true)
    await expect(refused).rejects.toMatchObject({ code: 'quota_exceeded', headers: { 'Retry-After': '60' } })
    expect(await push('atomic', [put('a', 1, 'A')], true)).toEqual(['applied'])
    expect(await push('atomic', [put('b', 2, 'b'), del('a', 2)], true)).toEqual(['applied', 'applied'])
    expect(await idsIn(opened.store, 'atomic')).toEqual(['b'])
  })

  it('of one scope leave the others of the request alone', async () => {
    const sync = createSync({ schema, store: opened.store, now: () => noon / 1000, scopeRowsMax: 1 })
    const who = principal('mine', { ours: 'write', theirs: 'write' })
    const in_ = (scope: string, change: SampleChange) => ({ ...change, scope })
    await sync.push(who, { client: 'p', changes: [in_('ours', put('a', 0, 'a'))] })
    const changes = [
      in_('mine', put('x', 0, 'x')),
      in_('ours', put('b', 0, 'b')),
      in_('theirs', put('x', 0, 'x')),
      in_('ours', put('a', 1, 'A')),
    ]
    const answer = await sync.sync(who, { client: 'p', cursor: null, changes })
    expect(outcomes(answer)).toEqual(['applied', 'quota_exceeded', 'applied', 'applied'])
    expect(answer.verdicts[1]).toMatchObject({ error: { retryable: true, detail: expect.stringContaining('1 rows') } })
    // A page comes with it, even where nothing was written.
    const again = await sync.sync(who, { client: 'p', cursor: null, changes: [in_('ours', put('c', 0, 'c'))] })
    expect([outcomes(again), again.changes?.length]).toEqual([['quota_exceeded'], 3])
  })

  it('pass the limit by nothing where many clients push at the same time', async () => {
    const push = open({ scopeRowsMax: 20 })
    const sets = Array.from({ length: 10 }, (_, set) =>
      Array.from({ length: 3 }, (_, n) => put(`s${set}-${n}`, 0, 's')),
    )
    const verdicts = (await Promise.all(sets.map((set) => push('side', set)))).flat()
    const { length } = await idsIn(opened.store, 'side')
    expect(verdicts.filter((one) => one === 'applied')).toHaveLength(length)
    // Whoever was overtaken three times may write all the same: by its own rows, and here by none.
    expect(length).toBeLessThanOrEqual(20 + 3)
    expect(length).toBeGreaterThanOrEqual(18)
    expect(await push('side', [put('late-1', 0, 'l'), put('late-2', 0, 'l'), put('late-3', 0, 'l')])).toContain(
      'quota_exceeded',
    )
  })

  // A read of a file is no round trip.
  const isRoundTrip = name !== 'libsql file, two rows at once'
  it.runIf(isRoundTrip)(
    'cost no statement and no round trip below the limit, and one round trip where there is no more room',
    async () => {
      const store = watched(opened.store)
      const push = open({ scopeRowsMax: 10, scopeBytesMax: 1_000_000 }, store)
      const free = watched(opened.store)
      const unbounded = open({}, free)
      const batchesOf = async (changes: readonly SampleChange[], who = 'cost') => {
        store.sent.length = 0
        await push(who, changes)
        return store.sent as Batches
      }
      for (let n = 0; n < 10; n++) {
        const [batch = [], ...more] = await batchesOf([put(`r${n}`, 0, 'r')])
        expect(more).toEqual([])
        free.sent.length = 0
        await unbounded('free', [put(`r${n}`, 0, 'r')])
        expect(batch).toHaveLength(free.sent[0]?.length ?? 0)
        expect(batch.slice(1)).toEqual(free.sent[0]?.slice(1))
      }
      // The first time it is not known: tried, counted, and nothing is left.
      expect(await batchesOf([put('more', 0, 'm')])).toHaveLength(2)
      expect(await batchesOf([put('more', 0, 'm')])).toHaveLength(1)
      expect(await batchesOf([put('more', 0, 'm'), put('r1', 1, 'R')])).toHaveLength(2)
      // What cannot become a row, and what makes room, asks nobody.
      expect(await batchesOf([patch('r1', 2, { done: true })])).toHaveLength(1)
      expect(await batchesOf([del('r1', 3), del('r2', 3), del('r3', 3)])).toHaveLength(1)
      expect(await batchesOf([put('r1', 4, 'r')])).toHaveLength(2)
      // Three rows fewer are known now: what comes next needs no more than its own batch.
      expect(await batchesOf([put('r2', 4, 'r')])).toHaveLength(1)
      // Below the limit by bytes and rows, however large its position: after it was counted once.
      for (let n = 0; n < 3; n++)
        await push(
          'old',
          Array.from({ length: 10 }, (_, one) => put(`r${one % 2}`, 10 * n + one, 'r')),
        )
      await batchesOf([put('r1', 100, 'r'), put('r2', 100, 'r')], 'old')
      expect(await batchesOf([put('r1', 101, 'r'), put('r2', 101, 'r')], 'old')).toHaveLength(1)
    },
  )
})

describe.each(['libsql file', 'a file for each scope'] as const)('counting a large scope, on %s', (name) => {
  let opened: Pick<TestStore, 'store' | 'close'>
  beforeAll(async () => {
    opened = await openPlace(name)
  }, 60_000)
  afterAll(() => opened.close())

  /** Keeps what each step of counting found. */
  function counting(between: () => Promise<unknown> = async () => {}) {
    const steps: unknown[][] = []
    const store: Store = {
      ...opened.store,
      rowsAtOnceMax: 10,
      async batch(scope, statements) {
        const results = await opened.store.batch(scope, statements)
        if (!statements[0]?.sql.startsWith('SELECT count')) return results
        steps.push(...results.map(([row]) => [...(row ?? [])]))
        if (steps.length === 2) await between()
        return results
      },
    }
    return { steps, store }
  }
  const many = Array.from({ length: 25 }, (_, n) => put(`r${n}`, 0, 'r'))
  const open = (store: Store, options: RoomOptions = {}) => {
    const sync = createSync({ schema, store, now: () => noon / 1000, ...options })
    return async (who: string, ...changes: SampleChange[]) =>
      outcomes(await sync.push(principal(who), { client: 'p', changes }))
  }

  it('goes over no more rows at once than the store says, and no further than the limit', async () => {
    expect(opened.store.rowsAtOnceMax).toBe(10_000)
    const { steps, store } = counting()
    await open(store)('steps', ...many)
    const push = (options: RoomOptions) => open(store, options)('steps', put('new', 0, 'n'))
    expect(await push({ scopeRowsMax: 25 })).toEqual(['quota_exceeded'])
    expect(steps.map(([count]) => count)).toEqual([0, 10, 10, 5])
    steps.length = 0
    expect(await push({ scopeRowsMax: 15 })).toEqual(['quota_exceeded'])
    expect(steps.map(([count]) => count)).toEqual([0, 10, 10])
    steps.length = 0
    // Less than a step, which is one read with all the rest.
    expect(await push({ scopeRowsMax: 3 })).toEqual(['quota_exceeded'])
    expect(steps).toEqual([])
    expect(await push({ scopeBytesMax: 26 * 65 - 1 })).toEqual(['quota_exceeded'])
    expect(steps.map(([, bytes]) => bytes)).toEqual([0, 650, 650, 325])
    expect(await push({ scopeBytesMax: 26 * 65 })).toEqual(['applied'])
  })

  it('passes the limit by nothing where rows come and move between two steps', async () => {
    const beside = open(opened.store)
    // Each row moved once, so that positions alone do not say how many there are.
    const moved = many.map((change) => ({ ...change, at: change.at + 1 }))
    await beside('come', ...many)
    await beside('come', ...moved)
    const come = counting(() => beside('come', put('beside', 1, 'b')))
    const push = open(come.store, { scopeRowsMax: 26 })
    expect(await push('come', put('new', 1, 'n'))).toEqual(['quota_exceeded'])
    expect(come.steps.length).toBeGreaterThan(4)
    await beside('move', ...many)
    await beside('move', ...moved)
    const move = counting(() => beside('move', put('r20', 2, 'moved'), put('r3', 2, 'moved')))
    const pushed = open(move.store, { scopeRowsMax: 26 })
    expect(await pushed('move', put('new', 1, 'n'))).toEqual(['applied'])
    expect(await pushed('move', put('newer', 1, 'n'))).toEqual(['quota_exceeded'])
  })
})

describe.each(allStoreNames)('the bytes of a scope, on %s', { timeout: 60_000 }, (name) => {
  const itSpells = itOfDialects(name)
  const wide = defineSchema({
    notes: {
      title: text({ nullable: true }),
      extra: json({ nullable: true }),
      icon: bytes({ nullable: true }),
      cost: decimal({ nullable: true }),
      ref: uuid({ nullable: true }),
      count: integer({ nullable: true }),
    },
  })
  let opened: TestStore
  let plain: TestStore
  beforeAll(async () => {
    opened = await openTestStore(name, wide)
    plain = await openTestStore(name)
  }, 60_000)
  afterAll(async () => {
    await opened.close()
    await plain.close()
  })

  it('are what both databases count: a limit that is exactly met, and missed by one', async () => {
    const row = {
      title: 'Gr\u00fc\u00dfe \ud83d\ude00 "x"',
      extra: { a: [1, 2.5, '\u20ac'] },
      icon: 'AAECAwQ',
      cost: '1234.50',
      ref: '0193f0a0-7c4e-7d7e-9f3a-000000000001',
      count: 7,
    }
    const size = 64 + 16 + 19 + 5 + 7
    const change = (id: string, at: number, columns: object) => ({
      table: 'notes' as const,
      op: 'put' as const,
      id,
      at: noon + at,
      row: { title: null, extra: null, icon: null, cost: null, ref: null, count: null, ...columns },
    })
    for (const [scope, lacks] of [
      ['met', 0],
      ['missed', 1],
    ] as const) {
      const sync = createSync({
        schema: wide,
        store: opened.store,
        now: () => noon / 1000,
        scopeBytesMax: 3 * size - lacks,
      })
      const push = async (changes: readonly ReturnType<typeof change>[]) =>
        (await sync.push(principal(scope), { client: 'p', changes })).verdicts.map((one) =>
          one.verdict === 'rejected' ? one.error.code : one.verdict,
        )
      expect(await push([change('a', 0, row), change('b', 0, row)])).toEqual(['applied', 'applied'])
      expect(await push([change('c', 0, row)])).toEqual([lacks ? 'quota_exceeded' : 'applied'])
      // Of another's count, by the database alone.
      expect(await push([change('d', 0, {})])).toEqual([lacks ? 'applied' : 'quota_exceeded'])
    }
  })

  itSpells('refuse what makes a row larger, and nothing that makes it smaller or no larger', async () => {
    const size = 64 + 100
    const sync = createSync({ schema, store: plain.store, now: () => noon / 1000, scopeBytesMax: 2 * size })
    const push = async (changes: readonly SampleChange[], atomic = false) =>
      outcomes(await sync.push(principal('grown'), { client: 'p', changes, atomic }))
    const x = (length: number) => 'x'.repeat(length)
    expect(await push([put('a', 0, x(100)), put('b', 0, x(100))])).toEqual(['applied', 'applied'])
    expect(await push([patch('a', 1, { title: x(101) }), patch('b', 1, { title: x(99), notes: 'n' })])).toEqual([
      'quota_exceeded',
      'applied',
    ])
    expect(
      await push([patch('a', 2, { done: true }), patch('a', 3, { title: 'y'.repeat(100) }), put('b', 2, x(100))]),
    ).toEqual(['applied', 'applied', 'applied'])
    // The patch that makes room comes first, wherever it stands in the list.
    expect(await push([put('b', 4, x(110)), patch('a', 4, { title: x(90) })])).toEqual(['applied', 'applied'])
    expect(await push([patch('b', 5, { title: x(111) }), patch('b', 6, { notes: null })])).toEqual([
      'quota_exceeded',
      'applied',
    ])
    await expect(push([patch('b', 7, { title: x(111) })], true)).rejects.toMatchObject({ code: 'quota_exceeded' })
    expect(await push([del('a', 8), put('c', 8, x(90))])).toEqual(['applied', 'applied'])
    // A large row ends what is known from positions alone, not what there is room for.
    expect(await push([del('c', 9), del('b', 9), put('d', 9, x(264))])).toEqual(['applied', 'applied', 'applied'])
    expect(await push([put('e', 9, '')])).toEqual(['quota_exceeded'])
  })
})

describe('a scope that is full', { timeout: 60_000 }, () => {
  let opened: TestStore
  beforeAll(async () => {
    opened = await openTestStore('libsql file')
  })
  afterAll(() => opened.close())

  const open = (more: RoomOptions) => {
    const events: RequestEvent[] = []
    const app = createApp({
      ...{ schema, store: opened.store, auth: { secret: testSecret }, webhookSecrets: { crm: [webhookSecret] } },
      onRequest: (event) => events.push(event),
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
    return { app, send, events }
  }
  const line = (id: string, at = noon) => JSON.stringify({ table: 'todos', op: 'put', id, at, row: { title: id } })

  it('says so in the log, by the request where it is atomic, else by the change', async () => {
    const { send, events } = open({ scopeRowsMax: 1 })
    const changes = [put('a', 0, 'a'), put('b', 0, 'b')]
    const answer = await send('logged', '/v1/push', { client: 'p', atomic: true, changes })
    expect([answer.status, answer.headers.get('Retry-After'), await answer.json()]).toMatchObject([
      429,
      '60',
      { code: 'quota_exceeded', retryable: true },
    ])
    expect((await send('logged', '/v1/push', { client: 'p', changes })).status).toBe(200)
    await expect
      .poll(() => events.map(({ code, rejected }) => [code, rejected]))
      .toEqual([
        ['quota_exceeded', expect.anything()],
        [undefined, { quota_exceeded: 1 }],
      ])
  })

  it('ends an import, whose lines beyond it are rejected, and which may change what is there', async () => {
    const { send } = open({ scopeRowsMax: 2_500 })
    const run = async (lines: readonly string[]) => {
      const answer = await send('import', '/v1/import', lines.join('\n'), 'application/x-ndjson')
      const said = (await answer.text()).trimEnd().split('\n')
      return { last: JSON.parse(said.at(-1) ?? ''), first: JSON.parse(said[0] ?? '') }
    }
    const lines = Array.from({ length: 7_000 }, (_, n) => line(`r${n}`))
    expect((await run(lines)).last).toMatchObject({
      done: true,
      applied: 2_500,
      rejected: 4_500,
      unlisted: { quota_exceeded: 3_500 },
    })
    // Sent again it does what it did, and stops at the same place.
    expect((await run(lines)).last).toMatchObject({ done: true, applied: 0, duplicate: 2_500, rejected: 4_500 })
    const newer = await run([line('r1', noon + 1), line('new', noon + 1)])
    expect(newer.last).toMatchObject({ applied: 1, rejected: 1 })
    expect(newer.first).toMatchObject({ line: 2, error: { code: 'quota_exceeded', retryable: true } })
  })

  it('rejects what a webhook would add to it, which takes effect with the same id once there is room (P14)', async () => {
    const { app } = open({ scopeRowsMax: 1 })
    const todo = (id: string) => ({ table: 'todos', op: 'put', id, row: { title: id } })
    const send = (id: string, changes: readonly object[]) =>
      sendWebhook(app.request, { scope: 'hooked', changes }, { id })
    expect((await send('m1', [todo('a')])).body.verdicts).toMatchObject([{ verdict: 'applied' }])
    const rejected = { verdict: 'rejected', error: { code: 'quota_exceeded' } }
    const both = await send('m2', [todo('a'), todo('b')])
    expect([both.status, both.body.verdicts]).toMatchObject([200, [{ verdict: 'applied' }, rejected]])
    expect((await send('m3', [todo('b')])).body.verdicts).toMatchObject([rejected])
    await send('m4', [{ table: 'todos', op: 'delete', id: 'a' }])
    // Of m2 the first was stored, and does not come back; of m3 nothing.
    for (let times = 0; times < 2; times++)
      expect((await send('m2', [todo('a'), todo('b')])).body.verdicts).toMatchObject([
        { verdict: 'applied', action: 'updated' },
        { verdict: 'applied', action: 'inserted' },
      ])
    expect((await send('m3', [todo('b')])).body.verdicts).toMatchObject([{ verdict: 'applied', action: 'updated' }])
    expect(await idsIn(opened.store, 'hooked')).toEqual(['b'])
    const atomic = await sendWebhook(app.request, { scope: 'hooked', atomic: true, changes: [todo('c')] })
    expect([atomic.status, atomic.headers.get('Retry-After'), atomic.body.code]).toEqual([429, '60', 'quota_exceeded'])
  })

  it('is no scope of a limit that is none', () => {
    for (const scopeRowsMax of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => createSync({ schema, store: opened.store, scopeRowsMax })).toThrow(/scopeRowsMax must be/)
    expect(() => createSync({ schema, store: opened.store, scopeBytesMax: 0 })).toThrow(/scopeBytesMax must be/)
  })
})

describe('rows and bytes of a scope', { timeout: 120_000 }, () => {
  const seed = Math.floor(Math.random() * 1e9)
  const opened: TestStore[] = []
  beforeAll(async () => {
    for (const name of dialectStores) opened.push(await openTestStore(name))
  }, 60_000)
  afterAll(async () => {
    for (const { close } of opened) await close()
  })

  it(`never pass their limits, whatever is sent, and the verdicts are the same on both databases (P7, seed ${seed})`, async () => {
    const random = seededRandom(seed)
    const below = (most: number) => Math.floor(random() * most)
    const syncs = opened.map(({ store }) => {
      return createSync({ schema, store, now: () => noon / 1000, scopeRowsMax: 6, scopeBytesMax: 1_000 })
    })
    let refused = 0
    for (let round = 0; round < 120; round++) {
      const changes = Array.from({ length: 1 + below(6) }, () => {
        const [id, at, title] = [`r${below(10)}`, round * 10 + below(15), 'x'.repeat(below(120))]
        const kind = below(5)
        return kind < 3 ? put(id, at, title) : kind === 3 ? patch(id, at, { title }) : del(id, at)
      })
      const answers = []
      for (const sync of syncs) answers.push(await sync.push(principal('any'), { client: 'p', changes }))
      const [first, second] = answers.map(outcomes)
      expect(second).toEqual(first)
      refused += first?.filter((one) => one === 'quota_exceeded').length ?? 0
      const { changes: rows } = await (syncs[0] as Sync<Sample>).pull(principal('any'))
      const live = rows.flatMap((one) => (one.op === 'put' && one.table === 'todos' ? [one.row] : []))
      expect(live.length).toBeLessThanOrEqual(6)
      expect(
        live.reduce((sum, { title, notes }) => sum + 64 + title.length + (notes?.length ?? 0), 0),
      ).toBeLessThanOrEqual(1_000)
    }
    expect(refused).toBeGreaterThan(20)
  })
})
