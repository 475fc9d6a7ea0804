import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { limits } from '../../src/model/limits.ts'
import type { Principal } from '../../src/model/principal.ts'
import { onePlace } from '../../src/stores/store.ts'
import { createOperations, type Operations } from '../../src/sync/sync.ts'
import { pullToJson } from '../../src/wire/answer.ts'
import { noon } from '../support/sample.ts'
import { schema } from '../support/schema.ts'
import { allStoreNames, dialectStores, itOfDialects, openTestStore, type TestStore } from '../support/stores.ts'

const names = Array.from({ length: 60 }, (_, n) => `scope${n}`)
/** The last three are never written. */
const written = names.slice(0, 57)

describe.each(allStoreNames)('sixty scopes on %s', (name) => {
  let opened: TestStore
  let together: Operations
  /** The same, where each scope is read by itself. */
  let apart: Operations
  const who: Principal = { subject: 'scope0', scopes: new Map(names.map((scope) => [scope, 'write'])) }
  const put = (scope: string, id: string, at: number, title = id) => ({
    ...{ scope, table: 'todos', op: 'put', id, at: noon + at, row: { title } },
  })
  const push = (changes: readonly object[]) =>
    together.push(who, { client: 'a', changes, atomic: false, return: 'lost' })
  const itSpells = itOfDialects(name)
  /** Each object is read by itself anyhow. */
  const itReads = name === 'durable-object' ? () => {} : it
  const isOnePlace = () => opened.store.placeOf === onePlace

  beforeAll(async () => {
    opened = await openTestStore(name)
    const now = () => noon / 1000
    together = createOperations({ schema, store: opened.store, now })
    apart = createOperations({ schema, store: { ...opened.store, placeOf: (scope: string) => scope }, now })
    await push(written.flatMap((scope, n) => Array.from({ length: 1 + (n % 5) }, (_, id) => put(scope, `r${id}`, id))))
    // Rows that were written again and again, and a row so large that a page of many like it would not fit.
    for (const at of [10, 11, 12]) await push([put('scope3', 'again', at), put('scope55', 'again', at)])
    await push([put('scope40', 'large', 1, 'x'.repeat(100_000))])
  })
  afterAll(() => opened?.close())

  const tripsOf = async (work: () => Promise<unknown>) => {
    const before = opened.roundTrips()
    await work()
    return opened.roundTrips() - before
  }

  itReads(
    'P3 P4 each page is that of the scopes read one by one, byte for byte, from the beginning to the end',
    async () => {
      const limit = 70
      let cursor: Parameters<Operations['pull']>[1]['cursor'] = null
      let rows = 0
      for (let more = true, pages = 0; more; pages++) {
        expect(pages).toBeLessThan(100)
        const answer = await together.pull(who, { cursor, limit })
        const other = await apart.pull(who, { cursor, limit })
        expect(pullToJson(answer)).toBe(pullToJson(other))
        rows += answer.page.count
        ;({ cursor, more } = answer.page)
      }
      expect(rows).toBe(written.reduce((sum, _, n) => sum + 1 + (n % 5), 3))
    },
  )

  it('costs one round trip for each page, whatever is new', async () => {
    if (!isOnePlace() || Number.isNaN(opened.roundTrips())) return
    const whole = await together.pull(who, { cursor: null, limit: 5_000 })
    expect(whole.page.more).toBe(false)
    const { cursor } = whole.page
    expect(await tripsOf(() => together.pull(who, { cursor, limit: 500 }))).toBe(1)
    await push([put('scope5', 'new', 20), put('scope52', 'new', 20), put('scope58', 'new', 20)])
    let found: readonly string[] = []
    const trips = await tripsOf(async () => {
      const { changes } = JSON.parse(pullToJson(await together.pull(who, { cursor, limit: 500 })))
      found = changes.map((one: { scope: string; id: string }) => `${one.scope} ${one.id}`)
    })
    expect(found).toEqual(['scope5 new', 'scope52 new', 'scope58 new'])
    expect(trips).toBe(1)
    let pages = 0
    const all = async () => {
      let from: typeof cursor | null = null
      for (let more = true; more; pages++)
        ({ cursor: from, more } = (await together.pull(who, { cursor: from, limit: 30 })).page)
    }
    expect(await tripsOf(all)).toBe(pages)
    expect(pages).toBeLessThan(10)
  })

  it('P3 P4 a sync writes one scope and reads the others, as if they were read by themselves', async () => {
    const { cursor } = (await together.pull(who, { cursor: null, limit: 5_000 })).page
    const sync = (operations: Operations, changes: readonly object[], from: typeof cursor | null, limit: number) =>
      operations.push(who, { client: 'b', changes, atomic: false, return: 'all', cursor: from, limit })
    const mine = put('scope7', 'mine', 30)
    const answers = []
    for (const operations of [apart, together]) {
      const answer = await sync(operations, [mine], cursor, 100)
      answers.push(answer.page && { rows: answer.page.rows, more: answer.page.more })
    }
    // What this very request wrote is left out; the second one finds it stored.
    expect(answers[0]).toEqual({ rows: '', more: false })
    expect(JSON.parse(String(answers[1]?.rows))).toMatchObject({ scope: 'scope7', id: 'mine' })
    if (isOnePlace() && !Number.isNaN(opened.roundTrips())) {
      const { page } = await sync(together, [put('scope7', 'mine', 31)], cursor, 100)
      const from = page?.cursor ?? cursor
      expect(await tripsOf(() => sync(together, [put('scope7', 'mine', 32)], from, 100))).toBe(1)
      expect(await tripsOf(() => sync(together, [put('scope7', 'mine', 33)], null, 20))).toBeLessThanOrEqual(3)
      // All of it is refused, so nothing is written, and the others are read all the same.
      const unread = await sync(together, [{ table: 'todos', op: 'nothing' }], from, 100)
      expect(unread.verdicts).toMatchObject([{ verdict: 'rejected' }])
      expect(unread.page?.more).toBe(false)
    }
    await push([put('scope8', 'theirs', 40)])
    const { page } = await sync(together, [put('scope9', 'mine', 40)], cursor, 100)
    expect(page?.rows).toContain('"theirs"')
  })

  it('P12 a push to many scopes is one round trip, and what is refused of one harms no other', async () => {
    const some = names.slice(20, 30)
    const pushTo = (id: string, at: number, more: readonly object[] = []) =>
      push([...more, ...some.toReversed().map((scope) => put(scope, id, at))])
    const verdictsOf = async (answer: ReturnType<typeof push>) =>
      (await answer).verdicts.map((one) => (one.verdict === 'rejected' ? one.error.code : one.verdict))
    const applied = some.map(() => 'applied')
    if (isOnePlace() && !Number.isNaN(opened.roundTrips())) {
      expect(await tripsOf(() => pushTo('many', 60))).toBe(1)
      const { cursor } = (await together.pull(who, { cursor: null, limit: 5_000 })).page
      const changes = some.map((scope) => put(scope, 'many', 61))
      const request = { client: 'a', changes, atomic: false, return: 'lost', cursor, limit: 100 } as const
      expect(await tripsOf(() => together.push(who, request))).toBe(1)
    }
    const missing = { scope: 'scope25', table: 'todos', op: 'patch', id: 'none', at: noon, row: { done: true } }
    const refused = { ...put('scope26', 'twice', 62), row: { title: 'taken' } }
    for (const scope of some)
      await opened.store.batch(scope, [
        {
          sql: "CREATE UNIQUE INDEX IF NOT EXISTS one_taken ON todos (scope, title) WHERE title = 'taken'",
          params: [],
        },
      ])
    await push([put('scope26', 'once', 62, 'taken')])
    expect(await verdictsOf(pushTo('others', 63, [missing, refused]))).toEqual([
      'row_missing',
      'constraint',
      ...applied,
    ])
    expect(await verdictsOf(push([missing, refused]))).toEqual(['row_missing', 'constraint'])
    expect(await verdictsOf(push([put('scope20', 'fine', 64), refused]))).toEqual(['applied', 'constraint'])
    // Two that name the scopes in other orders wait for each other only once.
    const both = await Promise.all([
      verdictsOf(pushTo('race', 65)),
      verdictsOf(push(some.map((scope) => put(scope, 'race2', 65)))),
    ])
    expect(both).toEqual([applied, applied])
  })

  it('P14 a webhook to many scopes is one round trip, takes effect once, and what is refused harms no other', async () => {
    const some = names.slice(30, 36)
    const grant = { scope: undefined, isAllowed: () => true }
    const hook = async (id: string, changes: readonly object[]) => {
      const { verdicts } = await together.receive({ source: 'crm', id, grant, atomic: false, changes })
      return verdicts.map((one) => (one.verdict === 'rejected' ? one.error.code : one.verdict))
    }
    const puts = some.map((scope) => put(scope, 'hook', 70))
    const missing = { scope: 'scope33', table: 'todos', op: 'patch', id: 'none', at: noon, row: { done: true } }
    const applied = some.map(() => 'applied')
    const trips = await tripsOf(() => hook('w0', puts))
    if (isOnePlace() && !Number.isNaN(opened.roundTrips())) expect(trips).toBe(1)
    const more = some.map((scope) => put(scope, 'hook', 71))
    for (const _ of [1, 2]) expect(await hook('w1', [missing, ...more])).toEqual(['row_missing', ...applied])
    // Of a webhook that took effect in some scopes, the others still may.
    expect(await hook('w2', [put('scope30', 'part', 72)])).toEqual(['applied'])
    expect(await hook('w2', [put('scope30', 'part', 72), put('scope31', 'part', 72)])).toEqual(['applied', 'applied'])
    expect(await hook('w3', [put('scope30', 'part', 72), put('scope31', 'part', 72)])).toEqual([
      'duplicate',
      'duplicate',
    ])
  })

  it('P12 a chunk of an import to many scopes is one round trip, and what is refused of one harms no other', async () => {
    const some = names.slice(36, 46)
    const grant = { scope: undefined, isAllowed: () => true, byToken: false }
    const load = async (changes: readonly object[], looks = false) => {
      let answer = await Promise.resolve<Awaited<ReturnType<Operations['importChunk']>> | undefined>(undefined)
      const trips = await tripsOf(async () => {
        answer = await together.importChunk('scope0', { client: 'file', changes, grant, looks })
      })
      const { tally, rejected } = answer ?? { tally: undefined, rejected: new Map() }
      return { tally, rejected: [...rejected].map(([index, { code }]) => `${index} ${code}`), trips }
    }
    const counted = isOnePlace() && !Number.isNaN(opened.roundTrips())
    const once = (trips: number) => expect(counted ? trips : 1).toBe(1)
    const rows = (at: number) => some.toReversed().flatMap((scope) => [put(scope, 'i', at), put(scope, 'j', at)])
    const first = await load(rows(80))
    expect(first).toMatchObject({ tally: { applied: 20, duplicate: 0, stale: 0 }, rejected: [] })
    once(first.trips)
    const again = await load(rows(80), true)
    expect(again).toMatchObject({ tally: { applied: 0, duplicate: 20, stale: 0 }, rejected: [] })
    once(again.trips)
    // What comes more than once, or only patches, goes as a change set of each scope.
    const patches = some.map((scope) => ({ ...put(scope, 'i', 82), op: 'patch', row: { done: true } }))
    const folded = await load([...some.map((scope) => put(scope, 'i', 81)), ...patches])
    expect(folded).toMatchObject({ tally: { applied: 20, duplicate: 0, stale: 0 }, rejected: [] })
    once(folded.trips)
    // Stale lines are looked at once more, of all scopes together: a trigger may have swallowed them.
    const stale = await load(rows(79))
    expect(stale).toMatchObject({ tally: { applied: 0, duplicate: 0, stale: 20 }, rejected: [] })
    expect(counted ? stale.trips : 2).toBe(2)
    for (const scope of some)
      await opened.store.batch(scope, [
        {
          sql: "CREATE UNIQUE INDEX IF NOT EXISTS one_taken ON todos (scope, title) WHERE title = 'taken'",
          params: [],
        },
      ])
    const refused = [put('scope40', 'k', 83, 'taken'), put('scope40', 'l', 83, 'taken')]
    const missing = { scope: 'scope41', table: 'todos', op: 'patch', id: 'none', at: noon, row: { done: true } }
    expect(await load([...refused, missing, ...rows(84)])).toMatchObject({
      tally: { applied: 21, duplicate: 0, stale: 0 },
      rejected: ['1 constraint', '2 row_missing'],
    })
  })

  it('P9 a push or sync whose cursor must resync for a scope that it does not write applies nothing', async () => {
    const { cursor } = (await together.pull(who, { cursor: null, limit: 5_000 })).page
    const entry = cursor.get('scope50')
    const never = cursor.get('scope59')
    expect(never).toMatchObject({ incarnation: null })
    const wrong: (readonly [string, NonNullable<typeof entry>])[] = [
      ['scope50', { incarnation: 'other', position: entry?.position ?? 0, start: 0 }],
      ['scope50', { incarnation: entry?.incarnation ?? '', position: 1_000_000, start: 0 }],
      ['scope59', { incarnation: 'other', position: 3, start: 0 }],
    ]
    for (const [scope, other] of isOnePlace() ? wrong : wrong.slice(2)) {
      for (const limit of [undefined, 10]) {
        const stale = new Map([...cursor, [scope, other]])
        const page = limit === undefined ? {} : { limit }
        const request = { client: 'b', atomic: false, return: 'all', cursor: stale, ...page } as const
        for (const changes of [[put('scope7', 'never', 50)], [put('scope7', 'never', 50), put('scope8', 'never', 50)]])
          await expect(together.push(who, { ...request, changes })).rejects.toMatchObject({
            code: 'resync',
            members: { scopes: [scope] },
          })
      }
    }
    expect((await together.pull(who, { cursor: null, limit: 5_000 })).page.rows).not.toContain('"never"')
  })

  itSpells('P9 P16 and a scope whose cursor must resync is found among all of them', async () => {
    const all = await together.pull(who, { cursor: null, limit: 5_000 })
    const cursor = new Map(all.page.cursor)
    const entry = cursor.get('scope50')
    cursor.set('scope50', { incarnation: 'other', position: entry?.position ?? 0, start: 0 })
    await expect(together.pull(who, { cursor, limit: 10 })).rejects.toMatchObject({
      code: 'resync',
      members: { reason: 'restored', scopes: ['scope50'] },
    })
  })
})

describe.each(dialectStores)('more scopes than one batch writes, on %s', (name) => {
  it('P9 P12 are written all, or none where the cursor must resync for one of them', async () => {
    const opened = await openTestStore(name)
    const { push, pull } = createOperations({ schema, store: opened.store, now: () => noon / 1000 })
    const scopes = Array.from({ length: limits.scopesTogetherMax + 30 }, (_, n) => `wide${n}`)
    const who: Principal = { subject: 'wide0', scopes: new Map(scopes.map((scope) => [scope, 'write'])) }
    const changesAt = (at: number) =>
      scopes.map((scope) => ({ scope, table: 'todos', op: 'put', id: 'a', at: noon + at, row: { title: `at ${at}` } }))
    const base = { client: 'a', atomic: false, return: 'lost' } as const
    const { verdicts } = await push(who, { ...base, changes: changesAt(1) })
    expect(verdicts.map(({ verdict }) => verdict)).toEqual(scopes.map(() => 'applied'))
    const { page } = await pull(who, { cursor: null, limit: 1_000 })
    expect(page.count).toBe(scopes.length)
    for (const last of [scopes[0], scopes.at(-1)]) {
      const cursor = new Map([...page.cursor, [String(last), { incarnation: 'other', position: 1, start: 0 }]])
      await expect(push(who, { ...base, changes: changesAt(2), cursor })).rejects.toMatchObject({ code: 'resync' })
      expect((await pull(who, { cursor: page.cursor, limit: 10 })).page.count).toBe(0)
    }
    await opened.close()
  })
})

describe.each(dialectStores)('scopes with large rows, on %s', (name) => {
  it('P3 share the bytes of a page, and none of their rows is passed over', async () => {
    const opened = await openTestStore(name)
    const { push, pull } = createOperations({ schema, store: opened.store, now: () => noon / 1000 })
    const scopes = Array.from({ length: 10 }, (_, n) => `large${n}`)
    const who: Principal = { subject: 'large0', scopes: new Map(scopes.map((scope) => [scope, 'write'])) }
    const row = { title: 'large', notes: 'x'.repeat(900_000) }
    for (const scope of scopes)
      await push(who, {
        ...{ client: 'a', atomic: false, return: 'lost' },
        changes: ['a', 'b'].map((id) => ({ scope, table: 'todos', op: 'put', id, at: noon, row })),
      })
    const seen: string[] = []
    let cursor: Parameters<Operations['pull']>[1]['cursor'] = null
    for (let more = true; more; ) {
      const { page } = await pull(who, { cursor, limit: 1_000 })
      expect(page.rows.length).toBeLessThan(limits.pageBytesMax + 2_000_000)
      for (const [, scope, id] of page.rows.matchAll(/"scope":"(\w+)","table":"todos","op":"put","id":"(\w)"/g))
        seen.push(`${scope} ${id}`)
      ;({ cursor, more } = page)
    }
    expect(seen.toSorted()).toEqual(scopes.flatMap((scope) => [`${scope} a`, `${scope} b`]))
    await opened.close()
  })
})
