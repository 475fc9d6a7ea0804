import { readFile, writeFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { migrate } from '../../../src/migrations/apply.ts'
import { createTables } from '../../../src/migrations/ddl.ts'
import { generate } from '../../../src/migrations/generate.ts'
import { readMigrations } from '../../../src/migrations/read.ts'
import { parseSnapshot } from '../../../src/migrations/snapshot.ts'
import { integer, text } from '../../../src/model/column.ts'
import { defineSchema } from '../../../src/model/define-schema.ts'
import { adopted, sql } from '../../../src/sync/adopted/adopted.ts'
import { dialectStores, openEmptyStore, type TestStore } from '../../support/stores.ts'
import { emptyDirectory } from './databases.ts'

const tasks = (columns: Record<string, ReturnType<typeof text>> = {}) =>
  adopted('tasks', { key: 'id', keyType: 'text', scope: 'user_id', columns: { title: text(), ...columns } })
const notes = { body: text() }
const native = defineSchema({ notes })
const both = defineSchema({ notes, tasks: tasks() })
const wider = defineSchema({ notes, tasks: tasks({ details: text({ nullable: true }) }) })
const app =
  'CREATE TABLE tasks (id text PRIMARY KEY, user_id text NOT NULL, title text NOT NULL, details text, other integer)'

let directory: URL
let drop: () => Promise<void>
beforeEach(async () => {
  ;({ directory, drop } = await emptyDirectory())
  await generate(native, { name: 'init', directory })
})
afterEach(() => drop())

const read = (file: string) => readFile(new URL(file, directory), 'utf8')

describe('generate, of tables that are adopted', () => {
  it('keeps each in one line of schema.json, and is then at the end', async () => {
    const lines = await generate(both, { name: 'adopt', directory })
    expect(lines.join('\n')).toContain(
      'Once every server has it, run npx driftline reconcile --table tasks, which finds the rows that are there',
    )
    const kept = (await read('schema.json')).split('\n').filter((line) => line.includes('"tasks"'))
    expect(kept).toEqual([
      ',["tasks",{"adopted":{"table":"tasks","key":"id","keyType":"text","scope":{"column":"user_id"},"columns":{"title":{"type":"text"}}}}]',
    ])
    expect(await generate(both, { directory })).toEqual(['The migrations lead to the schema already: nothing to do.'])
  })

  it('P22 writes no statement that alters or makes the app’s table, in any change of its declaration', async () => {
    await generate(both, { name: 'adopt', directory })
    await generate(wider, { name: 'wider', directory })
    const moved = adopted('other.todos', { key: 'id', scope: sql("'u:' || owner"), columns: { n: integer() } })
    await generate(defineSchema({ notes, tasks: moved }), { name: 'moved', directory })
    await generate(
      defineSchema(
        { notes, todos: adopted('other.todos', { key: 'id', scope: 'owner', columns: { n: integer() } }) },
        {
          renamedFrom: { todos: 'tasks' },
        },
      ),
      { name: 'renamed', directory },
    )
    for (const dialect of ['postgres', 'sqlite'])
      for (const name of ['0002_adopt', '0003_wider', '0004_moved', '0005_renamed']) {
        const text = await read(`${dialect}/${name}.sql`)
        expect(text).not.toMatch(
          /(?:ALTER|CREATE|DROP) TABLE (?:IF (?:NOT )?EXISTS )?(?:"other"\.|"public"\.)?"?(?:tasks|todos)"/,
        )
        expect(text).not.toMatch(/CREATE (?:UNIQUE )?INDEX[^;]* ON (?:"other"\.)?"(?:tasks|todos)"/)
        expect(text).toContain('CREATE TRIGGER')
      }
  })

  it('names of columns for old apps change nothing', async () => {
    await generate(both, { name: 'adopt', directory })
    const old = defineSchema({
      notes,
      tasks: adopted('tasks', {
        ...{ key: 'id', keyType: 'text', scope: 'user_id' },
        columns: { title: text({ renamedFrom: 'name', default: 'x' }) },
      }),
    })
    expect(await generate(old, { directory })).toEqual(['The migrations lead to the schema already: nothing to do.'])
  })

  it('says that a new column needs all rows to be sent again', async () => {
    await generate(both, { name: 'adopt', directory })
    expect(await generate(wider, { name: 'wider', directory })).toContain(
      'Once every server has it, run npx driftline reconcile --all --table tasks.',
    )
  })

  it('makes a draft of one that is gone, which leaves the app’s table', async () => {
    await generate(both, { name: 'adopt', directory })
    const lines = await generate(native, { name: 'leave', directory })
    expect(lines.join('\n')).toContain('The adopted table tasks is gone from the schema.')
    for (const [dialect, table] of [
      ['postgres', 'driftline."tasks"'],
      ['sqlite', '"driftline_rows_tasks"'],
    ]) {
      const drops = (await read(`${dialect}/0003_leave.sql`)).match(/DROP TABLE.*;/g)
      expect(drops).toEqual([`DROP TABLE IF EXISTS ${table};`])
    }
  })

  it('refuses a name that is taken by a table of the other kind', async () => {
    const taken = adopted('notes', { key: 'id', scope: 'user_id', columns: { body: text() } })
    await expect(generate(defineSchema({ notes: taken }), { name: 'x', directory })).rejects.toThrow(
      'notes is a table that driftline made, and cannot be adopted by that name: give the adopted one another.',
    )
    await generate(both, { name: 'adopt', directory })
    await expect(generate(defineSchema({ notes, tasks: { title: text() } }), { name: 'x', directory })).rejects.toThrow(
      'tasks is adopted: take it out of the schema and migrate, then declare a table of that name.',
    )
  })

  it('refuses what two branches said of one table', () => {
    const line = (key: string) =>
      `["tasks",{"adopted":{"table":"tasks","key":"${key}","keyType":"text","scope":{"column":"u"},"columns":{}}}]`
    expect(() => parseSnapshot(`[\n${line('a')}\n,${line('b')}\n]`)).toThrow('two lines for the adopted table tasks')
    expect(() => parseSnapshot(`[\n${line('a')}\n,${line('a')}\n]`)).not.toThrow()
  })
})

describe.each(dialectStores)('migrations of adopted tables, on %s', (name) => {
  let opened: TestStore
  beforeEach(async () => {
    opened = await openEmptyStore(name)
    await migrate(opened.store, [{ name: '0000_app', statements: [app] }])
  })
  afterEach(() => opened.close())
  const own = (sql: string) => opened.store.batch('', [{ sql, params: [] }])
  const apply = async () => migrate(opened.store, await readMigrations(opened.store.dialect.name, directory))
  const waiting = async () =>
    (await own(`SELECT count(*) FROM ${name === 'postgres' ? 'driftline.' : ''}driftline_touched`))[0]?.[0]?.[0]

  it('are applied, and follow what is declared, and a rename', async () => {
    await generate(both, { name: 'adopt', directory })
    await apply()
    await own(`INSERT INTO tasks (id, user_id, title) VALUES ('1', 'a', 'one')`)
    expect(Number(await waiting())).toBe(1)
    await own(`UPDATE tasks SET details = 'x'`)
    expect(Number(await waiting())).toBe(1)
    await generate(wider, { name: 'wider', directory })
    await apply()
    await own(`UPDATE tasks SET details = 'y'`)
    expect(Number(await waiting())).toBe(2)
    const renamed = defineSchema({ notes, todos: tasks() }, { renamedFrom: { todos: 'tasks' } })
    expect(await generate(renamed, { name: 'renamed', directory })).toContain('The table tasks is called todos now.')
    await apply()
    await own(`UPDATE tasks SET title = 'two'`)
    expect(Number(await waiting())).toBe(3)
    const touched = `${name === 'postgres' ? 'driftline.' : ''}driftline_touched`
    expect((await own(`SELECT DISTINCT table_name FROM ${touched}`))[0]).toEqual([['todos']])
    // Side rows have the indexes that they would have if they were new.
    const fresh = createTables(defineSchema({ todos: tasks() }), opened.store.dialect.name)
    for (const index of fresh.filter((sql) => sql.startsWith('CREATE INDEX IF NOT EXISTS'))) {
      const [, called] = /EXISTS "?(\w+)/.exec(index) ?? []
      const list = name === 'postgres' ? 'SELECT indexname FROM pg_indexes' : 'SELECT name FROM sqlite_schema'
      expect((await own(list))[0]?.flat()).toContain(called)
    }
  })
  it('P22 are undone by the finished draft, and the app’s rows stay and are written as before', async () => {
    await generate(both, { name: 'adopt', directory })
    await apply()
    await own(`INSERT INTO tasks (id, user_id, title) VALUES ('1', 'a', 'one')`)
    await generate(native, { name: 'leave', directory })
    const { name: dialect } = opened.store.dialect
    const file = `${dialect}/0003_leave.sql`
    const lines = (await read(file)).split('\n').slice(1)
    const sql = lines.filter((line) => /^-- (?:DROP|DELETE)/.test(line)).map((line) => line.slice(3))
    for (const each of ['postgres', 'sqlite'])
      await writeFile(new URL(`${each}/0003_leave.sql`, directory), sql.join('\n'))
    await apply()
    await own(`UPDATE tasks SET title = 'two'`)
    await own(`INSERT INTO tasks (id, user_id, title) VALUES ('2', 'a', 'three')`)
    expect((await own('SELECT title FROM tasks ORDER BY id'))[0]).toEqual([['two'], ['three']])
    expect(Number(await waiting())).toBe(0)
  })
})
