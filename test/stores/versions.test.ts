import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { planMigration } from '../../src/migrations/plan.ts'
import { takeSnapshot } from '../../src/migrations/snapshot.ts'
import { boolean, integer, json, text } from '../../src/model/column.ts'
import { parseCursor } from '../../src/model/cursor.ts'
import { defineSchema } from '../../src/model/define-schema.ts'
import type { Principal } from '../../src/model/principal.ts'
import type { Schema } from '../../src/model/table.ts'
import type { Store } from '../../src/stores/store.ts'
import { createOperations } from '../../src/sync/sync.ts'
import { pullToJson, syncToJson } from '../../src/wire/answer.ts'
import { decodeColumns, decodeLimit, decodeRequest } from '../../src/wire/request.ts'
import { noon, principal } from '../support/sample.ts'
import { allStoreNames, openTestStore, type TestStore } from '../support/stores.ts'

const first = defineSchema({
  todos: { title: text(), done: boolean({ default: false }), color: text({ nullable: true }) },
})
/** What the next version brings: columns, a table, a name for a column, and one column less. */
const second = defineSchema(
  {
    todos: {
      heading: text({ renamedFrom: 'title', since: 2 }),
      done: boolean({ default: false }),
      notes: text({ nullable: true, since: 2 }),
      stars: integer({ default: 0, since: 2 }),
      more: json({ default: { a: [1, 'x'] }, since: 2 }),
    },
    tags: { name: text({ nullable: true }) },
  },
  { since: { tags: 2 }, retired: { todos: ['color'], labels: true } },
)
/** The same without a word on versions. */
const plain = defineSchema({
  todos: {
    heading: text(),
    done: boolean({ default: false }),
    notes: text({ nullable: true }),
    stars: integer({ default: 0 }),
    more: json({ default: { a: [1, 'x'] } }),
  },
  tags: { name: text({ nullable: true }) },
})
/** A server of the version before, over the database of the next. */
const before = defineSchema({ todos: { heading: text(), done: boolean({ default: false }) } })

const own = {
  sqlite: `${planMigration(takeSnapshot(first), renamed()).statements.sqlite.join(';\n')};`,
  postgres: `${planMigration(takeSnapshot(first), renamed()).statements.postgres.join(';\n')};`,
}

/** What is planned but for the column that is dropped, which somebody finishes by hand. */
function renamed(): Schema {
  return defineSchema({
    todos: {
      heading: text({ renamedFrom: 'title' }),
      done: boolean({ default: false }),
      color: text({ nullable: true }),
      notes: text({ nullable: true }),
      stars: integer({ default: 0 }),
      more: json({ default: { a: [1, 'x'] } }),
    },
    tags: { name: text({ nullable: true }) },
  })
}

interface Answer {
  readonly verdicts: { verdict: string; error?: { code: string; retryable: unknown }; current?: { row: object } }[]
  readonly changes: { table: string; id: string; op: string; row?: Record<string, unknown> }[]
  readonly cursor: string
  readonly more: boolean
}

let at = noon
const put = (id: string, row: object, table = 'todos') => ({ table, op: 'put', id, at: at++, row })
const patch = (id: string, row: object) => ({ table: 'todos', op: 'patch', id, at: at++, row })
const del = (id: string) => ({ table: 'todos', op: 'delete', id, at: at++ })

describe.each(allStoreNames)('two versions of an app at once, on %s', (name) => {
  let opened: TestStore
  let store: Store
  let people = 0
  const someone = () => principal(`u${++people}`)
  beforeAll(async () => {
    opened = await openTestStore(name, first, own)
    store = opened.store
  })
  afterAll(() => opened.close())

  const now = () => noon / 1000 + 3_600_000
  /** A server with a schema, as the wire has it. */
  function server(schema: Schema) {
    const { push, pull } = createOperations({ schema, store, now })
    const sync = async (who: Principal, changes: readonly object[], more: object = {}): Promise<Answer> =>
      JSON.parse(syncToJson(await push(who, decodeRequest({ client: 'phone', changes, ...more }, 'sync'))))
    return {
      sync,
      verdicts: async (who: Principal, changes: readonly object[], more?: object) =>
        (await sync(who, changes, more)).verdicts.map(({ verdict, error }) => error?.code ?? verdict),
      async pull(who: Principal, cursor: string | null = null, columns?: unknown, limit?: number): Promise<Answer> {
        const from = cursor === null ? null : parseCursor(cursor)
        const request = { cursor: from, limit: decodeLimit(limit), columns: decodeColumns(columns) }
        return JSON.parse(pullToJson(await pull(who, request)))
      },
    }
  }
  type Server = ReturnType<typeof server>
  /** All pages from a cursor on, as a phone takes them. */
  async function pullAll(from: Server, who: Principal, cursor: string | null, columns?: unknown, limit?: number) {
    const changes: Answer['changes'] = []
    let page: Answer
    let pages = 0
    do {
      page = await from.pull(who, cursor, columns, limit)
      changes.push(...page.changes)
      cursor = page.cursor
      if (++pages > 100) throw new Error('it never ends')
    } while (page.more)
    return { rows: Object.fromEntries(changes.map(({ id, row }) => [id, row ?? null])), cursor, pages }
  }
  const whole = { heading: 'T', done: false, notes: null, stars: 0, more: { a: [1, 'x'] } }

  it('P1 a put leaves columns that its app does not know as they are, said by a number, by names, or by silence', async () => {
    const [who, { verdicts, pull }] = [someone(), server(second)]
    const all = { heading: 'T', notes: 'kept', stars: 3, more: ['kept'] }
    for (const columns of [1, undefined, { todos: ['title', 'done'] }]) {
      expect(await verdicts(who, [put('a', all)], { columns: 2 })).toEqual(['applied'])
      expect(await verdicts(who, [put('a', { title: 'old', done: true })], { columns })).toEqual(['applied'])
      expect((await pull(who, null, 2)).changes.map(({ row }) => row)).toEqual([{ ...all, heading: 'old', done: true }])
    }
    // Who knows them says by leaving them out that they are empty.
    expect(await verdicts(who, [put('a', { heading: 'T' })], { columns: 2 })).toEqual(['applied'])
    expect((await pull(who, null, 2)).changes.map(({ row }) => row)).toEqual([whole])
  })

  it('P8 a row that is revived has nothing of its first life, by one change set and by two', async () => {
    const [who, { verdicts, pull }] = [someone(), server(second)]
    for (const id of ['a', 'b']) {
      expect(await verdicts(who, [put(id, { heading: 'T', notes: 'first', stars: 3 })], { columns: 2 })).toEqual([
        'applied',
      ])
      const changes = [del(id), put(id, { title: 'T' })]
      const parts = id === 'a' ? [changes] : changes.map((change) => [change])
      for (const part of parts) expect(await verdicts(who, part)).toEqual(part.map(() => 'applied'))
    }
    // What an older server deleted has kept what that did not know.
    expect(await verdicts(who, [put('d', { heading: 'T', notes: 'first' })], { columns: 2 })).toEqual(['applied'])
    expect(await server(before).verdicts(who, [del('d')])).toEqual(['applied'])
    expect(await verdicts(who, [put('d', { title: 'T' })])).toEqual(['applied'])
    // A delete that comes too late empties nothing.
    expect(await verdicts(who, [put('c', { heading: 'T', notes: 'kept' })], { columns: 2 })).toEqual(['applied'])
    const late = { ...del('c'), at: noon - 5 }
    expect(await verdicts(who, [late, put('c', { title: 'T' })])).toEqual(['stale', 'applied'])
    const { rows } = await pullAll(server(second), who, null, 2)
    expect(rows).toEqual({ a: whole, b: whole, c: { ...whole, notes: 'kept' }, d: whole })
    expect((await pull(who, null, 2)).changes).toHaveLength(4)
  })

  it('P1 an older server revives a row that a newer one deleted, though a column that it does not know needs a value', async () => {
    const [who, old, fresh] = [someone(), server(before), server(second)]
    expect(await fresh.verdicts(who, [put('a', { heading: 'T', stars: 3 }), del('a')], { columns: 2 })).toEqual([
      'applied',
      'applied',
    ])
    expect(await old.verdicts(who, [put('a', { heading: 'again' })])).toEqual(['applied'])
    expect((await fresh.pull(who, null, 2)).changes).toMatchObject([{ row: { ...whole, heading: 'again' } }])
  })

  it('a row shows the columns and tables that its app knows, under the names that it has for them', async () => {
    const [who, { sync, pull }] = [someone(), server(second)]
    await sync(who, [put('a', { heading: 'T', notes: 'n' }), put('t', { name: 'N' }, 'tags')], { columns: 2 })
    for (const columns of [1, { todos: ['title', 'done', 'unheard'], unheard: ['x'] }]) {
      const { changes } = await pull(who, null, columns)
      expect(changes).toMatchObject([{ table: 'todos', id: 'a', op: 'put', row: { title: 'T', done: false } }])
      expect(Object.keys(changes[0]?.row ?? {})).toEqual(['title', 'done'])
    }
    expect((await pull(who, null, { tags: ['name'] })).changes).toMatchObject([{ table: 'tags', row: { name: 'N' } }])
    expect((await pull(who, null, {})).changes).toEqual([])
    // So does the row that won.
    const { verdicts } = await sync(who, [{ ...put('a', { title: 'late' }), at: noon - 1 }], { columns: 1 })
    expect(verdicts[0]).toMatchObject({ verdict: 'stale', current: { row: { title: 'T', done: false } } })
    expect(Object.keys(verdicts[0]?.current?.row ?? {})).toEqual(['title', 'done'])
    // Who says everything reads everything.
    expect((await pull(who, null, { todos: Object.keys(whole) })).changes).toMatchObject([{ row: { notes: 'n' } }])
  })

  it('an app that says nothing sees everything under its first names, and its puts leave what they do not name', async () => {
    const [who, { sync, verdicts, pull }] = [someone(), server(second)]
    const { heading: title, ...rest } = whole
    expect(await verdicts(who, [put('a', { title: 'T', notes: 'n' }), put('t', { name: 'N' }, 'tags')])).toEqual([
      'applied',
      'applied',
    ])
    expect((await pull(who)).changes).toMatchObject([{ row: { ...rest, title, notes: 'n' } }, { table: 'tags' }])
    // The new name is taken as well, and so is a patch of what is later.
    const changes = [put('a', { heading: 'new name', done: true }), patch('a', { stars: 5 })]
    expect(await verdicts(who, changes)).toEqual(['applied', 'applied'])
    const { verdicts: lost } = await sync(who, [{ ...put('a', { title: 'late' }), at: noon - 1 }])
    expect(lost[0]).toMatchObject({ current: { row: { title: 'new name', done: true, notes: 'n', stars: 5 } } })
    // Whoever names a column in a change set knows it: what another put of it leaves out is empty.
    expect(await verdicts(who, [put('a', { title: 'A' }), put('b', { title: 'B', notes: 'b' })])).toEqual([
      'applied',
      'applied',
    ])
    expect((await pull(who, null, 2)).changes).toMatchObject([
      { table: 'tags' },
      { row: { heading: 'A', notes: null, stars: 5 } },
      { row: { heading: 'B', notes: 'b' } },
    ])
    // It may be of version 1 all the same, and gets what is later once it says that it knows it.
    const { cursor } = await pull(who)
    expect(Object.keys((await pullAll(server(second), who, cursor, 2)).rows)).toEqual(['t', 'a', 'b'])
  })

  it('a column, a table and a name of before are taken: what is gone is dropped, and leaves the outbox', async () => {
    const [who, { verdicts, pull }] = [someone(), server(second)]
    const old = [
      put('a', { title: 'T', color: 'red' }),
      put('l', { name: 'x' }, 'labels'),
      patch('a', { color: 'blue' }),
    ]
    expect(await verdicts(who, old)).toEqual(['applied', 'duplicate', 'duplicate'])
    expect(await verdicts(who, [patch('none', { color: 'blue' })])).toEqual(['duplicate'])
    expect(
      await verdicts(who, [put('b', { title: 'old name' }), patch('a', { heading: 'a', title: 'b' })], { columns: 2 }),
    ).toEqual(['applied', 'applied'])
    expect((await pull(who, null, 2)).changes.map(({ id, row }) => [id, row?.heading])).toEqual([
      ['b', 'old name'],
      ['a', 'a'],
    ])
    // Nobody learns by it which scopes there are.
    expect(await verdicts(who, [{ ...old[1], scope: 'other' }])).toEqual(['forbidden_scope'])
  })

  it('P12 what is retired is done alone, all of it, first and last, beside good and bad, atomic, by webhook and import', async () => {
    const [who, { verdicts }] = [someone(), server(second)]
    const gone = () => patch('a', { color: 'blue' })
    const [good, bad] = [() => put('a', { title: 'T' }), () => patch('none', { title: 'x' })]
    expect(await verdicts(who, [gone()])).toEqual(['duplicate'])
    expect(await verdicts(who, [gone(), put('l', {}, 'labels'), gone()])).toEqual(Array(3).fill('duplicate'))
    expect(await verdicts(who, [gone(), good(), bad(), gone()])).toEqual([
      'duplicate',
      'applied',
      'row_missing',
      'duplicate',
    ])
    expect(await verdicts(who, [gone()], { atomic: true })).toEqual(['duplicate'])
    expect(await verdicts(who, [good(), gone()], { atomic: true })).toEqual(['applied', 'duplicate'])
    const atomic = server(second).sync(who, [gone(), bad()], { atomic: true })
    await expect(atomic).rejects.toMatchObject({ code: 'atomic_rejected', members: { index: 1 } })
    const { receive, importChunk } = createOperations({ schema: second, store, now })
    const grant = { scope: who.subject, isAllowed: () => true }
    for (const [id, changes] of Object.entries({ alone: [gone()], last: [good(), gone()] })) {
      const { verdicts: said } = await receive({ source: 'crm', id, grant, changes, atomic: false })
      expect(said.at(-1)).toMatchObject({ verdict: 'duplicate' })
      const { tally, rejected } = await importChunk(who.subject, { client: 'a', changes, grant, looks: false })
      expect([tally.duplicate > 0, rejected.size]).toEqual([true, 0])
    }
  })

  it('what a server does not know yet is for another version, and harms nothing beside it', async () => {
    const [who, { sync }] = [someone(), server(before)]
    const changes = [put('a', { heading: 'T', notes: 'n' }), put('t', {}, 'tags'), put('b', { heading: 'T' }), del('t')]
    const { verdicts } = await sync(who, [...changes, patch('a', { unheard: 1 })])
    expect(verdicts.map(({ verdict, error }) => error?.retryable ?? verdict)).toEqual([
      'with_another_version',
      'with_another_version',
      'applied',
      'applied',
      'with_another_version',
    ])
    expect(verdicts[0]?.error?.code).toBe('unknown_column')
  })

  it.each([undefined, 1, 2])(
    'P3 a phone gets the rows again that it has without a column, %s at a time, and no others',
    async (limit) => {
      const [who, old, fresh] = [someone(), server(before), server(plain)]
      const rows = [
        put('empty', { heading: 'T' }),
        put('noted', { heading: 'T', notes: 'n' }),
        put('starred', { heading: 'T', stars: 1 }),
        put('said', { heading: 'T', stars: 0, more: { a: [1, 'x'] } }),
        put('other', { heading: 'T', more: { a: [1, 'y'] } }),
        put('gone', { heading: 'T', notes: 'n' }),
        put('tag', {}, 'tags'),
      ]
      await fresh.sync(who, rows)
      const held = await pullAll(old, who, null, undefined, limit)
      expect(Object.keys(held.rows)).toEqual(['empty', 'noted', 'starred', 'said', 'other', 'gone'])
      expect(held.rows.noted).toEqual({ heading: 'T', done: false })
      await fresh.sync(who, [del('gone'), put('late', { heading: 'T' })])
      const learned = await pullAll(fresh, who, held.cursor, undefined, limit)
      expect(learned.rows).toEqual({
        noted: { ...whole, notes: 'n' },
        starred: { ...whole, stars: 1 },
        other: { ...whole, more: { a: [1, 'y'] } },
        tag: { name: null },
        gone: null,
        late: whole,
      })
      // Once.
      expect((await pullAll(fresh, who, learned.cursor, undefined, limit)).rows).toEqual({})
      // A phone that goes to and fro between two servers learns each time what it may have missed.
      const back = await pullAll(old, who, learned.cursor)
      expect(back.rows).toEqual({})
      expect(Object.keys((await pullAll(fresh, who, back.cursor)).rows).sort()).toEqual([
        'noted',
        'other',
        'starred',
        'tag',
      ])
    },
  )

  it('P3 an app that has learnt a column gets what it lacks by a pull after its sync, over several scopes', async () => {
    const { sync } = server(second)
    const who: Principal = {
      subject: `s${++people}`,
      scopes: new Map([...Array(6).keys()].map((n) => [`s${people}-${n}`, 'write'])),
    }
    const scopes = [...who.scopes.keys()]
    await sync(
      who,
      scopes.flatMap((scope, n) => [
        { ...put(`a${n}`, { heading: 'T', notes: `n${n}` }), scope },
        { ...put(`b${n}`, { heading: 'T' }), scope },
      ]),
      { columns: 2 },
    )
    const held = await pullAll(server(second), who, null, 1)
    expect(held.rows.a0).toEqual({ title: 'T', done: false })
    const synced = await sync(who, [{ ...put('new', { heading: 'T' }), scope: scopes[1] }], {
      columns: 2,
      cursor: held.cursor,
    })
    expect([synced.more, synced.changes.map(({ id }) => id)]).toEqual([true, []])
    const learned = await pullAll(server(second), who, synced.cursor, 2, 2)
    // All rows have a heading, which it did not have by that name.
    expect(Object.keys(learned.rows).sort()).toEqual([...scopes.flatMap((_, n) => [`a${n}`, `b${n}`]), 'new'].sort())
    expect(learned.rows.a3).toEqual({ ...whole, notes: 'n3' })
    expect((await pullAll(server(second), who, learned.cursor, 2)).rows).toEqual({})
    // Who knows less than before gets nothing twice.
    expect((await pullAll(server(second), who, learned.cursor, { todos: ['heading', 'done'] })).rows).toEqual({})
  })

  it('P9 a cursor that must resync does so before anything is handed out again', async () => {
    const [who, old, fresh] = [someone(), server(before), server(plain)]
    await fresh.sync(who, [put('a', { heading: 'T', notes: 'n' })])
    const { cursor } = await pullAll(old, who, null)
    await store.batch(who.subject, [
      { sql: `UPDATE driftline_scopes SET incarnation = 'other' WHERE scope = '${who.subject}'`, params: [] },
    ])
    await expect(fresh.pull(who, cursor)).rejects.toMatchObject({ code: 'resync' })
  })
})
