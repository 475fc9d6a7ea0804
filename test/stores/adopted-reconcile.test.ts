import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { adoptTable } from '../../src/migrations/adopted/adopt-table.ts'
import { reconcileTable } from '../../src/migrations/adopted/reconcile.ts'
import { migrate } from '../../src/migrations/apply.ts'
import { createTables } from '../../src/migrations/ddl.ts'
import { text } from '../../src/model/column.ts'
import { parseCursor } from '../../src/model/cursor.ts'
import { defineSchema } from '../../src/model/define-schema.ts'
import { isAdopted } from '../../src/model/table.ts'
import { adopted } from '../../src/sync/adopted/adopted.ts'
import { createSweep } from '../../src/sync/adopted/sweep.ts'
import { createOperations } from '../../src/sync/sync.ts'
import { pullToJson } from '../../src/wire/answer.ts'
import { principal } from '../support/sample.ts'
import { openEmptyStore, storeNames, type TestStore } from '../support/stores.ts'

const schema = defineSchema({
  tasks: adopted('tasks', { key: 'id', keyType: 'text', scope: 'owner', columns: { title: text() } }),
  jobs: adopted('jobs', { key: 'id', keyType: 'integer', scope: 'owner', columns: { title: text() } }),
})
const columns = 'owner text, title text NOT NULL'
const rows = 25

describe.each(storeNames)('rows that no trigger has seen, on %s', (name) => {
  let opened: TestStore
  const own = async (sql: string) => (await opened.store.batch('', [{ sql, params: [] }]))[0] ?? []
  const places = (n: number) =>
    opened.store.dialect.name === 'postgres'
      ? `generate_series(1, ${n}) AS i`
      : `(WITH RECURSIVE i (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM i WHERE i < ${n}) SELECT i FROM i) AS i`
  beforeAll(async () => {
    opened = await openEmptyStore(name)
    const id = opened.store.dialect.name === 'postgres' ? 'int' : 'integer'
    await migrate(opened.store, [
      {
        name: '0001_app',
        statements: [
          `CREATE TABLE tasks (id text PRIMARY KEY, ${columns})`,
          `CREATE TABLE jobs (id ${id} PRIMARY KEY, ${columns})`,
          `INSERT INTO tasks SELECT 't' || i, CASE i % 5 WHEN 0 THEN NULL WHEN 1 THEN 'b' ELSE 'a' END, 'Title' FROM ${places(rows)}`,
          `INSERT INTO jobs SELECT i, 'a', 'Title' FROM ${places(rows)}`,
        ],
      },
      { name: '0002_adopt', statements: createTables(schema, opened.store.dialect.name) },
    ])
  })
  afterAll(() => opened.close())
  const reconcile = async (all = false, settles = true) => {
    const settle = createSweep({ schema, store: opened.store, record: () => [] })
    const found: object[] = []
    for (const table of schema.tables.filter(isAdopted))
      found.push(
        await reconcileTable(opened.store, table, {
          ...{ all, rowsMax: 10 },
          settle: async () => {
            if (settles) await settle?.()
          },
        }),
      )
    return found
  }
  const pull = async (scope: string, cursor: string | null = null) =>
    JSON.parse(
      pullToJson(
        await createOperations({ schema, store: opened.store }).pull(principal(scope), {
          ...{ cursor: cursor === null ? null : parseCursor(cursor), limit: 5_000, columns: 'all' },
        }),
      ),
    ) as { changes: { table: string; op: string; id: string; at: number; by: string }[]; cursor: string }

  it('P17 a table that was there before is handed out: every row that has a scope, at the stamp of 2000', async () => {
    expect((await pull('a')).changes).toEqual([])
    expect(await reconcile()).toEqual([
      { found: 20, gone: 0 },
      { found: rows, gone: 0 },
    ])
    const { changes } = await pull('a')
    expect(changes.map(({ table, id }) => `${table} ${id}`).toSorted()).toHaveLength(15 + rows)
    expect(new Set(changes.map(({ at, by }) => `${at} ${by}`))).toEqual(new Set(['946684800000000 sql']))
    expect((await pull('b')).changes).toHaveLength(5)
    expect(await reconcile()).toEqual([
      { found: 0, gone: 0 },
      { found: 0, gone: 0 },
    ])
  })

  it('P17 what was written while there were no triggers is found, once', async () => {
    const { cursor } = await pull('a')
    const { name: dialect } = opened.store.dialect
    const [drop] = schema.tables.filter(isAdopted).map((table) => adoptTable(table, dialect))
    for (const statement of drop ?? []) if (statement.startsWith('DROP TRIGGER')) await own(statement)
    await own("DELETE FROM tasks WHERE id = 't2'")
    await own("UPDATE tasks SET owner = 'b' WHERE id = 't3'")
    await own("INSERT INTO tasks VALUES ('new', 'a', 'New')")
    expect((await pull('a', cursor)).changes).toEqual([])
    for (const statement of drop ?? []) await own(statement)
    expect(await reconcile()).toEqual([
      { found: 2, gone: 2 },
      { found: 0, gone: 0 },
    ])
    const { changes } = await pull('a', cursor)
    expect(changes.map(({ op, id }) => `${op} ${id}`).toSorted()).toEqual(['delete t2', 'delete t3', 'put new'])
    await own("UPDATE tasks SET title = 'Newer' WHERE id = 'new'")
    expect((await pull('a', cursor)).changes.at(-1)).toMatchObject({ id: 'new', row: { title: 'Newer' } })
  })

  it('every row is handed out again where that is asked for, at the stamp that it has', async () => {
    const { cursor, changes: before } = await pull('a')
    await reconcile(true)
    const { changes } = await pull('a', cursor)
    const stamps = (some: typeof changes) =>
      some.map(({ table, id, at, by }) => `${table} ${id} ${at} ${by}`).toSorted()
    expect(stamps(changes)).toEqual(stamps(before))
  })
})
