import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { boolean, counter, integer, text, uuid } from '../../src/model/column.ts'
import { defineSchema } from '../../src/model/define-schema.ts'
import type { Principal } from '../../src/model/principal.ts'
import { byColumn } from '../../src/model/table.ts'
import { createOperations } from '../../src/sync/sync.ts'
import { pullToJson, syncToJson } from '../../src/wire/answer.ts'
import { decodeRequest } from '../../src/wire/request.ts'
import { noon, principal } from '../support/sample.ts'
import { allStoreNames, openTestStore, type TestStore } from '../support/stores.ts'

const schema = defineSchema(
  {
    people: { email: text({ unique: true }), name: text({ nullable: true }) },
    cards: byColumn({ email: text({ unique: true, nullable: true }), n: counter() }),
    stubs: { email: text({ unique: true, nullable: true }), n: counter() },
    seats: {
      show: uuid(),
      number: integer(),
      free: boolean({ default: true }),
      code: text({ nullable: true, unique: true }),
    },
  },
  { unique: { seats: [['show', 'number']] } },
)
const show = '01935f0c-0000-7000-8000-000000000001'

interface Verdict {
  readonly verdict: string
  readonly error?: { readonly code: string }
  readonly current?: { readonly id: string; readonly row: object }
}

describe.each(allStoreNames)('keys that are unique in a scope, on %s', (name) => {
  let opened: TestStore
  let people = 0
  const someone = () => principal(`u${++people}`)
  beforeAll(async () => {
    opened = await openTestStore(name, schema)
  })
  afterAll(() => opened.close())
  const operations = () => createOperations({ schema, store: opened.store, now: () => noon / 1000 + 3_600_000 })
  const answer = async (who: Principal, changes: readonly object[], more: object = {}) =>
    JSON.parse(syncToJson(await operations().push(who, decodeRequest({ client: 'a', changes, ...more }, 'sync')))) as {
      verdicts: Verdict[]
    }
  const push = async (who: Principal, ...changes: readonly object[]) =>
    (await answer(who, changes)).verdicts.map(({ verdict, error, current }) =>
      error ? `${error.code} ${current?.id ?? ''}`.trim() : verdict,
    )
  const pull = async (who: Principal) => {
    const page = await operations().pull(who, { cursor: null, limit: 5_000, columns: 'all' })
    const { changes } = JSON.parse(pullToJson(page)) as { changes: { id: string; row?: Record<string, unknown> }[] }
    return Object.fromEntries(changes.flatMap(({ id, row }) => (row ? [[id, row.email ?? row.number]] : [])))
  }
  let at = noon
  const put = (id: string, email: string | null, table = 'people', more: object = {}) => ({
    ...{ table, op: 'put', id, at: ++at, row: { email, ...more } },
  })
  const patch = (id: string, row: object, table = 'people') => ({ table, op: 'patch', id, at: ++at, row })
  const del = (id: string, table = 'people') => ({ table, op: 'delete', id, at: ++at })

  it.each(['people', 'cards'])(
    'P12 a put or patch whose key another row of %s holds is told that row: alone, all, the last, and among others',
    async (table) => {
      const who = someone()
      expect(await push(who, put('a', 'x', table), put('b', 'y', table))).toEqual(['applied', 'applied'])
      expect(await push(who, put('c', 'x', table))).toEqual(['key_taken a'])
      expect(await push(who, patch('b', { email: 'x' }, table))).toEqual(['key_taken a'])
      expect(await push(who, put('c', 'x', table), put('d', 'y', table))).toEqual(['key_taken a', 'key_taken b'])
      expect(await push(who, put('c', 'z', table), patch('b', { email: 'x' }, table))).toEqual([
        'applied',
        'key_taken a',
      ])
      // Its own key is no hindrance, nor one of another scope.
      expect(await push(who, put('a', 'x', table), patch('b', { email: 'y' }, table))).toEqual(['applied', 'applied'])
      expect(await push(someone(), put('a', 'x', table))).toEqual(['applied'])
      // What is stale is stale, whoever holds the key.
      const old = { ...put('a', 'y', table), at: noon }
      expect(await push(who, old)).toEqual(['stale'])
      const { verdicts } = await answer(who, [put('e', 'y', table)])
      expect(verdicts[0]?.current?.row).toMatchObject({ email: 'y' })
      await expect(answer(who, [put('f', 'f', table), put('e', 'x', table)], { atomic: true })).rejects.toMatchObject({
        ...{ code: 'atomic_rejected', members: { index: 1, error: { code: 'key_taken' } } },
      })
      expect(await pull(who)).toEqual({ a: 'x', b: 'y', c: 'z' })
    },
  )

  it.each(['people', 'cards'])('a key that moves between rows of %s in one change set is applied', async (table) => {
    const who = someone()
    await push(who, put('a', 'x', table), put('b', 'y', table))
    expect(await push(who, del('a', table), put('c', 'x', table))).toEqual(['applied', 'applied'])
    expect(await push(who, patch('c', { email: 'z' }, table), patch('b', { email: 'x' }, table))).toEqual([
      'applied',
      'applied',
    ])
    expect(await push(who, put('b', 'v', table), put('c', 'x', table), put('d', 'z', table))).toEqual([
      ...['applied', 'applied', 'applied'],
    ])
    expect(await pull(who)).toEqual({ b: 'v', c: 'x', d: 'z' })
    expect(await push(who, put('c', 'w', table), put('d', 'x', table), put('e', 'z', table))).toEqual([
      ...['applied', 'applied', 'applied'],
    ])
  })

  it('of rows of one change set that want one key the first by their stamps has it', async () => {
    const who = someone()
    expect(await push(who, put('a', 'x'), put('b', 'x'), put('c', 'x'), put('d', 'y'))).toEqual([
      ...['applied', 'key_taken a', 'key_taken a', 'applied'],
    ])
    // One that is stale takes none.
    const stale = { ...put('d', 'z'), at: noon }
    expect(await push(who, stale, put('e', 'z'))).toEqual(['stale', 'applied'])
  })

  it('a key that its holder keeps is taken, also where the holder is written by the same change set', async () => {
    const who = someone()
    await push(who, put('a', 'x'), put('b', 'y'))
    // The holder is stale here, and gives its key away to nobody there.
    expect(await push(who, { ...put('a', 'z'), at: noon }, put('c', 'x'))).toEqual(['stale', 'key_taken a'])
    expect(await push(who, patch('a', { name: 'n' }), put('c', 'x'), put('d', 'y'))).toEqual([
      ...['applied', 'key_taken a', 'key_taken b'],
    ])
    expect(await pull(who)).toEqual({ a: 'x', b: 'y' })
  })

  it.each(['cards', 'stubs'])(
    'of %s an older put whose key has lost takes none, and what it adds counts',
    async (table) => {
      const who = someone()
      const older = put('x', 'b', table, { n: { add: 2 } })
      const patched = { table, op: 'patch', id: 'x', at: ++at, row: { email: 'b', n: { add: 3 } } }
      expect(await push(who, put('z', 'b', table))).toEqual(['applied'])
      expect(await push(who, put('x', null, table))).toEqual(['applied'])
      for (const verdict of ['applied', 'stale']) {
        const { verdicts } = await answer(who, [older])
        expect(verdicts[0]).toMatchObject({ verdict, current: { row: { email: null, n: 2 } } })
      }
      const { verdicts } = await answer(who, [patched])
      expect(verdicts[0]).toMatchObject({
        verdict: 'applied',
        lost: ['email'],
        current: { row: { email: null, n: 5 } },
      })
    },
  )

  it('several changes of one row end as one by one, those apart whose key is taken', async () => {
    for (const table of ['people', 'cards']) {
      const who = someone()
      await push(who, put('a', 'x', table))
      const more = table === 'people' ? { name: 'n' } : { n: { add: 1 } }
      expect(await push(who, put('b', 'x', table), patch('b', more, table), put('b', 'y', table))).toEqual([
        ...['key_taken a', 'row_missing', 'applied'],
      ])
      expect(await push(who, patch('b', { email: 'x' }, table), patch('b', more, table))).toEqual([
        'key_taken a',
        'applied',
      ])
      expect(await push(who, put('b', 'z', table), put('b', 'x', table), del('b', table))).toEqual([
        ...['applied', 'key_taken a', 'applied'],
      ])
    }
  })

  it.each(['cards', 'stubs'])(
    'P12 a change of %s whose key is taken adds nothing and sets nothing besides, and those behind it do',
    async (table) => {
      const who = someone()
      const card = (id: string, row: object, op = 'patch', more: object = {}) => ({
        ...{ table, op, id, at: ++at, row, ...more },
      })
      const n = async () => {
        const page = await operations().pull(who, { cursor: null, limit: 10, columns: 'all' })
        const { changes } = JSON.parse(pullToJson(page)) as { changes: { id: string; row: object }[] }
        return changes.find(({ id }) => id === 'b')?.row
      }
      expect(await push(who, card('a', { email: 'x' }, 'put'), card('b', { email: null }, 'put'))).toEqual([
        ...['applied', 'applied'],
      ])
      for (const edit of [{ add: 1 }, { set: 9 }]) {
        for (const change of [
          card('b', { email: 'x', n: edit }),
          card('b', { email: 'x', n: edit }, 'put'),
          card('b', { email: 'x', n: edit }, 'patch', { create: true }),
        ]) {
          expect(await push(who, change), JSON.stringify(change)).toEqual(['key_taken a'])
          expect(await push(who, change, change), JSON.stringify(change)).toEqual(['key_taken a', 'key_taken a'])
        }
      }
      expect(await n()).toEqual({ email: null, n: 0 })
      expect(
        await push(
          who,
          card('b', { email: 'x', n: { set: 5 } }, 'put'),
          card('b', { n: { add: 2 } }),
          card('b', { email: 'x', n: { add: 4 } }),
          card('b', { n: { add: 8 } }),
        ),
      ).toEqual(['key_taken a', 'applied', 'key_taken a', 'applied'])
      expect(await n()).toEqual({ email: null, n: 10 })
      // A key that is free, its own, or that lost to a later one, keeps nothing back.
      const old = card('b', { email: 'z', n: { add: 16 } })
      expect(await push(who, card('b', { email: 'y', n: { add: 32 } }), old)).toEqual(['applied', 'applied'])
      expect(await push(who, card('b', { email: 'y', n: { add: 64 } }, 'put'))).toEqual(['applied'])
      expect(await n()).toEqual({ email: 'y', n: 122 })
      const receive = async (id: string, ...changes: object[]) => {
        const grant = { scope: who.subject, isAllowed: () => true }
        const { verdicts } = await operations().receive({ source: 'shop', id, grant, changes, atomic: false })
        return verdicts.map((one) => ('error' in one ? one.error.code : one.verdict))
      }
      const { at: _, ...stampless } = card('b', { email: 'x', n: { add: 1 } })
      expect(await receive('1', stampless)).toEqual(['key_taken'])
      expect(await receive('2', { ...stampless, op: 'put', row: { email: 'x', n: { set: 1 } } })).toEqual(['key_taken'])
      expect(await receive('3', { ...stampless, row: { email: 'w', n: { add: 128 } } }, stampless)).toEqual([
        ...['applied', 'key_taken'],
      ])
      expect(await n()).toEqual({ email: 'w', n: 250 })
    },
  )

  it('a key over two columns, and one that may be null', async () => {
    const who = someone()
    const seat = (id: string, number: number, code: string | null = null) => ({
      ...{ table: 'seats', op: 'put', id, at: ++at, row: { show, number, code } },
    })
    expect(await push(who, seat('a', 1), seat('b', 2), seat('c', 1))).toEqual(['applied', 'applied', 'key_taken a'])
    expect(await push(who, patch('b', { number: 1 }, 'seats'))).toEqual(['key_taken a'])
    expect(await push(who, patch('b', { number: 3, code: 'q' }, 'seats'), seat('d', 2, 'q'))).toEqual([
      ...['applied', 'key_taken b'],
    ])
    expect(await push(who, { ...patch('e', { show, number: 3 }, 'seats'), create: true })).toEqual(['key_taken b'])
    expect(await push(who, { ...patch('e', { show, number: 4 }, 'seats'), create: true })).toEqual(['applied'])
  })

  it('a tombstone that keeps a value, as a server of before leaves it, holds no key', async () => {
    const who = someone()
    await push(who, put('a', 'x'))
    const scope = who.subject
    await opened.store.batch(scope, [
      {
        sql: `UPDATE people SET deleted = ${name.includes('post') || name === 'neon' ? 'true' : '1'} WHERE id = 'a'`,
        params: [],
      },
    ])
    expect(await push(who, put('b', 'x'))).toEqual(['applied'])
  })

  it('two that take one key at once: one has it, and the other is told so', async () => {
    const who = someone()
    const all = await Promise.all(Array.from({ length: 8 }, (_, n) => push(who, put(`p${n}`, 'x'))))
    expect(all.flat().filter((word) => word === 'applied')).toHaveLength(1)
    expect(all.flat().filter((word) => word.startsWith('key_taken p'))).toHaveLength(7)
  })
})
