import { readFile, writeFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { migrate } from '../../../src/migrations/apply.ts'
import { bundleMigrations } from '../../../src/migrations/bundle.ts'
import { check } from '../../../src/migrations/check.ts'
import { generate } from '../../../src/migrations/generate.ts'
import { readMigrations } from '../../../src/migrations/read.ts'
import { boolean, integer, json, text, uuid } from '../../../src/model/column.ts'
import { defineSchema } from '../../../src/model/define-schema.ts'
import type { Schema } from '../../../src/model/table.ts'
import { createSync } from '../../../src/sync/create-sync.ts'
import { noon, principal } from '../../support/sample.ts'
import { dialectStores } from '../../support/stores.ts'
import { type EmptyDatabase, emptyDirectory, openEmpty } from './databases.ts'

const alice = principal('alice')
const notes = text({ nullable: true })
const first = defineSchema({ todos: { title: text(), notes }, lists: { name: text() } })
const lists = { name: text() }
const fileOf = (dialect: string) => `${dialect}/0002_next.sql`

let directory: URL
let drop: () => Promise<void>
beforeEach(async () => {
  ;({ directory, drop } = await emptyDirectory())
  await generate(first, { name: 'init', directory })
})
afterEach(() => drop())

const read = (dialect: string) => readFile(new URL(fileOf(dialect), directory), 'utf8')
const write = (dialect: string, sql: string) => writeFile(new URL(fileOf(dialect), directory), sql)

/**
 * As a person does: the first line goes, all SQL that is commented out comes in, and VALUE becomes
 * one.
 */
async function finish(dialect: string): Promise<void> {
  const [, ...blocks] = (await read(dialect)).split('\n\n')
  const sql = /^-- (-- driftline|ALTER|UPDATE|DROP|DO|CREATE|DELETE)/
  const done = blocks.map((block) => (sql.test(block) ? block.replace(/^-- /gm, '') : block))
  await write(dialect, done.join('\n\n').replaceAll('VALUE', "'none'"))
}

/** Two todos, one without notes, and a deleted one. */
async function fill({ store }: EmptyDatabase, title = 'one') {
  const row = { table: 'todos', op: 'put', at: noon } as const
  const { push } = createSync({ schema: first, store })
  await push(alice, {
    client: 'a',
    changes: [
      { ...row, id: '1', row: { title, notes: 'n' } },
      { ...row, id: '2', row: { title } },
      { table: 'todos', op: 'delete', id: '3', at: noon },
    ],
  })
}

type Case = readonly [
  what: string,
  after: Schema,
  says: readonly string[],
  row: Readonly<Record<string, unknown>>,
  title: string,
]
const cases: readonly Case[] = [
  [
    'a column that is gone',
    defineSchema({ todos: { title: text() }, lists }),
    ['todos.notes is gone from the schema.'],
    { title: 'one' },
    'one',
  ],
  [
    'a table that is gone',
    defineSchema({ todos: { title: text(), notes } }),
    ['The table lists is gone from the schema.'],
    { title: 'one', notes: null },
    'one',
  ],
  [
    'a changed type',
    defineSchema({ todos: { title: integer(), notes }, lists }),
    ['todos.title was text and is integer.'],
    { title: 12, notes: null },
    '12',
  ],
  [
    'a type that SQLite keeps in the same way',
    defineSchema({ todos: { title: uuid(), notes }, lists }),
    ['todos.title was text and is uuid.'],
    { title: '0195c3a0-0000-7000-8000-000000000001', notes: null },
    '0195c3a0-0000-7000-8000-000000000001',
  ],
  [
    'text that is JSON now',
    defineSchema({ todos: { title: json({ default: 'x' }), notes }, lists }),
    ['todos.title was text and is json.'],
    { title: 'one', notes: null },
    'one',
  ],
  [
    'a column that is nullable now',
    defineSchema({ todos: { title: text({ nullable: true }), notes }, lists }),
    ['todos.title was required and is nullable.'],
    { title: 'one', notes: null },
    'one',
  ],
  [
    'a column that is required now',
    defineSchema({ todos: { title: text(), notes: text() }, lists }),
    ['todos.notes was nullable and is required.'],
    { title: 'one', notes: 'none' },
    'one',
  ],
  [
    'a column that is required now and has a default',
    defineSchema({ todos: { title: text(), notes: text({ default: 'empty' }) }, lists }),
    ['todos.notes was nullable and is required.'],
    { title: 'one', notes: 'empty' },
    'one',
  ],
  [
    'all of them, beside a column and a table that are new',
    defineSchema({ todos: { title: integer({ nullable: true }), done: boolean({ default: true }) }, more: lists }),
    [
      'todos.notes is gone from the schema.',
      'todos.title was text and is integer.',
      'todos.title was required and is nullable.',
      'The table lists is gone from the schema.',
    ],
    { title: 12, done: true },
    '12',
  ],
]

describe.each(cases)('a draft for %s', (_, after, says, row, title) => {
  it('says what it is about and what to do, and is not written again', async () => {
    expect(await generate(after, { name: 'next', directory })).toEqual([
      'Wrote migrations/postgres/0002_next.sql, a draft',
      'Wrote migrations/sqlite/0002_next.sql, a draft',
      ...says,
      'Finish both drafts: judge what is commented out, then delete their first lines. Until then nothing of them is applied. Commit them with migrations/schema.json, and run npx driftline migrate.',
    ])
    expect(await generate(after, { name: 'again', directory })).toEqual([
      'migrations/postgres/0002_next.sql is a draft: finish it, then delete its first line.',
      'migrations/sqlite/0002_next.sql is a draft: finish it, then delete its first line.',
    ])
    await finish('postgres')
    await finish('sqlite')
    expect(await generate(after, { directory })).toEqual(['The migrations lead to the schema already: nothing to do.'])
  })

  it.each(dialectStores)(
    'P2 on %s leads to the schema once it is finished: rows, stamps, positions and order stay',
    async (name) => {
      const database = await openEmpty(name)
      const { store } = database
      const dialect = store.dialect.name
      await migrate(store, await readMigrations(dialect, directory))
      await fill(database, title)
      const columns = 'scope, id, updated_at, updated_by, deleted, created_position'
      const look = async () => [
        await database.run(`SELECT ${columns} FROM todos ORDER BY id`),
        await database.run('SELECT id FROM todos WHERE NOT deleted ORDER BY position'),
        // A touch moves the living rows alone.
        await database.run(
          `SELECT id, position FROM todos WHERE deleted OR ${isTouched ? '1 = 0' : '1 = 1'} ORDER BY id`,
        ),
      ]
      await generate(after, { name: 'next', directory })
      const isTouched = (await read(dialect)).includes('-- driftline: touch')
      const before = await look()
      await generate(after, { name: 'next', directory })
      await finish(dialect)
      await migrate(store, await readMigrations(dialect, directory))
      expect(await look()).toEqual(before)
      expect(await check(store, after)).toEqual([])
      const sync = createSync({ schema: after, store })
      const { changes } = await sync.pull(alice)
      expect(changes.find(({ id }) => id === '2')).toMatchObject({ op: 'put', at: noon, by: 'a', row })
      // And what the schema allows and forbids now, the database does too.
      const empty = Object.fromEntries(
        (after.tablesByName.get('todos')?.columns ?? []).map((column) => [
          column.name,
          column.nullable ? null : row[column.name],
        ]),
      )
      const { verdicts } = await sync.push(alice, {
        client: 'b',
        changes: [{ table: 'todos', op: 'put', id: '1', at: noon + 1, row: empty }],
      } as never)
      expect(verdicts).toMatchObject([{ verdict: 'applied' }])
      await database.close()
    },
  )
})

describe('a draft that nobody has finished', () => {
  const after = defineSchema({ todos: { title: text(), stars: integer({ default: 3 }) }, lists })
  const sentence = (dialect: string) =>
    new TypeError(
      `migrations/${fileOf(dialect)}: this is a draft: finish the file, then delete its line "-- driftline: draft …"`,
    )

  it('is neither applied nor bundled, also where its first line stands elsewhere or says otherwise', async () => {
    await generate(after, { name: 'next', directory })
    for (const dialect of ['postgres', 'sqlite'] as const) {
      const text = await read(dialect)
      expect(text.split('\n')[0]).toBe('-- driftline: draft — finish this file, then delete this line')
      const [line = '', ...rest] = text.split('\n')
      const others = [
        `SELECT 1;\n${text}`,
        [...rest, line].join('\n'),
        `--driftline:DRAFT\nSELECT 1`,
        `/* driftline: draft */`,
      ]
      for (const sql of [text, ...others]) {
        await write(dialect, sql)
        await expect(readMigrations(dialect, directory)).rejects.toThrow(sentence(dialect))
      }
      await write(dialect, text)
    }
    await expect(bundleMigrations(directory)).rejects.toThrow(sentence('sqlite'))
    await expect(readFile(new URL('sqlite.json', directory))).rejects.toThrow(/ENOENT/)
  })

  it('has what is certain as it is, and the touch of a new default', async () => {
    await generate(after, { name: 'next', directory })
    expect(await read('postgres')).toBe(`-- driftline: draft — finish this file, then delete this line
-- What is commented out is for you to judge: take "-- " away where it is right, change it where it is not.

ALTER TABLE "todos" ADD COLUMN "stars" bigint DEFAULT 3 CHECK (deleted OR "stars" IS NOT NULL);

-- driftline: touch todos

-- todos.notes is gone from the schema
-- Has it another name now? Take this back, and say renamedFrom in the schema. Else its values are lost:

-- ALTER TABLE "todos" DROP COLUMN "notes";
`)
  })
})
