import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { planMigration } from '../../src/migrations/plan.ts'
import { takeSnapshot } from '../../src/migrations/snapshot.ts'
import { boolean, integer, text } from '../../src/model/column.ts'
import { parseCursor } from '../../src/model/cursor.ts'
import { defineSchema } from '../../src/model/define-schema.ts'
import type { Principal } from '../../src/model/principal.ts'
import type { Schema } from '../../src/model/table.ts'
import type { Store } from '../../src/stores/store.ts'
import { createOperations } from '../../src/sync/sync.ts'
import { pullToJson, syncToJson } from '../../src/wire/answer.ts'
import { decodeLimit, decodeRequest } from '../../src/wire/request.ts'
import { noon } from '../support/sample.ts'
import { inThisRun, openTestStore, type TestStore } from '../support/stores.ts'

const old = defineSchema({ todos: { title: text(), done: boolean({ default: false }) } })
const fresh = defineSchema(
  {
    todos: {
      title: text(),
      done: boolean({ default: false }),
      notes: text({ nullable: true, since: 2 }),
      stars: integer({ default: 0, since: 2 }),
    },
    tags: { name: text({ nullable: true }) },
  },
  { since: { tags: 2 } },
)
const defaults = {
  todos: { title: '', done: false, notes: null, stars: 0 },
  tags: { name: null },
}
type TableName = keyof typeof defaults
const columnsOf = {
  old: { todos: ['title', 'done'], tags: [] },
  fresh: { todos: Object.keys(defaults.todos), tags: ['name'] },
}

const { statements } = planMigration(takeSnapshot(old), fresh)
const own = { sqlite: `${statements.sqlite.join(';\n')};`, postgres: `${statements.postgres.join(';\n')};` }

type Row = Record<string, unknown>
interface Sent {
  readonly table: TableName
  readonly op: 'put' | 'patch' | 'delete'
  readonly id: string
  readonly at: number
  readonly row?: Row
}
interface Answer {
  readonly verdicts: { verdict: string; error?: { retryable: unknown }; current?: Got }[]
  readonly changes: Got[]
  readonly cursor: string
  readonly more: boolean
}
interface Got {
  readonly table: TableName
  readonly id: string
  readonly op: string
  readonly row?: Row
}
const keyOf = ({ table, id }: { table: string; id: string }) => `${table} ${id}`

function randomFrom(seed: number) {
  let state = seed
  const next = (below: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    return Math.floor((state / 0x80000000) * below)
  }
  return { next, of: <Item>(items: readonly Item[]): Item => items[next(items.length)] as Item }
}

/** What the database must hold: each change by itself, in the order in which servers took them. */
function createReference() {
  const rows = new Map<string, { at: number; by: string; deleted: boolean; values: Row }>()
  return {
    rows,
    take(change: Sent, by: string, columns: readonly string[], server: 'old' | 'fresh') {
      const stored = rows.get(keyOf(change))
      if (stored && (stored.at > change.at || (stored.at === change.at && stored.by >= by))) return
      const preset: Row = defaults[change.table]
      const living = stored && !stored.deleted ? stored.values : undefined
      // What an old server does not know stays in its tombstones.
      const left = server === 'old' ? stored?.values : living
      const of = (names: readonly string[], value: (name: string) => unknown) =>
        Object.fromEntries(names.map((name) => [name, value(name)]))
      const { row = {}, op, at } = change
      if (op === 'patch') {
        if (living) rows.set(keyOf(change), { at, by, deleted: false, values: { ...living, ...row } })
      } else if (op === 'delete') {
        const emptied = of(columnsOf[server][change.table], (name) => preset[name])
        rows.set(keyOf(change), {
          at,
          by,
          deleted: true,
          values: { ...preset, ...(server === 'old' ? left : {}), ...emptied },
        })
      } else {
        const put = of(columns, (name) => row[name] ?? preset[name])
        rows.set(keyOf(change), { at, by, deleted: false, values: { ...preset, ...left, ...put } })
      }
    },
  }
}

/** One of each dialect, and objects; the statements are the same on the others. */
const stores = inThisRun(['libsql file', 'postgres', 'durable-object'])

describe.each(stores)('P1 P3 two schemas, two servers and two apps in every order of deploying, on %s', (name) => {
  let opened: TestStore
  let store: Store
  beforeAll(async () => {
    opened = await openTestStore(name, old, own)
    store = opened.store
  })
  afterAll(() => opened.close())

  const now = () => noon / 1000 + 3_600_000
  const operations = (schema: Schema) => createOperations({ schema, store, now })

  it.each(Array.from({ length: name === 'durable-object' ? 4 : 12 }, (_, n) => n + 1))(
    'ends equal and loses nothing, history %i',
    async (seed) => {
      const { next, of } = randomFrom(seed * 7919)
      const servers = { old: operations(old), fresh: operations(fresh) }
      const who: Principal = {
        subject: `m${seed}`,
        scopes: new Map([
          [`m${seed}`, 'write'],
          [`n${seed}`, 'write'],
        ]),
      }
      const reference = createReference()
      let at = noon
      const ids = ['a', 'b', 'c', 'd']
      const phones = ['one', 'two', 'three'].map((client) => ({
        client,
        version: 1,
        cursor: null as string | null,
        rows: new Map<string, Row>(),
        outbox: [] as Sent[],
      }))
      type Phone = (typeof phones)[number]
      let deployed: ('old' | 'fresh')[] = ['old']

      const known = ({ version }: Phone) => (version === 1 ? columnsOf.old : columnsOf.fresh)
      function edit(phone: Phone): void {
        const table = phone.version === 1 ? 'todos' : of(['todos', 'todos', 'tags'] as const)
        const values: Row = {
          title: `t${at}`,
          done: next(2) === 0,
          notes: of([null, `n${at}`]),
          stars: next(3),
          name: of([null, `x${at}`]),
        }
        const names = known(phone)[table]
        const op = of(['put', 'put', 'patch', 'delete'] as const)
        const some = names.filter((name) => name === 'title' || next(2) === 0)
        const row = Object.fromEntries(
          (op === 'put' ? some : some.slice(0, 1 + next(2))).map((name) => [name, values[name]]),
        )
        const id = table === 'tags' ? `g${of(ids)}` : of(ids)
        if (op === 'patch' && Object.keys(row).length === 0) return
        phone.outbox.push({ table, op, id, at: at++, ...(op !== 'delete' && { row }) })
      }
      function keep(phone: Phone, { op, row, ...change }: Got): void {
        if (op === 'delete') phone.rows.delete(keyOf(change))
        else phone.rows.set(keyOf(change), row ?? {})
      }
      async function sync(phone: Phone): Promise<boolean> {
        const on = of(deployed)
        const { push, pull } = servers[on]
        // Version 1 says nothing.
        const said = phone.version === 1 ? {} : { columns: of([2, columnsOf.fresh]) }
        const sent = [...phone.outbox]
        const isPull = sent.length === 0 && next(2) === 0
        const limit = 1 + next(3)
        const body = { client: phone.client, changes: sent, cursor: phone.cursor, limit, ...said }
        const request = decodeRequest(body, 'sync')
        const from = phone.cursor === null ? null : parseCursor(phone.cursor)
        const answer: Answer = JSON.parse(
          isPull
            ? pullToJson(await pull(who, { cursor: from, limit: decodeLimit(limit), columns: request.columns }))
            : syncToJson(await push(who, request)),
        )
        for (const [place, change] of sent.entries()) {
          if (answer.verdicts[place]?.verdict === 'applied')
            reference.take(change, phone.client, known(phone)[change.table], on)
        }
        // Lost on the way: the phone sends the same again.
        if (next(5) === 0) return true
        const { client } = phone
        phone.outbox = sent.filter((_, place) => {
          const { verdict, error, current } = answer.verdicts[place] ?? { verdict: 'none' }
          if (current) keep(phone, current)
          if (verdict === 'applied' || verdict === 'duplicate' || verdict === 'stale') return false
          if (error?.retryable === 'with_another_version') return true
          expect([client, error], JSON.stringify(sent[place])).toMatchObject([client, { code: 'row_missing' }])
          return false
        })
        for (const change of answer.changes) keep(phone, change)
        phone.cursor = answer.cursor
        return answer.more || phone.outbox.length > 0
      }

      for (let step = 0; step < 60; step++) {
        const phone = of(phones)
        for (let edits = next(3); edits > 0; edits--) edit(phone)
        await sync(phone)
        // Deployed in this order, at any time: the new servers, the last old one, each app.
        if (step > 15 && deployed.length === 1 && next(10) === 0) deployed = ['old', 'fresh']
        if (step > 35 && next(10) === 0) deployed = ['fresh']
        if (step > 10 && next(12) === 0) of(phones).version = 2
      }
      deployed = ['fresh']
      for (const phone of phones) phone.version = 2
      for (let rounds = 0; rounds < 2; rounds++)
        for (const phone of phones) for (let n = 0; (await sync(phone)) && n < 200; n++);

      const expected = [...reference.rows].flatMap(([key, { deleted, values }]) =>
        deleted ? [] : [[key, values] as const],
      )
      const held = Object.fromEntries(expected)
      const newcomer: Phone = { client: 'four', version: 2, cursor: null, rows: new Map(), outbox: [] }
      for (let n = 0; (await sync(newcomer)) && n < 200; n++);
      expect(Object.fromEntries(newcomer.rows)).toEqual(held)
      for (const phone of phones) expect([phone.client, withDefaults(phone.rows)]).toEqual([phone.client, held])
    },
  )
})

/** A column that a row lacks reads as its default. */
function withDefaults(rows: ReadonlyMap<string, Row>): Record<string, Row> {
  return Object.fromEntries(
    [...rows].map(([key, row]) => [key, { ...defaults[key.split(' ')[0] as TableName], ...row }]),
  )
}
