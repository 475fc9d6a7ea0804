import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { counter, integer, real, text, timestamp } from '../../src/model/column.ts'
import { defineSchema } from '../../src/model/define-schema.ts'
import type { Principal } from '../../src/model/principal.ts'
import { byColumn } from '../../src/model/table.ts'
import { prune } from '../../src/prune/prune.ts'
import { createOperations } from '../../src/sync/sync.ts'
import { pullToJson, syncToJson } from '../../src/wire/answer.ts'
import { decodeRequest } from '../../src/wire/request.ts'
import { noon, principal } from '../support/sample.ts'
import { allStoreNames, openTestStore, type TestStore } from '../support/stores.ts'

const schema = defineSchema({
  products: byColumn({
    name: text(),
    price: integer({ nullable: true }),
    stock: counter(),
    best: integer({ merge: 'max', default: 0 }),
    least: real({ merge: 'min', nullable: true }),
    made_by: text({ merge: 'once', nullable: true }),
    created_at: timestamp({ filled: 'created' }),
    written_at: timestamp({ filled: 'written', digits: 6 }),
    place: integer({ filled: 'created' }),
  }),
  cards: byColumn({ front: text(), back: text({ nullable: true }) }),
  posts: { title: text(), likes: counter(), last: timestamp({ merge: 'max', nullable: true }) },
  notes: { title: text(), body: text({ nullable: true }) },
})

/** The user's own: a stock is never below nought. */
const rule = (when: string, name: string) =>
  `CREATE TRIGGER ${name} BEFORE ${when} ON products WHEN NOT NEW.deleted AND NEW.stock < 0 BEGIN SELECT RAISE(ABORT, 'stock'); END;`
const own = {
  postgres: 'ALTER TABLE products ADD CONSTRAINT in_stock CHECK (deleted OR stock >= 0);',
  sqlite: [rule('INSERT', 'made'), rule('UPDATE', 'changed')].join('\n'),
}

interface Change {
  readonly id: string
  readonly op: string
  readonly at: number
  readonly by: string
  readonly position: number
  readonly row?: Record<string, unknown>
}
interface Verdict {
  readonly verdict: string
  readonly action?: string
  readonly lost?: readonly string[]
  readonly error?: { readonly code: string }
  readonly current?: Change
}

describe.each(allStoreNames)('columns that merge, on %s', (name) => {
  let opened: TestStore
  let people = 0
  const someone = () => principal(`u${++people}`)
  let now = noon / 1000 + 3_600_000
  beforeAll(async () => {
    opened = await openTestStore(name, schema, own)
  })
  afterAll(() => opened.close())

  const operations = () => createOperations({ schema, store: opened.store, now: () => now })
  const answer = async (who: Principal, changes: readonly object[], more: object = {}) =>
    JSON.parse(syncToJson(await operations().push(who, decodeRequest({ client: 'a', changes, ...more }, 'sync')))) as {
      verdicts: Verdict[]
      changes?: Change[]
      cursor: string
    }
  const push = async (who: Principal, ...changes: readonly object[]) => (await answer(who, changes)).verdicts
  const by = async (client: string, who: Principal, ...changes: readonly object[]) =>
    (await answer(who, changes, { client })).verdicts
  const words = (verdicts: readonly Verdict[]) =>
    verdicts.map(({ verdict, lost, error }) => error?.code ?? (lost ? `${verdict} but ${lost}` : verdict))
  const pull = async (who: Principal) => {
    const page = await operations().pull(who, { cursor: null, limit: 1_000, columns: 'all' })
    return (JSON.parse(pullToJson(page)) as { changes: Change[] }).changes
  }
  const row = async (who: Principal, id = 'x') => (await pull(who)).find((one) => one.id === id)?.row
  const put = (at: number, row: object, table = 'products', id = 'x') => ({ table, op: 'put', id, at: noon + at, row })
  const patch = (at: number, row: object, table = 'products', more: object = {}) => ({
    ...{ table, op: 'patch', id: 'x', at: noon + at, row },
    ...more,
  })
  const del = (at: number, table = 'products') => ({ table, op: 'delete', id: 'x', at: noon + at })
  const cards = (at: number, row: object) => patch(at, row, 'cards')

  it('P1 two patches of different columns both stay, whichever arrives first, and a put loses the columns that are later', async () => {
    for (const order of [
      [10, 20],
      [20, 10],
    ]) {
      const who = someone()
      await push(who, put(0, { front: 'f', back: 'b' }, 'cards'))
      const [first, second] = order.map((at) => cards(at, at === 10 ? { front: 'F' } : { back: 'B' }))
      expect(words(await by('b', who, first as object))).toEqual(['applied'])
      expect(words(await by('c', who, second as object))).toEqual(['applied'])
      expect(await row(who)).toEqual({ front: 'F', back: 'B' })
      expect(words(await push(who, put(15, { front: 'P', back: 'P' }, 'cards')))).toEqual(['applied but back'])
      expect(await row(who)).toEqual({ front: 'P', back: 'B' })
      expect(words(await push(who, put(15, { front: 'P', back: 'P' }, 'cards')))).toEqual(['stale'])
      expect(words(await push(who, put(5, { front: 'old', back: 'old' }, 'cards')))).toEqual(['stale'])
      expect(words(await push(who, del(18, 'cards')))).toEqual(['stale'])
      expect(words(await push(who, put(20, { front: 'Q' }, 'cards')))).toEqual(['applied but back'])
      expect(words(await push(who, put(30, { front: 'R' }, 'cards')))).toEqual(['applied'])
      // The put was later than all of the row: nothing is compared with the put before it.
      expect(words(await by('b', who, cards(25, { front: 'old' })))).toEqual(['stale'])
      expect(words(await push(who, del(31, 'cards')))).toEqual(['applied'])
    }
  })

  it('P6 of two patches at one time the one by the greater client stays', async () => {
    for (const [first, second, left] of [
      ['b', 'c', 'applied'],
      ['c', 'b', 'stale'],
    ] as const) {
      const who = someone()
      await push(who, put(0, { front: 'f' }, 'cards'))
      expect(words(await by(first, who, cards(10, { front: first })))).toEqual(['applied'])
      expect(words(await by(second, who, cards(10, { front: second })))).toEqual([left])
      expect((await row(who))?.front).toBe('c')
    }
  })

  it('what is added counts once, in any order and however often it is sent, and a set stands below what is later', async () => {
    const who = someone()
    expect(words(await push(who, put(0, { name: 'n', stock: 5 })))).toEqual(['applied'])
    const adds = [1, 2, 3].map((at) => patch(at, { stock: { add: at } }))
    expect(words(await push(who, ...adds))).toEqual(['applied', 'applied', 'applied'])
    expect((await row(who))?.stock).toBe(11)
    const [before] = await pull(who)
    expect(words(await push(who, ...adds))).toEqual(['duplicate', 'duplicate', 'duplicate'])
    expect(words(await push(who, adds[1] as object))).toEqual(['duplicate'])
    expect(await pull(who)).toEqual([before])
    expect(words(await by('b', who, patch(2, { stock: { add: 10 } })))).toEqual(['applied'])
    expect((await row(who))?.stock).toBe(21)
    // 100, and what is later than 2 by a: b's add, and a's of 3.
    expect(words(await push(who, patch(2, { stock: { set: 100 } })))).toEqual(['applied'])
    expect((await row(who))?.stock).toBe(113)
    expect(words(await by('c', who, patch(1, { stock: { add: 7 } })))).toEqual(['stale'])
    expect(words(await by('c', who, patch(1, { stock: { set: 7 } })))).toEqual(['stale'])
    expect(words(await push(who, put(50, { name: 'm', stock: 1 })))).toEqual(['applied'])
    expect((await row(who))?.stock).toBe(113)
  })

  it('an add from before the deletion does not count for the new life, nor one that was counted before it', async () => {
    const who = someone()
    await push(who, put(0, { name: 'n', stock: 5 }), patch(30, { stock: { add: 1 } }))
    expect(words(await push(who, del(10)))).toEqual(['applied'])
    expect(words(await push(who, patch(30, { stock: { add: 1 } })))).toEqual(['row_missing'])
    expect(words(await push(who, put(20, { name: 'n', stock: 2 })))).toEqual(['applied'])
    expect(words(await push(who, patch(30, { stock: { add: 1 } })))).toEqual(['duplicate'])
    expect(words(await push(who, patch(9, { stock: { add: 1 } })))).toEqual(['stale'])
    expect(words(await by('b', who, patch(11, { stock: { add: 40 } })))).toEqual(['applied'])
    expect((await row(who))?.stock).toBe(42)
    expect(words(await push(who, patch(12, { stock: { set: 1 } })))).toEqual(['applied'])
    expect((await row(who))?.stock).toBe(1)
  })

  it('the greatest, the least and the first value stay, whoever writes later', async () => {
    const who = someone()
    await push(who, put(10, { name: 'n', best: 5, least: 5 }))
    expect(words(await by('b', who, put(1, { name: 'old', best: 9, least: 7, made_by: 'b' })))).toEqual([
      'applied but name,price',
    ])
    expect(await row(who)).toMatchObject({ name: 'n', best: 9, least: 5, made_by: 'b' })
    expect(words(await push(who, patch(50, { best: 8, least: 4.5, made_by: 'c' })))).toEqual(['applied'])
    expect(await row(who)).toMatchObject({ best: 9, least: 4.5, made_by: 'b' })
    expect(words(await push(who, patch(51, { best: 9, made_by: 'b' })))).toEqual(['duplicate'])
    expect(words(await push(who, patch(51, { best: 1 })))).toEqual(['stale'])
    const [{ at }] = (await pull(who)) as [Change]
    expect(at).toBe(noon + 10)
  })

  it('the server fills its columns, and the writer gets what is stored', async () => {
    const who = someone()
    now = noon / 1000 + 4_000_000
    const { verdicts } = await answer(who, [put(1, { name: 'n' })], { return: 'lost' })
    const filled = new Date(now).toISOString()
    expect(verdicts[0]?.current?.row).toMatchObject({
      ...{ created_at: filled, written_at: filled.replace('Z', '000Z'), place: verdicts[0]?.current?.position },
    })
    now += 1_000
    await push(who, patch(2, { price: 1 }))
    expect(await row(who)).toMatchObject({
      created_at: filled,
      written_at: new Date(now).toISOString().replace('Z', '000Z'),
    })
    expect(words(await push(who, put(3, { name: 'n', created_at: filled }), patch(4, { place: 1 })))).toEqual([
      'invalid_value',
      'invalid_value',
    ])
    expect(words(await push(who, patch(4, { stock: 5 }), put(5, { name: 'n', stock: { add: 1, set: 1 } })))).toEqual([
      'invalid_value',
      'invalid_value',
    ])
  })

  it('a put adds and sets besides what a new row begins with', async () => {
    const who = someone()
    expect(words(await push(who, put(1, { name: 'n', stock: { add: 3 } })))).toEqual(['applied'])
    expect((await row(who))?.stock).toBe(3)
    expect(words(await push(who, put(1, { name: 'n', stock: { add: 3 } })))).toEqual(['duplicate'])
    expect(words(await push(who, put(2, { name: 'n', stock: { set: 10 } })))).toEqual(['applied'])
    expect(words(await push(who, put(3, { name: 'n', stock: { add: 1 } }), patch(4, { stock: { add: 1 } })))).toEqual([
      'applied',
      'applied',
    ])
    expect((await row(who))?.stock).toBe(12)
  })

  it('several changes of one row end as one by one: an add, a set, a delete, a put and a patch', async () => {
    const who = someone()
    const changes = [
      put(1, { name: 'a', stock: 1 }),
      patch(2, { stock: { add: 5 } }),
      patch(3, { stock: { set: 10 } }),
      patch(4, { stock: { add: 5 }, price: 7 }),
      del(5),
      put(6, { name: 'b', stock: 2 }),
      patch(7, { best: 4 }),
      patch(8, { best: 3, stock: { add: 1 } }),
    ]
    const alone = someone()
    const one: string[] = []
    for (const change of changes) one.push(...words(await push(alone, change)))
    expect(words(await push(who, ...changes))).toEqual(one)
    const { written_at: _, created_at: __, place: ___, ...left } = (await row(who)) ?? {}
    expect(left).toEqual({ name: 'b', price: null, stock: 3, best: 4, least: null, made_by: null })
    expect(words(await push(who, ...changes))).not.toContain('applied')
  })

  it('a table without byColumn has one stamp, and its merging columns none', async () => {
    const who = someone()
    await push(who, put(10, { title: 't' }, 'posts'))
    expect(words(await by('b', who, patch(5, { title: 'old', likes: { add: 2 } }, 'posts')))).toEqual([
      'applied but title',
    ])
    const time = '2026-05-05T05:05:05.000Z'
    expect(words(await by('b', who, patch(4, { last: time }, 'posts')))).toEqual(['applied'])
    expect(await row(who)).toEqual({ title: 't', likes: 2, last: time })
    expect(words(await by('b', who, del(9, 'posts')))).toEqual(['stale'])
    expect(words(await by('b', who, del(11, 'posts')))).toEqual(['applied'])
    expect(words(await push(who, patch(12, { likes: { add: 1 } }, 'posts')))).toEqual(['row_missing'])
  })

  it('create makes the row of a patch where none lives, and is a patch where one does', async () => {
    for (const table of ['notes', 'cards', 'products'] as const) {
      const who = someone()
      const key = { notes: 'title', cards: 'front', products: 'name' }[table]
      const create = (at: number, row: object) => patch(at, row, table, { create: true })
      expect(words(await push(who, patch(1, { [key]: 'a' }, table)))).toEqual(['row_missing'])
      const [made] = await push(who, create(2, { [key]: 'a' }))
      expect([made?.verdict, made?.action]).toEqual(['applied', 'inserted'])
      expect(words(await push(who, create(2, { [key]: 'a' })))).toEqual(['duplicate'])
      expect((await push(who, create(3, { [key]: 'b' })))[0]?.action).toBe('updated')
      expect((await row(who))?.[key]).toBe('b')
      expect(words(await push(who, create(1, { [key]: 'b' })))).toEqual(['stale'])
      expect(words(await push(who, del(5, table)))).toEqual(['applied'])
      expect(words(await push(who, create(4, { [key]: 'b' })))).toEqual(['stale'])
      expect(words(await push(who, create(6, { [key]: 'c' }), patch(7, { [key]: 'd' }, table)))).toEqual([
        'applied',
        'applied',
      ])
      expect((await row(who))?.[key]).toBe('d')
    }
    expect(words(await push(someone(), patch(1, { body: 'x' }, 'notes', { create: true })))).toEqual(['missing_column'])
    expect(words(await push(someone(), { ...put(1, { title: 'x' }, 'notes'), create: true }))).toEqual([
      'invalid_change',
    ])
  })

  it('if: a change applies only to the row as it was seen, else it is told the row that is there', async () => {
    for (const table of ['notes', 'cards', 'products'] as const) {
      const who = someone()
      const key = { notes: 'title', cards: 'front', products: 'name' }[table]
      const seen = (at: number) => ({ if: { at: noon + at, by: 'a' } })
      await push(who, put(1, { [key]: 'a' }, table))
      expect(words(await push(who, patch(3, { [key]: 'b' }, table, seen(1))))).toEqual(['applied'])
      expect(words(await push(who, patch(3, { [key]: 'b' }, table, seen(1))))).toEqual(['duplicate'])
      const [changed] = await push(who, patch(4, { [key]: 'c' }, table, seen(1)))
      expect([changed?.error?.code, changed?.current?.row?.[key]]).toEqual(['changed', 'b'])
      expect(words(await push(who, { ...put(4, { [key]: 'c' }, table), ...seen(2) }))).toEqual(['changed'])
      expect(words(await push(who, { ...del(4, table), ...seen(1) }))).toEqual(['changed'])
      expect(words(await push(who, { ...put(4, { [key]: 'c' }, table, 'none'), ...seen(2) }))).toEqual(['changed'])
      // The second sees what the first has left.
      const two = [patch(5, { [key]: 'd' }, table, seen(3)), { ...put(6, { [key]: 'e' }, table), ...seen(5) }]
      expect(words(await push(who, ...two, { ...del(7, table), ...seen(5) }))).toEqual([
        'applied',
        'applied',
        'changed',
      ])
      await expect(
        answer(who, [put(8, { [key]: 'x' }, table, 'y'), patch(8, { [key]: 'f' }, table, seen(5))], { atomic: true }),
      ).rejects.toMatchObject({ code: 'atomic_rejected', members: { index: 1, error: { code: 'changed' } } })
      expect((await pull(who)).map(({ id }) => id)).toEqual(['x'])
      expect(words(await push(who, { ...del(8, table), ...seen(6) }))).toEqual(['applied'])
    }
    // What is added and set belongs to the change.
    const who = someone()
    const seen = (at: number) => ({ if: { at: noon + at, by: 'a' } })
    await push(who, put(1, { name: 'a', stock: 5 }))
    expect(words(await push(who, { ...put(2, { name: 'b', stock: { add: 1 } }), ...seen(9) }))).toEqual(['changed'])
    expect(words(await push(who, patch(2, { stock: { add: 1 } }, 'products', seen(9))))).toEqual(['changed'])
    expect(words(await push(who, patch(2, { stock: { set: 1 }, price: 1 }, 'products', seen(9))))).toEqual(['changed'])
    expect(await row(who)).toMatchObject({ name: 'a', stock: 5, price: null })
    expect(words(await push(who, { ...put(2, { name: 'b', stock: { add: 1 } }), ...seen(1) }))).toEqual(['applied'])
    expect(words(await push(who, patch(3, { stock: { set: 9 }, price: 1 }, 'products', seen(2))))).toEqual(['applied'])
    expect(words(await push(who, patch(4, { stock: { add: 1 }, price: 2 }, 'products', seen(3))))).toEqual(['applied'])
    expect(await row(who)).toMatchObject({ name: 'b', stock: 10, price: 2 })
  })

  it('P12 an add that breaks a constraint is rejected alone: by itself, the last, all, and among good ones', async () => {
    const who = someone()
    await push(who, put(0, { name: 'n', stock: 3 }))
    const add = (at: number, n: number, more: object = {}) => patch(at, { stock: { add: n }, ...more })
    expect(words(await push(who, add(1, -4)))).toEqual(['constraint'])
    expect(words(await push(who, add(2, -2), add(3, -2, { price: 1 })))).toEqual(['applied', 'constraint'])
    expect(await row(who)).toMatchObject({ stock: 1, price: null })
    expect(words(await push(who, add(4, -2), add(5, -9)))).toEqual(['constraint', 'constraint'])
    const others = [put(1, { name: 'o' }, 'products', 'y'), put(1, { front: 'f' }, 'cards', 'z')]
    expect(words(await push(who, ...others, add(6, -2), patch(7, { price: 5 })))).toEqual([
      ...['applied', 'applied', 'constraint', 'applied'],
    ])
    // It was not counted, so it counts once there is enough.
    await push(who, add(8, 1))
    expect(words(await push(who, add(6, -2)))).toEqual(['applied'])
    expect(await row(who)).toMatchObject({ stock: 0, price: 5 })
    await expect(
      answer(who, [add(9, 5), patch(10, { price: 6 }), add(11, -9)], { atomic: true }),
    ).rejects.toMatchObject({
      ...{ code: 'atomic_rejected', members: { index: 2, error: { code: 'constraint' } } },
    })
    expect(await row(who)).toMatchObject({ stock: 0, price: 5 })
    expect(words(await push(who, patch(12, { stock: { set: 2 ** 53 - 1 } }), add(13, 2)))).toEqual([
      'applied',
      'constraint',
    ])
  })

  it('ten pushes of the same adds at once add once, among others', async () => {
    const who = someone()
    await push(who, put(0, { name: 'n' }), put(0, { title: 'p' }, 'posts', 'p'))
    const adds = [1, 2, 3].map((n) => patch(n, { stock: { add: n } }))
    const like = { table: 'posts', op: 'patch', id: 'p', at: noon + 1, row: { likes: { add: 1 } } }
    const same = Array.from({ length: 10 }, () => push(who, ...adds, like))
    const others = Array.from({ length: 5 }, (_, n) => by(`c${n}`, who, ...adds))
    const verdicts = await Promise.all(same)
    await Promise.all(others)
    expect(verdicts.map((one) => words(one).join()).sort()).toEqual([
      'applied,applied,applied,applied',
      ...Array(9).fill('duplicate,duplicate,duplicate,duplicate'),
    ])
    expect([(await row(who))?.stock, (await row(who, 'p'))?.likes]).toEqual([36, 1])
  })

  it('P14 a webhook adds once by its id, later than what its source has added, and its letters are what came of it', async () => {
    const who = `hooks${++people}`
    const receive = async (id: string, changes: readonly object[]) => {
      const grant = { scope: who, isAllowed: () => true }
      const request = { source: 'shop', id, grant, changes, atomic: false }
      return words((await operations().receive(request)).verdicts as unknown as readonly Verdict[])
    }
    const of = principal(who)
    const stampless = (row: object, op = 'patch', table = 'products') => ({ table, op, id: 'x', row })
    expect(await receive('1', [stampless({ name: 'n', stock: 5 }, 'put')])).toEqual(['applied'])
    expect(await receive('2', [stampless({ stock: { add: -1 } })])).toEqual(['applied'])
    expect(await receive('2', [stampless({ stock: { add: -1 } })])).toEqual(['applied'])
    expect(await receive('3', [stampless({ stock: { add: -1 } }), stampless({ stock: { add: -1 } })])).toEqual([
      ...['applied', 'applied'],
    ])
    expect((await row(of))?.stock).toBe(2)
    // An older stamp merges, or is stale, and a retry hears the same.
    const old = { ...patch(1, { name: 'old', best: 7 }), at: noon }
    expect(await receive('4', [old, { ...patch(1, { name: 'old' }), at: noon }])).toEqual(['applied but name', 'stale'])
    expect(await receive('4', [old, { ...patch(1, { name: 'old' }), at: noon }])).toEqual(['applied', 'stale'])
    expect(await receive('5', [stampless({ stock: { add: -9 } }), stampless({ stock: { set: 20 } })])).toEqual([
      ...['constraint', 'applied'],
    ])
    expect(await receive('6', [stampless({ stock: { add: 1 }, price: 3 })])).toEqual(['applied'])
    expect(await row(of)).toMatchObject({ stock: 21, best: 7, price: 3 })
    expect(await receive('7', [{ table: 'products', op: 'delete', id: 'x' }])).toEqual(['applied'])
    expect(await receive('8', [stampless({ stock: { add: 1 } })])).toEqual(['row_missing'])
  })

  it('an import of rows sets counters at their stamp, and one of pulled lines begins with them and moves nothing twice', async () => {
    const who = someone()
    const grant = { scope: who.subject, isAllowed: () => true }
    const load = async (changes: readonly object[]) =>
      (await operations().importChunk(who.subject, { client: 'import', changes, grant, looks: true })).tally
    await push(who, put(0, { name: 'n', stock: 5 }), patch(9, { stock: { add: 2 } }))
    const lines = await pull(who)
    const other = { ...grant, scope: `${who.subject}-copy` }
    const copy = () =>
      operations().importChunk(who.subject, {
        client: 'import',
        changes: lines.map((line) => ({ ...line, scope: undefined })),
        grant: other,
        looks: true,
      })
    expect((await copy()).tally).toMatchObject({ applied: 1 })
    expect((await copy()).tally).toMatchObject({ applied: 0, duplicate: 1 })
    expect((await row(principal(other.scope)))?.stock).toBe(7)
    expect(await load([put(5, { name: 'm', stock: { set: 100 } })])).toMatchObject({ applied: 1 })
    expect(await row(who)).toMatchObject({ name: 'm', stock: 102 })
  })

  // An object prunes itself, from within.
  const itPrunes = name === 'durable-object' ? () => {} : it
  itPrunes(
    'forgetting lets no add count twice: one that may have been forgotten is rejected, alone and beside others',
    async () => {
      const who = someone()
      const day = 86_400_000
      const began = now
      now = noon / 1000 + day
      await push(who, put(0, { name: 'n' }), patch(1, { stock: { add: 1 } }), patch(day * 1000, { stock: { add: 1 } }))
      const keep = async (later: number) =>
        prune(opened.store, schema, { retentionMs: 0, now: () => noon / 1000 + later, batchMax: 1 })
      // Two weeks, whatever the retention is.
      await keep(13 * day)
      now = noon / 1000 + 13 * day
      expect(words(await push(who, patch(1, { stock: { add: 1 } })))).toEqual(['duplicate'])
      await keep(14.5 * day)
      now = noon / 1000 + 14.5 * day
      expect(words(await push(who, patch(1, { stock: { add: 1 } })))).toEqual(['add_expired'])
      expect(words(await push(who, patch(0, { stock: { set: 9 } }), patch(day * 1000, { stock: { add: 1 } })))).toEqual(
        [...['add_expired', 'duplicate']],
      )
      expect(words(await push(who, patch(1, { price: 2 }), patch(1, { stock: { add: 1 }, price: 3 })))).toEqual([
        ...['applied', 'add_expired'],
      ])
      await expect(answer(who, [patch(1, { stock: { add: 1 } })], { atomic: true })).rejects.toMatchObject({
        ...{ code: 'atomic_rejected', members: { index: 0, error: { code: 'add_expired' } } },
      })
      expect(await row(who)).toMatchObject({ stock: 2, price: 2 })
      now = began
    },
  )
})
