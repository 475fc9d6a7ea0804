import { afterAll, describe, expect, it } from 'vitest'
import { check } from '../../../src/migrations/check.ts'
import { createTables, type DialectName } from '../../../src/migrations/ddl.ts'
import { boolean, bytes, integer, json, real, text, timestamp, uuid } from '../../../src/model/column.ts'
import { defineSchema } from '../../../src/model/table.ts'
import type { Store } from '../../../src/stores/store.ts'
import { dialectStores, isQuick, storeNames } from '../../support/stores.ts'
import { type EmptyDatabase, openEmpty } from './databases.ts'

const schema = defineSchema({
  lists: { name: text() },
  todos: {
    title: text({ maxLength: 9 }),
    priority: integer({ default: 0 }),
    amount: real({ nullable: true }),
    done: boolean({ default: false }),
    tags: json({ nullable: true }),
    due: timestamp({ nullable: true }),
    owner: uuid({ nullable: true }),
    photo: bytes({ nullable: true }),
  },
})

const rebuild = (table: string) =>
  `the table anew (CREATE TABLE "${table}_new", INSERT INTO "${table}_new" SELECT from the old one, DROP TABLE "${table}", ALTER TABLE "${table}_new" RENAME TO "${table}", CREATE INDEX)`
const addDue = 'todos.due is missing: run npx driftline generate --name add-todos-due, and npx driftline migrate.'
const noKey =
  'todos has no unique key on (scope, id), which ON CONFLICT needs: write CREATE UNIQUE INDEX "todos_key" ON "todos" (scope, id).'
const noIndex =
  'todos has no index on (scope, position), so that every pull reads all of it: write CREATE INDEX "todos_position" ON "todos" (scope, position).'

/** What is done to a good database, or to the text that creates it, and what is then found. */
type Case = readonly [title: string, damage: readonly string[] | ((sql: string) => string), findings: readonly string[]]

const both: readonly Case[] = [
  ['nothing', [], []],
  [
    'a table',
    ['DROP TABLE lists'],
    ['The table lists is missing: run npx driftline generate --name add-lists, and npx driftline migrate.'],
  ],
  [
    'the scopes',
    ['DROP TABLE driftline_scopes'],
    ['The table driftline_scopes is missing: run npx driftline migrate.'],
  ],
  ['the marks', ['DROP TABLE driftline_marks'], ['The table driftline_marks is missing: run npx driftline migrate.']],
  ['the inbox', ['DROP TABLE driftline_inbox'], ['The table driftline_inbox is missing: run npx driftline migrate.']],
  [
    'the deliveries',
    ['DROP TABLE driftline_deliveries'],
    ['The table driftline_deliveries is missing: run npx driftline migrate.'],
  ],
  ['a column', ['ALTER TABLE todos DROP COLUMN due'], [addDue]],
  ['an index', ['DROP INDEX todos_position'], [noIndex]],
  [
    'a partial index',
    ['DROP INDEX todos_position', 'CREATE INDEX i ON todos (scope, position) WHERE NOT deleted'],
    [noIndex],
  ],
  ['another order', ['DROP INDEX todos_position', 'CREATE INDEX i ON todos (position, scope)'], [noIndex]],
  ['a longer index, which serves', ['DROP INDEX todos_position', 'CREATE INDEX i ON todos (scope, position, id)'], []],
  [
    'a unique index, which serves',
    ['DROP INDEX todos_position', 'CREATE UNIQUE INDEX i ON todos (scope, position)'],
    [],
  ],
  ['a column of a newer server', ["ALTER TABLE todos ADD COLUMN extra text NOT NULL DEFAULT 'x'"], []],
  ['a table of a newer server', ['CREATE TABLE others (id text)'], []],
  [
    'several at once',
    ['DROP INDEX todos_position', 'DROP TABLE lists', 'ALTER TABLE todos DROP COLUMN due'],
    [
      'The table lists is missing: run npx driftline generate --name add-lists, and npx driftline migrate.',
      addDue,
      noIndex,
    ],
  ],
]

/** SQLite has no ALTER for these, so the table is created so from the start. */
const created: readonly Case[] = [
  ['a key', (sql) => sql.replaceAll(/,\s+PRIMARY KEY \(scope, id\)/g, ''), [noKey.replaceAll('todos', 'lists'), noKey]],
  [
    'a narrower key',
    (sql) => sql.replaceAll('PRIMARY KEY (scope, id)', 'PRIMARY KEY (id)'),
    [noKey.replaceAll('todos', 'lists'), noKey],
  ],
  [
    'the key the other way round, which serves',
    (sql) => sql.replaceAll('PRIMARY KEY (scope, id)', 'UNIQUE (id, scope)'),
    [],
  ],
  [
    'the key of the scopes',
    (sql) => sql.replace(' PRIMARY KEY,', ' NOT NULL,'),
    [
      'driftline_scopes has no unique key on (scope), which ON CONFLICT needs: write CREATE UNIQUE INDEX "driftline_scopes_key" ON "driftline_scopes" (scope).',
    ],
  ],
]

const ofPostgres: readonly Case[] = [
  [
    'a column of the scopes',
    ['ALTER TABLE driftline_scopes DROP COLUMN watermark'],
    ['driftline_scopes.watermark is missing: write a migration that adds it, bigint NOT NULL.'],
  ],
  [
    'a type',
    ['ALTER TABLE todos ALTER COLUMN amount TYPE text'],
    [
      'todos.amount is text and must be double precision: write ALTER TABLE "todos" ALTER COLUMN "amount" TYPE double precision USING "amount"::double precision.',
    ],
  ],
  [
    'a time without its zone',
    ['ALTER TABLE todos ALTER COLUMN due TYPE timestamp'],
    [
      'todos.due is timestamp without time zone and must be timestamptz: write ALTER TABLE "todos" ALTER COLUMN "due" TYPE timestamptz USING "due"::timestamptz.',
    ],
  ],
  [
    'a time of fewer digits',
    ['ALTER TABLE todos ALTER COLUMN due TYPE timestamptz(0)'],
    [
      'todos.due is timestamp(0) with time zone and must be timestamptz: write ALTER TABLE "todos" ALTER COLUMN "due" TYPE timestamptz USING "due"::timestamptz.',
    ],
  ],
  [
    'jsonb, which keeps no text',
    ['ALTER TABLE todos ALTER COLUMN tags TYPE jsonb'],
    [
      'todos.tags is jsonb and must be json: write ALTER TABLE "todos" ALTER COLUMN "tags" TYPE json USING "tags"::json.',
    ],
  ],
  [
    'a system type',
    ['ALTER TABLE todos ALTER COLUMN updated_at TYPE integer'],
    [
      'todos.updated_at is integer and must be bigint: write ALTER TABLE "todos" ALTER COLUMN "updated_at" TYPE bigint USING "updated_at"::bigint.',
    ],
  ],
  [
    'NOT NULL',
    ['ALTER TABLE todos ALTER COLUMN updated_by DROP NOT NULL'],
    [
      'todos.updated_by may be NULL, which makes a row unwritable: write ALTER TABLE "todos" ALTER COLUMN "updated_by" SET NOT NULL.',
    ],
  ],
  [
    'a NOT NULL too many',
    ['ALTER TABLE todos ALTER COLUMN title SET NOT NULL'],
    [
      'todos.title is NOT NULL, which refuses tombstones: write ALTER TABLE "todos" ALTER COLUMN "title" DROP NOT NULL.',
    ],
  ],
  [
    'an unknown required column',
    ['ALTER TABLE todos ADD COLUMN extra text NOT NULL'],
    ['todos.extra is not in the schema, and is NOT NULL without a default: add it there, or give it a default.'],
  ],
  ['an unknown identity, which serves', ['ALTER TABLE todos ADD COLUMN extra bigint GENERATED ALWAYS AS IDENTITY'], []],
  [
    'COLLATE "C" of an id',
    ['ALTER TABLE todos ALTER COLUMN id TYPE text COLLATE "default"'],
    [
      'todos.id has not COLLATE "C", so that it sorts otherwise than JavaScript: write ALTER TABLE "todos" ALTER COLUMN "id" TYPE text COLLATE "C".',
    ],
  ],
  [
    'COLLATE "C" of a scope',
    ['ALTER TABLE driftline_scopes ALTER COLUMN scope TYPE text COLLATE "default"'],
    [
      'driftline_scopes.scope has not COLLATE "C", so that it sorts otherwise than JavaScript: write ALTER TABLE "driftline_scopes" ALTER COLUMN "scope" TYPE text COLLATE "C".',
    ],
  ],
  [
    'COLLATE "C" of a client',
    ['ALTER TABLE lists ALTER COLUMN updated_by TYPE text COLLATE "default"'],
    [
      'lists.updated_by has not COLLATE "C", so that it sorts otherwise than JavaScript: write ALTER TABLE "lists" ALTER COLUMN "updated_by" TYPE text COLLATE "C".',
    ],
  ],
  [
    'a key that is only deferred',
    ['ALTER TABLE todos DROP CONSTRAINT todos_pkey', 'ALTER TABLE todos ADD UNIQUE (scope, id) DEFERRABLE'],
    [noKey],
  ],
  [
    'a key with more columns beside it, which serves',
    ['ALTER TABLE todos DROP CONSTRAINT todos_pkey', 'CREATE UNIQUE INDEX i ON todos (scope, id) INCLUDE (title)'],
    [],
  ],
  [
    'an index of another kind',
    ['DROP INDEX todos_position', 'CREATE INDEX i ON todos USING brin (scope, position)'],
    [noIndex],
  ],
]

const ofSqlite: readonly Case[] = [
  [
    'a type',
    (sql) => sql.replace('"amount" REAL', '"amount" TEXT'),
    [`todos.amount is TEXT and must be REAL: write ${rebuild('todos')}.`],
  ],
  [
    'STRICT',
    (sql) => sql.replace(/("todos"[\s\S]*?)\) STRICT/, '$1)'),
    [`todos is not STRICT, so that numbers would change: write ${rebuild('todos')}.`],
  ],
  [
    'NOT NULL',
    (sql) => sql.replace(/("todos"[\s\S]*?updated_by TEXT) NOT NULL/, '$1'),
    [`todos.updated_by may be NULL, which makes a row unwritable: write ${rebuild('todos')}.`],
  ],
  [
    'a NOT NULL too many',
    (sql) => sql.replace('"priority" INTEGER', '"priority" INTEGER NOT NULL'),
    [`todos.priority is NOT NULL, which refuses tombstones: write ${rebuild('todos')}.`],
  ],
]

const cases = {
  postgres: [...both, ...created, ...ofPostgres],
  sqlite: [...both, ...created, ...ofSqlite],
}

async function create(store: Store, rewrite: (sql: string) => string = (sql) => sql): Promise<void> {
  const sql = createTables(schema, store.dialect.name)
  await store.batch(
    '',
    rewrite(sql.join(';'))
      .split(';')
      .map((one) => ({ sql: one, params: [] })),
  )
}

for (const storeName of storeNames) {
  const dialect: DialectName = storeName === 'postgres' || storeName === 'neon' ? 'postgres' : 'sqlite'
  describe(`check on ${storeName} names what is missing:`, () => {
    let database: EmptyDatabase | undefined
    const use = async () => {
      if (database && !(await database.empty())) {
        await database.close()
        database = undefined
      }
      database ??= await openEmpty(storeName)
      return database
    }
    afterAll(() => database?.close())

    // What a catalog says is read the same way through every store of a dialect.
    const isWhole = dialectStores.includes(storeName) && !isQuick
    it.each(cases[dialect].filter((_, n) => isWhole || n % 7 === 0))('%s', async (_, damage, findings) => {
      const database = await use()
      await create(database.store, typeof damage === 'function' ? damage : undefined)
      for (const sql of typeof damage === 'function' ? [] : damage) await database.run(sql)
      expect(await check(database.store, schema)).toEqual(findings)
    })

    it('everything, in an empty database, and takes one batch for it', async () => {
      const database = await use()
      let batches = 0
      const counting: Store = {
        ...database.store,
        batch(scope, statements) {
          batches++
          return database.store.batch(scope, statements)
        },
      }
      expect(await check(counting, schema)).toEqual([
        'The table driftline_scopes is missing: run npx driftline migrate.',
        'The table driftline_marks is missing: run npx driftline migrate.',
        'The table driftline_inbox is missing: run npx driftline migrate.',
        'The table driftline_deliveries is missing: run npx driftline migrate.',
        'The table lists is missing: run npx driftline migrate.',
        'The table todos is missing: run npx driftline migrate.',
      ])
      expect(batches).toBe(1)
    })
  })
}

it('the SQL that a finding says to write mends it', async () => {
  for (const storeName of ['libsql file', 'postgres'] as const) {
    let database = await openEmpty(storeName)
    for (const [, damage] of storeName === 'postgres' ? [...both, ...created, ...ofPostgres] : [...both, ...created]) {
      if (!(await database.empty())) {
        await database.close()
        database = await openEmpty(storeName)
      }
      const { store, run } = database
      await create(store, typeof damage === 'function' ? damage : undefined)
      for (const sql of typeof damage === 'function' ? [] : damage) await run(sql)
      const findings = (await check(store, schema)).filter((finding) => / write (ALTER|CREATE) /.test(finding))
      for (const finding of findings) await run(finding.replace(/^.*? write (.*)\.$/, '$1'))
      const rest = await check(store, schema)
      expect(rest.filter((finding) => findings.includes(finding))).toEqual([])
    }
    await database.close()
  }
})

it("looks where the connection's search_path looks", async () => {
  const { url, run, close } = await openEmpty('postgres')
  await run('CREATE SCHEMA app')
  const { openStore } = await import('../../../src/stores/open.ts')
  const inApp = await openStore(`${url}?options=-c%20search_path%3Dapp`)
  const inPublic = await openStore(url)
  await create(inApp)
  expect(await check(inApp, schema)).toEqual([])
  expect(await check(inPublic, schema)).toHaveLength(6)
  await inApp.close()
  await inPublic.close()
  await close()
})
