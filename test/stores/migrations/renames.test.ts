import { readFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { migrate } from '../../../src/migrations/apply.ts'
import { check } from '../../../src/migrations/check.ts'
import { generate } from '../../../src/migrations/generate.ts'
import { readMigrations } from '../../../src/migrations/read.ts'
import { rebuild } from '../../../src/migrations/rebuild.ts'
import { integer, text } from '../../../src/model/column.ts'
import { defineSchema } from '../../../src/model/define-schema.ts'
import type { Schema, Table } from '../../../src/model/table.ts'
import { createSync } from '../../../src/sync/create-sync.ts'
import { noon, principal } from '../../support/sample.ts'
import { dialectStores, isQuick, openTestStore } from '../../support/stores.ts'
import { emptyDirectory, openEmpty } from './databases.ts'

const alice = principal('alice')
const first = defineSchema({
  todos: { title: text(), notes: text({ nullable: true }) },
  [`t${'o'.repeat(62)}`]: { name: text() },
})
const long = { name: text() }
const columns = defineSchema({
  todos: { name: text({ renamedFrom: 'title' }), notes: text({ nullable: true, renamedFrom: 'never' }) },
  [`t${'o'.repeat(62)}`]: long,
})
const both = defineSchema(
  {
    tasks: { name: text({ renamedFrom: 'title' }), details: text({ nullable: true, renamedFrom: 'notes' }) },
    [`s${'o'.repeat(62)}`]: long,
    // A table that is new may have a name that has become free.
    todos: { stars: integer() },
  } as const,
  { renamedFrom: {} },
)
const tables = defineSchema(
  {
    tasks: { name: text({ renamedFrom: 'title' }), details: text({ nullable: true, renamedFrom: 'notes' }) },
    [`s${'o'.repeat(62)}`]: long,
  },
  { renamedFrom: { tasks: 'todos', [`s${'o'.repeat(62)}`]: `t${'o'.repeat(62)}` } },
)

let directory: URL
let drop: () => Promise<void>
beforeEach(async () => {
  ;({ directory, drop } = await emptyDirectory())
  await generate(first, { name: 'init', directory })
})
afterEach(() => drop())

const lastLine = 'Read them, commit them with migrations/schema.json, and run npx driftline migrate.'

describe('renamedFrom', () => {
  it('writes the rename of a column in both dialects, once, and may then go', async () => {
    expect((await generate(columns, { name: 'next', directory })).slice(2)).toEqual([
      'todos.title is called name now.',
      lastLine,
    ])
    for (const dialect of ['postgres', 'sqlite'])
      expect(await readFile(new URL(`${dialect}/0002_next.sql`, directory), 'utf8')).toBe(
        'ALTER TABLE "todos" RENAME COLUMN "title" TO "name";\n',
      )
    const nothing = ['The migrations lead to the schema already: nothing to do.']
    expect(await generate(columns, { directory })).toEqual(nothing)
    const without = { name: text(), notes: text({ nullable: true }) }
    expect(await generate(defineSchema({ todos: without, [`t${'o'.repeat(62)}`]: long }), { directory })).toEqual(
      nothing,
    )
  })

  it('of a column that never was makes a new one, in a new project too', async () => {
    const after = defineSchema({ todos: { title: text(), notes: text({ nullable: true }), x: integer({ nullable: true, renamedFrom: 'never' }) }, [`t${'o'.repeat(62)}`]: long }) // biome-ignore format: one line
    await generate(after, { name: 'next', directory })
    expect(await readFile(new URL('sqlite/0002_next.sql', directory), 'utf8')).toBe(
      'ALTER TABLE "todos" ADD COLUMN "x" INTEGER;\n',
    )
    const fresh = await emptyDirectory()
    expect((await generate(tables, { name: 'init', directory: fresh.directory })).length).toBe(3)
    await fresh.drop()
  })

  it('beside another change of the column leaves that one to a draft', async () => {
    const after = defineSchema({ todos: { name: integer({ renamedFrom: 'title' }), notes: text({ nullable: true }) }, [`t${'o'.repeat(62)}`]: long }) // biome-ignore format: one line
    expect((await generate(after, { name: 'next', directory })).slice(2, 4)).toEqual([
      'todos.title is called name now.',
      'todos.name was text and is integer.',
    ])
  })

  it.each([
    ['tables', tables, 'tasks'],
    ['columns', columns, 'todos'],
  ] as const)('of %s keeps rows, stamps, positions, checks and indexes', async (_, after: Schema, table) => {
    const init = { postgres: await readMigrations('postgres', directory), sqlite: await readMigrations('sqlite', directory) } // biome-ignore format: a pair
    await generate(after, { name: 'next', directory })
    for (const name of dialectStores) {
      const database = await openEmpty(name)
      const { store, run } = database
      const dialect = store.dialect.name
      await migrate(store, init[dialect])
      const row = { table: 'todos', op: 'put', at: noon } as const
      const changes = [
        { ...row, id: '1', row: { title: 'one', notes: 'n' } },
        { ...row, id: '2', row: { title: 'two' } },
      ]
      const { push } = createSync({ schema: first, store })
      await push(alice, { client: 'a', changes } as never)
      await push(alice, { client: 'a', changes: [{ table: 'todos', op: 'delete', id: '3', at: noon }] } as never)
      const before = await run('SELECT * FROM todos ORDER BY id')
      expect(await migrate(store, await readMigrations(dialect, directory))).toEqual(['0002_next'])
      expect(await run(`SELECT * FROM ${table} ORDER BY id`)).toEqual(before)
      expect(await check(store, after)).toEqual([])

      // The checks know the new name.
      const [column] = after.tablesByName.get(table)?.columns ?? []
      await expect(run(`UPDATE ${table} SET ${column?.name} = NULL WHERE NOT deleted`)).rejects.toThrow()
      const sync = createSync({ schema: after, store })
      expect((await sync.pull(alice)).changes).toMatchObject([{ id: '1' }, { id: '2' }])
      // A phone of before says the old names.
      const { verdicts } = await sync.push(alice, {
        client: 'a',
        changes: [
          { ...row, id: '1', at: noon + 1, row: { title: 'x' } },
          { ...row, table, id: '1', at: noon + 2, row: { name: 'renamed' } },
        ],
      } as never)
      expect(verdicts).toMatchObject([{ verdict: 'applied' }, { verdict: 'applied' }])

      const indexes = await run(
        dialect === 'postgres'
          ? "SELECT indexname FROM pg_indexes WHERE indexname LIKE '%position%' ORDER BY 1"
          : "SELECT name FROM sqlite_schema WHERE type = 'index' AND name LIKE '%position%' ORDER BY 1",
      )
      const names = indexes.map(([index]) => String(index))
      expect(names.filter((index) => index.startsWith(table))).toEqual([
        `${table}_position`,
        `${table}_position_living`,
      ])
      expect(names.length).toBe(4)
      if (after !== tables) expect(names.some((index) => index.startsWith('tasks'))).toBe(false)
      await database.close()
    }
  })

  it.skipIf(isQuick)('is taken by a Durable Object too, and so is a table made anew', async () => {
    await generate(tables, { name: 'next', directory })
    const renames = await readFile(new URL('sqlite/0002_next.sql', directory), 'utf8')
    const anew = rebuild(tables.tables[0] as Table, new Map()).join(';\n')
    const { store, close } = await openTestStore('durable-object', first, { postgres: '', sqlite: `${renames}${anew}` })
    const sync = createSync({ schema: tables, store })
    const change = { table: 'tasks', op: 'put', id: '1', at: noon, row: { name: 'one' } } as const
    expect((await sync.push(alice, { client: 'a', changes: [change] } as never)).verdicts).toMatchObject([
      { verdict: 'applied' },
    ])
    expect((await sync.pull(alice)).changes).toMatchObject([{ table: 'tasks', row: { name: 'one', details: null } }])
    await close()
  })

  it('lets a new table have the name that has become free', async () => {
    await generate(tables, { name: 'next', directory })
    await generate(both, { name: 'more', directory })
    for (const name of dialectStores) {
      const { store, close } = await openEmpty(name)
      await migrate(store, await readMigrations(store.dialect.name, directory))
      expect(await check(store, both)).toEqual([])
      await close()
    }
  })
})
