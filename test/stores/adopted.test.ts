import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { migrate } from '../../src/migrations/apply.ts'
import { createTables } from '../../src/migrations/ddl.ts'
import { boolean, integer, json, text } from '../../src/model/column.ts'
import { parseCursor } from '../../src/model/cursor.ts'
import { defineSchema } from '../../src/model/define-schema.ts'
import type { Principal } from '../../src/model/principal.ts'
import { adopted } from '../../src/sync/adopted/adopted.ts'
import { createOperations } from '../../src/sync/sync.ts'
import { pullToJson, syncToJson } from '../../src/wire/answer.ts'
import { decodeRequest } from '../../src/wire/request.ts'
import { openTestD1 } from '../support/d1.ts'
import { principal } from '../support/sample.ts'
import { isQuick, openEmptyStore, storeNames, type TestStore } from '../support/stores.ts'

const schema = defineSchema({
  projects: adopted('projects', { key: 'id', scope: 'user_id', columns: { name: text() } }),
  tasks: adopted('tasks', {
    key: 'id',
    scope: 'user_id',
    columns: {
      project_id: text({ nullable: true }),
      title: text(),
      status: text({ default: 'open' }),
      position: integer({ nullable: true }),
      done: boolean({ default: false }),
      meta: json({ nullable: true }),
    },
  }),
})

const tables = {
  postgres: [
    `CREATE TYPE status AS ENUM ('open', 'done')`,
    `CREATE TABLE projects (id uuid PRIMARY KEY, user_id text NOT NULL, name varchar(20) NOT NULL)`,
    `CREATE TABLE tasks (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id text NOT NULL, project_id uuid REFERENCES projects ON DELETE CASCADE,
title text NOT NULL CHECK (title <> 'bad'), status status NOT NULL DEFAULT 'open', position int, done boolean NOT NULL DEFAULT false, meta jsonb, secret text NOT NULL DEFAULT 'hidden')`,
  ],
  sqlite: [
    `CREATE TABLE projects (id TEXT PRIMARY KEY, user_id TEXT NOT NULL, name TEXT NOT NULL)`,
    `CREATE TABLE tasks (id TEXT PRIMARY KEY, user_id TEXT NOT NULL, project_id TEXT REFERENCES projects ON DELETE CASCADE,
title TEXT NOT NULL CHECK (title <> 'bad'), status TEXT NOT NULL DEFAULT 'open', position INTEGER, done INTEGER NOT NULL DEFAULT 0, meta TEXT, secret TEXT NOT NULL DEFAULT 'hidden')`,
  ],
}

const idOf = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`

describe.each([...storeNames, ...(isQuick ? [] : (['d1'] as const))])('tables of somebody else, on %s', (name) => {
  let opened: TestStore
  let people = 0
  let ids = 0
  const nextId = () => idOf(++ids)
  const someone = () => `u${++people}`
  beforeAll(async () => {
    const migrations = (dialect: 'postgres' | 'sqlite') => [
      { name: '0001_app', statements: tables[dialect] },
      { name: '0002_adopt', statements: createTables(schema, dialect) },
    ]
    if (name === 'd1') {
      opened = await openTestD1(migrations('sqlite'), schema)
      return
    }
    opened = await openEmptyStore(name)
    await migrate(opened.store, migrations(opened.store.dialect.name))
  })
  afterAll(() => opened.close())
  const operations = () => createOperations({ schema, store: opened.store, now: () => Date.now() })
  const own = (sql: string) => opened.store.batch('', [{ sql, params: [] }])
  const answer = async (who: Principal, changes: readonly object[], more: object = {}) =>
    JSON.parse(syncToJson(await operations().push(who, decodeRequest({ client: 'a', changes, ...more }, 'sync'))))
  const push = async (who: string, ...changes: readonly object[]) =>
    (await answer(principal(who), changes)).verdicts.map(
      ({ verdict, error }: { verdict: string; error?: { code: string } }) => error?.code ?? verdict,
    )
  const pull = async (who: string, cursor: string | null = null) => {
    const page = await operations().pull(principal(who), {
      ...{ cursor: cursor === null ? null : parseCursor(cursor), limit: 5_000, columns: 'all' },
    })
    return JSON.parse(pullToJson(page)) as {
      changes: { table: string; id: string; op: string; row?: Record<string, unknown> }[]
      cursor: string
      more: boolean
    }
  }
  const rows = async (who: string, table = 'tasks') =>
    (await own(`SELECT * FROM ${table} WHERE user_id = '${who}' ORDER BY id`))[0]
  const put = (id: string, row: object = {}, more: object = {}) => ({
    ...{ table: 'tasks', op: 'put', id, at: Date.now() * 1000, row: { title: 'x', ...row }, ...more },
  })

  it('P17 a row that SQL wrote is pulled, changed, and deleted', async () => {
    const who = someone()
    const id = nextId()
    await own(`INSERT INTO tasks (id, user_id, title, position, meta) VALUES ('${id}', '${who}', 'one', 7, '{"a": 1}')`)
    const first = await pull(who)
    expect(first.changes).toMatchObject([
      {
        table: 'tasks',
        op: 'put',
        id,
        by: 'sql',
        row: { title: 'one', status: 'open', position: 7, done: false, meta: { a: 1 } },
      },
    ])
    expect((await pull(who, first.cursor)).changes).toEqual([])
    await own(`UPDATE tasks SET secret = 'other' WHERE id = '${id}'`)
    expect((await pull(who, first.cursor)).changes).toEqual([])
    await own(
      `UPDATE tasks SET title = 'two', done = ${opened.store.dialect.name === 'postgres' ? 'true' : '1'} WHERE id = '${id}'`,
    )
    const second = await pull(who, first.cursor)
    expect(second.changes).toMatchObject([{ op: 'put', id, row: { title: 'two', done: true } }])
    await own(`DELETE FROM tasks WHERE id = '${id}'`)
    expect((await pull(who, second.cursor)).changes).toMatchObject([{ op: 'delete', id }])
  })

  it('what a phone pushes is in the table, and other columns have their defaults', async () => {
    const who = someone()
    const [a, b] = [nextId(), nextId()]
    expect(await push(who, put(a, { title: 'A', status: 'done', meta: { z: [1] } }), put(b))).toEqual([
      'applied',
      'applied',
    ])
    expect(await rows(who)).toHaveLength(2)
    expect(await rows(who)).toMatchObject([
      expect.arrayContaining(['A', 'done', 'hidden']),
      expect.arrayContaining(['x', 'open']),
    ])
    const { changes } = await pull(who)
    expect(changes).toMatchObject([
      { id: a, by: 'a', row: { title: 'A', status: 'done', meta: { z: [1] } } },
      { id: b },
    ])
    expect(
      await push(who, { table: 'tasks', op: 'patch', id: a, at: Date.now() * 1000, row: { position: 3 } }),
    ).toEqual(['applied'])
    expect(await push(who, { table: 'tasks', op: 'delete', id: b, at: Date.now() * 1000 })).toEqual(['applied'])
    expect(await rows(who)).toHaveLength(1)
    expect((await pull(who)).changes).toMatchObject([{ id: a, row: { title: 'A', position: 3 } }])
  })

  it('what a phone pushes raises no stamp, and is handed out once', async () => {
    const who = someone()
    const [id, gone] = [nextId(), nextId()]
    const at = Date.now() * 1000 - 60_000_000
    await push(who, put(id, {}, { at }), put(gone, {}, { at }))
    const { cursor } = await pull(who)
    for (const change of [
      put(id, { title: 'put' }, { at: at + 1 }),
      { table: 'tasks', op: 'patch', id, at: at + 2, row: { title: 'patched' } },
      { table: 'tasks', op: 'delete', id: gone, at: at + 3 },
    ])
      expect(await push(who, change)).toEqual(['applied'])
    const told = await pull(who, cursor)
    expect(told.changes).toMatchObject([
      { op: 'put', id, at: at + 2, by: 'a' },
      { op: 'delete', id: gone, at: at + 3, by: 'a' },
    ])
    expect((await pull(who, told.cursor)).changes).toEqual([])
  })

  it('P19 an older push does not overwrite what SQL wrote, and a later one does', async () => {
    const who = someone()
    const id = nextId()
    const before = Date.now() * 1000 - 60_000_000
    await push(who, put(id, {}, { at: before }))
    await own(`UPDATE tasks SET title = 'own' WHERE id = '${id}'`)
    expect(await push(who, put(id, { title: 'older' }, { at: before + 1 }))).toEqual(['stale'])
    expect((await pull(who)).changes).toMatchObject([{ row: { title: 'own' } }])
    expect(await push(who, put(id, { title: 'later' }, { at: Date.now() * 1000 + 1000 }))).toEqual(['applied'])
    expect((await pull(who)).changes).toMatchObject([{ row: { title: 'later' } }])
  })

  it('P20 a row of another scope is neither written nor read', async () => {
    const [who, other] = [someone(), someone()]
    const id = nextId()
    await own(`INSERT INTO tasks (id, user_id, title) VALUES ('${id}', '${other}', 'theirs')`)
    for (const change of [put(id, { title: 'mine' }), put(id, { title: 'mine' }, { op: 'patch', create: true })])
      expect(await push(who, change)).toEqual(['constraint'])
    expect(await push(who, { table: 'tasks', op: 'delete', id, at: Date.now() * 1000 })).toEqual(['applied'])
    expect((await pull(who)).changes.filter(({ op }) => op === 'put')).toEqual([])
    expect((await pull(other)).changes).toMatchObject([{ row: { title: 'theirs' } }])
    await own(`UPDATE tasks SET user_id = '${who}' WHERE id = '${id}'`)
    expect((await pull(other)).changes).toMatchObject([])
    expect((await pull(who)).changes).toMatchObject([{ op: 'put', row: { title: 'theirs' } }])
  })

  it('P21 what a constraint refuses is rejected: alone, all, and among others', async () => {
    const who = someone()
    const [a, b, c] = [nextId(), nextId(), nextId()]
    expect(await push(who, put(a, { title: 'bad' }))).toEqual(['constraint'])
    expect(await push(who, put(a, { title: 'bad' }), put(b, { title: 'bad' }))).toEqual(['constraint', 'constraint'])
    expect(await push(who, put(a), put(b, { title: 'bad' }), put(c))).toEqual(['applied', 'constraint', 'applied'])
    expect(
      await push(who, { table: 'tasks', op: 'patch', id: a, at: Date.now() * 1000, row: { title: 'bad' } }),
    ).toEqual(['constraint'])
    expect((await rows(who))?.length).toBe(2)
  })

  it('P17 a cascade of a phone’s delete is heard of', async () => {
    const who = someone()
    const [project, task] = [nextId(), nextId()]
    const at = Date.now() * 1000
    expect(
      await push(who, put(task, { project_id: project }), {
        table: 'projects',
        op: 'put',
        id: project,
        at,
        row: { name: 'p' },
      }),
    ).toEqual(['applied', 'applied'])
    const { cursor } = await pull(who)
    expect(await push(who, { table: 'projects', op: 'delete', id: project, at: at + 1 })).toEqual(['applied'])
    expect((await pull(who, cursor)).changes).toMatchObject([
      { table: 'projects', op: 'delete' },
      { table: 'tasks', op: 'delete', id: task },
    ])
  })
})
