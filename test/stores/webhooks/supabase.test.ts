import { afterEach, beforeEach, describe, expect, expectTypeOf, it } from 'vitest'
import { integer, text } from '../../../src/model/column.ts'
import { defineSchema } from '../../../src/model/define-schema.ts'
import { timestamptzToMicroseconds } from '../../../src/model/timestamptz.ts'
import type { MapWebhook, WebhookChange } from '../../../src/webhooks/in/mapping.ts'
import { supabaseWebhook } from '../../../src/webhooks/in/supabase.ts'
import { noon, principal, type Sample, sampleSync } from '../../support/sample.ts'
import { schema } from '../../support/schema.ts'
import { openTestStore, type TestStore } from '../../support/stores.ts'

/** A table of Supabase, as its generated types have it. */
type Todo = { id: string; owner: string | null; title: string; is_complete: boolean; updated_at: string }

const record: Todo = {
  id: '8c6f2a4e-0f0e-4a6e-9d54-3a0c7f1f2b11',
  owner: 'alice',
  title: 'Buy milk',
  is_complete: false,
  updated_at: '2026-11-21T02:00:00.000001+00:00',
}
const insert = { type: 'INSERT', table: 'todos', schema: 'public', record, old_record: null }
const update = (changed: Partial<Todo>, old: Partial<Todo> = record) => ({
  ...insert,
  type: 'UPDATE',
  record: { ...record, ...changed },
  old_record: old,
})
const remove = { ...insert, type: 'DELETE', record: null, old_record: record }

const map = supabaseWebhook(schema, {
  todos: {
    table: 'todos',
    scope: (todo: Todo) => todo.owner,
    row: (todo: Todo) => ({ title: todo.title, done: todo.is_complete }),
  },
  'crm.lists': { table: 'lists', scope: () => 'crm', row: (list) => ({ name: String(list.name) }) },
})
const stamped = supabaseWebhook(schema, {
  'public.todos': {
    table: 'todos',
    scope: (todo: Todo) => todo.owner,
    row: (todo: Todo) => ({ title: todo.title, done: todo.is_complete }),
    at: (todo: Todo) => timestamptzToMicroseconds(todo.updated_at),
  },
})
const place = { scope: 'alice', table: 'todos', id: record.id }
const put = { ...place, op: 'put', row: { title: 'Buy milk', done: false } }

describe('supabaseWebhook', () => {
  it('puts what was inserted and updated, and deletes what was deleted', () => {
    expect(map(insert)).toEqual([put])
    expect(map(update({ title: 'Buy bread' }))).toEqual([{ ...put, row: { title: 'Buy bread', done: false } }])
    expect(map(remove)).toEqual([{ ...place, op: 'delete' }])
  })

  it('deletes a row where it was, when an update moved it to another id or scope', () => {
    const gone = { ...place, op: 'delete' }
    expect(map(update({ id: 'b' }))).toEqual([gone, { ...put, id: 'b' }])
    expect(map(update({ owner: 'bob' }))).toEqual([gone, { ...put, scope: 'bob' }])
    expect(map(update({ owner: 'bob', id: 'b' }))).toEqual([gone, { ...put, scope: 'bob', id: 'b' }])
  })

  it('leaves out a record without a scope, and follows it in and out', () => {
    expect(map({ ...insert, record: { ...record, owner: null } })).toEqual([])
    expect(map(update({}, { ...record, owner: null }))).toEqual([put])
    expect(map(update({ owner: null }))).toEqual([{ ...place, op: 'delete' }])
    expect(map(update({ owner: null }, { ...record, owner: null }))).toEqual([])
    expect(map({ ...remove, old_record: { ...record, owner: null } })).toEqual([])
  })

  it('tells tables by their schema, and ignores those that it does not know', () => {
    const lists = { ...insert, schema: 'crm', table: 'lists', record: { id: 7, name: 'Leads' } }
    expect(map(lists)).toEqual([{ scope: 'crm', table: 'lists', op: 'put', id: '7', row: { name: 'Leads' } }])
    expect(map({ ...lists, schema: 'public' })).toEqual([])
    expect(map({ ...insert, schema: 'auth' })).toEqual([])
    expect(map({ ...insert, table: 'users' })).toEqual([])
    expect(map({ ...insert, schema: '__proto__', table: 'constructor' })).toEqual([])
    expect(stamped(insert)).toHaveLength(1)
  })

  it('stamps with the record’s own time, a move too, but not a delete', () => {
    const later = '2026-11-21T02:00:00.000009+00:00'
    expect(stamped(insert)).toEqual([{ ...put, at: noon + 1 }])
    expect(stamped(update({ owner: 'bob', updated_at: later }))).toEqual([
      { ...place, op: 'delete', at: noon + 9 },
      { ...put, scope: 'bob', at: noon + 9 },
    ])
    expect(stamped(remove)).toEqual([{ ...place, op: 'delete' }])
  })

  it('stamps a delete with the time of the change where the payload has it, and later than the row in any case', () => {
    const changed = (time: string) => stamped({ ...remove, changed_at: `2026-11-21T${time}+00:00` })
    expect(changed('02:00:00.00005')).toEqual([{ ...place, op: 'delete', at: noon + 50 }])
    expect(changed('01:00:00')).toEqual([{ ...place, op: 'delete', at: noon + 2 }])
    expect(map({ ...remove, changed_at: '2026-11-21T01:00:00Z' })).toEqual([{ ...place, op: 'delete' }])
  })

  it.each([
    [null, 'payload must be an object.'],
    [[], 'payload must be an object.'],
    [{ type: 'INSERT' }, 'payload.schema is missing.'],
    [{ ...insert, schema: 5 }, 'schema must be text.'],
    [{ ...insert, table: null }, 'table must be text.'],
    [{ ...insert, type: 'TRUNCATE' }, 'type must be INSERT, UPDATE or DELETE.'],
    [{ ...insert, record: null }, 'record must be an object.'],
    [{ ...insert, record: { id: 'a', owner: 'alice' } }, 'record.title is missing.'],
    [{ ...insert, record: { owner: 'alice' } }, 'record.id is missing.'],
    [{ ...insert, record: { ...record, id: null } }, 'record.id must be text or an integer.'],
    [{ ...insert, record: { ...record, id: 2 ** 53 } }, 'record.id must be an integer below 2^53. Send it as text.'],
    [{ ...insert, record: { ...record, owner: 4711 } }, 'scope of record must be text.'],
    [
      { ...remove, old_record: { id: 'a' } },
      'old_record.owner is missing. Send the whole old row: OLD in a trigger, REPLICA IDENTITY FULL in logical replication.',
    ],
    [
      { ...update({}), old_record: null },
      'old_record must be an object. Send the whole old row: OLD in a trigger, REPLICA IDENTITY FULL in logical replication.',
    ],
    [
      update({}, { owner: 'alice' }),
      'old_record.id is missing. Send the whole old row: OLD in a trigger, REPLICA IDENTITY FULL in logical replication.',
    ],
  ])('refuses %j and says what is missing, without a value', (payload, message) => {
    expect(() => map(payload)).toThrow(new TypeError(message))
  })

  it('refuses a time that is none', () => {
    const payload = { ...insert, record: { ...record, updated_at: 'secret' } }
    expect(() => stamped(payload)).toThrow(/^A timestamp of Postgres looks like/)
    const at = () => 1.5
    const odd = supabaseWebhook(schema, { lists: { table: 'lists', scope: () => 'a', row: () => ({ name: 'a' }), at } })
    expect(() => odd({ ...insert, table: 'lists' })).toThrow('at of record must be an integer of microseconds')
  })

  it('lets a record be looked at without falling over it', () => {
    const seen: unknown[] = []
    const look = supabaseWebhook(schema, {
      lists: {
        table: 'lists',
        scope: () => 'a',
        row: (list) => {
          seen.push('notes' in list, JSON.stringify(list), { ...list })
          return { name: 'a' }
        },
      },
    })
    look({ ...insert, table: 'lists' })
    expect(seen).toEqual([false, JSON.stringify(record), record])
  })

  it('refuses wrong options when it is made', () => {
    const odd = (source: object) => () => supabaseWebhook(schema, { todos: source } as never)
    expect(odd({ table: 'todo' })).toThrow('supabaseWebhook: todos: table must be one of lists, todos')
    expect(odd({ table: 'todos', scoop: 1 })).toThrow('no option scoop; it takes table, scope, id, row, at')
  })

  it('is typed by the schema', () => {
    const scope = () => 'alice'
    expectTypeOf(map).toExtend<MapWebhook<Sample>>()
    const change: WebhookChange<Sample> = { table: 'lists', op: 'put', id: '1', row: { name: 'Home' } }
    // @ts-expect-error a delete has no row
    const deleted: WebhookChange<Sample> = { table: 'lists', op: 'delete', id: '1', row: { name: 'Home' } }
    // @ts-expect-error a number is no text
    const wrong: WebhookChange<Sample> = { table: 'lists', op: 'put', id: '1', row: { name: 5 } }
    // @ts-expect-error no such column, though it could be left out
    supabaseWebhook(schema, { t: { table: 'todos', scope, row: (todo: Todo) => ({ title: todo.title, note: 'x' }) } })
    // @ts-expect-error a required column is missing
    supabaseWebhook(schema, { t: { table: 'todos', scope, row: (todo: Todo) => ({ done: todo.is_complete }) } })
    // @ts-expect-error a text is no boolean
    supabaseWebhook(schema, { t: { table: 'todos', scope, row: (todo: Todo) => ({ title: 'x', done: todo.title }) } })
    // @ts-expect-error no such table
    expect(() => supabaseWebhook(schema, { t: { table: 'todo', scope, row: () => ({ title: 'x' }) } })).toThrow(/lists/)
    const other = defineSchema({ users: { name: text(), age: integer({ nullable: true }) } })
    expectTypeOf(
      supabaseWebhook(other, { people: { table: 'users', scope, row: () => ({ name: 'Ada' }) } }),
    ).not.toExtend<MapWebhook<Sample>>()
    expect([change, deleted, wrong]).toHaveLength(3)
  })
})

describe('its changes, pushed', () => {
  let opened: TestStore
  beforeEach(async () => {
    opened = await openTestStore('libsql file')
  })
  afterEach(() => opened.close())

  it('P1 end alike in whatever order the updates arrive, where the records are stamped', async () => {
    const times = ['02:00:00.000001', '02:00:00.000002', '02:00:00.000003'].map((time) => `2026-11-21T${time}+00:00`)
    const versions = times.map((updated_at, n) => ({
      ...record,
      updated_at,
      owner: n === 1 ? 'bob' : 'alice',
      title: `${n}`,
    }))
    const events = [
      { ...insert, record: versions[0] },
      update(versions[1] as Todo, versions[0]),
      update(versions[2] as Todo, versions[1]),
    ]
    const sync = sampleSync(opened.store)
    for (const [n, order] of [
      [0, 1, 2],
      [2, 1, 0],
      [1, 2, 0],
      [2, 0, 1],
      [1, 2, 1, 0, 2],
    ].entries()) {
      const id = `order-${n}`
      const who = principal('alice', { bob: 'write' })
      for (const place of order) {
        for (const change of stamped(events[place])) {
          const changes = [{ ...change, id, at: change.at ?? 0 }]
          await sync.push(who, { client: 'supabase', changes })
        }
      }
      const { changes } = await sync.pull(who)
      const ours = changes.filter((one) => one.id === id)
      expect(ours.map(({ scope, op, at }) => [scope, op, at - noon])).toEqual(
        // A bootstrap leaves tombstones out: the row that moved to bob and back is with alice only.
        [['alice', 'put', 3]],
      )
    }
  })
})

describe('timestamptzToMicroseconds', () => {
  it.each([
    ['2026-11-21T02:00:00+00:00', noon],
    ['2026-11-21T02:00:00', noon],
    ['2026-11-21 02:00:00+00', noon],
    ['2026-11-21T02:00:00Z', noon],
    ['2026-11-21T02:00:00.5+00:00', noon + 500_000],
    ['2026-11-21T02:00:00.123456+00:00', noon + 123_456],
    ['2026-11-21T07:45:00.000001+05:45', noon + 1],
    ['2026-11-20T21:30:00.1-04:30', noon + 100_000],
  ])('reads %s', (text, microseconds) => {
    expect(timestamptzToMicroseconds(text)).toBe(microseconds)
  })

  it.each([undefined, 5, '', 'infinity', '2026-11-21', '2026-13-21T02:00:00Z', '2026-11-21T02:00:00.1234567Z'])(
    'refuses %j',
    (text) => expect(() => timestamptzToMicroseconds(text)).toThrow(TypeError),
  )
})
