import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { limits } from '../../src/model/limits.ts'
import type { Principal } from '../../src/model/principal.ts'
import { compileSchema } from '../../src/sql/schema-sql.ts'
import { onePlace, type Store } from '../../src/stores/store.ts'
import { createOperations, type Operations } from '../../src/sync/sync.ts'
import { pullToJson } from '../../src/wire/answer.ts'
import { seededRandom } from '../support/random.ts'
import { noon } from '../support/sample.ts'
import { schema } from '../support/schema.ts'
import { dialectStores, inThisRun, itOfDialects, openTestStore, type TestStore } from '../support/stores.ts'

type Cursor = Parameters<Operations['pull']>[1]['cursor']

const now = () => noon / 1000
const whoHas = (scopes: readonly string[]): Principal => ({
  subject: String(scopes[0]),
  scopes: new Map(scopes.map((scope) => [scope, 'write'])),
})

describe.each(inThisRun([...dialectStores, 'd1']))('pages of scopes with tombstones and gaps, on %s', (name) => {
  let opened: TestStore
  beforeAll(async () => {
    opened = await openTestStore(name)
  })
  afterAll(() => opened?.close())

  it('P3 P4 P8 are those of the scopes read one by one, whatever is written in between', async () => {
    const seed = Math.floor(Math.random() * 2 ** 31)
    const random = seededRandom(seed)
    const upTo = (most: number) => Math.floor(random() * most)
    const { store } = opened
    const together = createOperations({ schema, store, now })
    const apart = createOperations({ schema, store: { ...store, placeOf: (scope: string) => scope }, now })
    const scopes = Array.from({ length: 12 }, (_, n) => `of "${n}"`)
    const who = whoHas(scopes)
    let at = noon - 1_000_000
    const write = async () => {
      const scope = scopes[upTo(10)] ?? ''
      const changes = Array.from({ length: 1 + upTo(8) }, () => {
        const [table, row] =
          random() < 0.3 ? ['lists', { name: 'n' }] : ['todos', { title: `t${upTo(9)}`, amount: 0.1 }]
        const common = { scope, table, id: `r${upTo(12)}`, at: ++at }
        return random() < 0.3 ? { ...common, op: 'delete' } : { ...common, op: 'put', row }
      })
      await together.push(who, { client: 'a', changes, atomic: false, return: 'lost' })
    }
    for (let n = 0; n < 20; n++) await write()
    // D1 is SQLite's dialect, and each page of it costs five times as much.
    for (let round = 0; round < (name === 'd1' ? 1 : 4); round++) {
      let cursor: Cursor = null
      for (let page = 0, more = true; page < 40 && (more || page < 20); page++) {
        const limit = 1 + upTo(random() < 0.5 ? 6 : 40)
        const answer: Awaited<ReturnType<Operations['pull']>> = await together.pull(who, { cursor, limit })
        const other = await apart.pull(who, { cursor, limit })
        expect(pullToJson(answer), `seed ${seed}`).toBe(pullToJson(other))
        ;({ cursor, more } = answer.page)
        if (random() < 0.3) await write()
      }
    }
  })
})

describe.each(inThisRun([...dialectStores, 'd1']))('pages of many scopes with large rows, on %s', (name) => {
  let opened: TestStore
  let seen: { bytes: number; batches: number }
  let store: Store
  const itSpells = itOfDialects(name)
  const scopes = Array.from({ length: 24 }, (_, n) => `large${n}`)
  const who = whoHas(scopes)
  const put = (scope: string, id: string, at: number, row: object = { title: id }) => ({
    ...{ scope, table: 'todos', op: 'put', id, at: noon + at, row },
  })
  const base = { client: 'a', atomic: false, return: 'lost' } as const
  beforeAll(async () => {
    opened = await openTestStore(name)
    store = {
      ...opened.store,
      async batch(scope, statements) {
        const results = await opened.store.batch(scope, statements)
        seen.batches++
        for (const cell of results.flat(2)) if (typeof cell === 'string') seen.bytes += cell.length
        return results
      },
    }
    seen = { bytes: 0, batches: 0 }
    const { push } = createOperations({ schema, store, now })
    const row = { title: 'large', notes: 'x'.repeat(900_000) }
    for (const scope of scopes) await push(who, { ...base, changes: ['a', 'b'].map((id) => put(scope, id, 0, row)) })
  })
  afterAll(() => opened?.close())

  /** What the database gave, to a process that has seen none of these scopes before. */
  const costOf = async (work: (operations: Operations) => Promise<unknown>) => {
    const operations = createOperations({ schema, store, now })
    seen = { bytes: 0, batches: 0 }
    await work(operations)
    return seen
  }
  const most = limits.pageBytesMax + 1_000_000

  it('P3 the database itself ends a pull where its answer is full', async () => {
    expect(opened.store.placeOf).toBe(onePlace)
    let cursor: Cursor = null
    let rows = 0
    for (let pages = 0, more = true; more; pages++) {
      const cost = await costOf(async ({ pull }) => {
        const { page } = await pull(who, { cursor, limit: 1_000 })
        rows += page.count
        ;({ cursor, more } = page)
      })
      expect(cost.bytes).toBeLessThan(most)
      expect(cost.batches).toBe(1)
      expect(pages).toBeLessThan(20)
    }
    expect(rows).toBe(2 * scopes.length)
  })

  itSpells('P3 and what has no room waits, where each scope has a database of its own, too', async () => {
    const each = createOperations({ schema, store: { ...opened.store, placeOf: (scope: string) => scope }, now })
    let cursor: Cursor = null
    let rows = 0
    for (let pages = 0, more = true; more && pages < 50; pages++) {
      const { page }: Awaited<ReturnType<Operations['pull']>> = await each.pull(who, { cursor, limit: 1_000 })
      rows += page.count
      ;({ cursor, more } = page)
    }
    expect(rows).toBe(2 * scopes.length)
  })

  it('P3 and a sync, whether it writes one of the scopes, all of them, or is refused for one', async () => {
    const sync = (changes: readonly object[]) =>
      costOf(async ({ push }) => {
        const { page, verdicts } = await push(who, { ...base, changes, cursor: null, limit: 1_000 })
        expect(verdicts.some(({ verdict }) => verdict === 'applied' || verdict === 'duplicate')).toBe(true)
        expect(page?.more).toBe(true)
        expect(page?.count).toBeGreaterThan(1)
      })
    const one = await sync([put('large5', 'c', 1)])
    expect(one.bytes).toBeLessThan(most)
    expect(one.batches).toBe(1)
    const all = await sync(scopes.map((scope) => put(scope, 'c', 2)))
    expect(all.bytes).toBeLessThan(most)
    expect(all.batches).toBe(1)
    await opened.store.batch('large7', [
      { sql: "CREATE UNIQUE INDEX one_taken ON todos (scope, title) WHERE title = 'taken'", params: [] },
    ])
    const apart = await sync([
      ...scopes.map((scope) => put(scope, 'd', 3)),
      put('large7', 'e', 3, { title: 'taken' }),
      put('large7', 'f', 3, { title: 'taken' }),
    ])
    // Each is written by itself, and six of them at a time are read side by side.
    expect(apart.bytes).toBeLessThan(limits.scopesAtOnceMax * most)
  })
})

describe('a store that takes no statement of many pages', () => {
  it('P3 is asked for each scope by itself, and writes them together all the same', async () => {
    const opened = await openTestStore('libsql file')
    const { pages } = compileSchema(schema, opened.store.dialect)
    const sqlBytesMax = String(pages?.first).length - 1
    let batches = 0
    const store: Store = {
      ...opened.store,
      limits: { paramBytesMax: 1_000_000, resultColumnsMax: 100, sqlBytesMax },
      batch(scope, statements) {
        batches++
        for (const { sql } of statements) expect(sql.length).toBeLessThanOrEqual(sqlBytesMax)
        return opened.store.batch(scope, statements)
      },
    }
    const { push, pull } = createOperations({ schema, store, now })
    const scopes = Array.from({ length: 8 }, (_, n) => `scope${n}`)
    const changes = scopes.map((scope) => ({
      scope,
      table: 'todos',
      op: 'put',
      id: 'a',
      at: noon,
      row: { title: 't' },
    }))
    const base = { client: 'a', atomic: false, return: 'lost', cursor: null, limit: 5 } as const
    const { page } = await push(whoHas(scopes), { ...base, changes })
    expect(batches).toBe(1)
    expect(page).toMatchObject({ count: 0, more: false })
    const pulled = await pull(whoHas(scopes), { cursor: null, limit: 5 })
    expect(batches).toBe(1 + scopes.length)
    expect(pulled.page).toMatchObject({ count: 5, more: true })
    await opened.close()
  })
})
