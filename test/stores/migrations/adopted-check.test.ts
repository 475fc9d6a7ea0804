import { describe, expect, it } from 'vitest'
import { migrate } from '../../../src/migrations/apply.ts'
import { check } from '../../../src/migrations/check.ts'
import { createTables } from '../../../src/migrations/ddl.ts'
import { integer, text } from '../../../src/model/column.ts'
import { defineSchema } from '../../../src/model/define-schema.ts'
import { postgresStore } from '../../../src/stores/postgres/pool.ts'
import { adopted } from '../../../src/sync/adopted/adopted.ts'
import { dialectStores, openEmptyStore } from '../../support/stores.ts'

const schema = defineSchema({
  tasks: adopted('tasks', { key: 'id', keyType: 'text', scope: 'user_id', columns: { title: text(), n: integer() } }),
})
const good = 'id text NOT NULL PRIMARY KEY, user_id text NOT NULL, title text NOT NULL, n integer'
const noKey = {
  postgres:
    'tasks has no unique key of one NOT NULL column in id: add public_id uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(), and adopt with --key public_id.',
  sqlite:
    'tasks has no unique key of one NOT NULL column in id: make that column UNIQUE and NOT NULL, or adopt with another --key.',
}
const anew = 'run npx driftline reconcile --table tasks, which makes it anew.'
const notYet = 'tasks is not adopted yet: run npx driftline generate --name adopt-tasks, and npx driftline migrate.'
const hidden =
  'tasks.org_id is NOT NULL without a default, and phones do not send it: declare it, or give it a default.'

describe.each(dialectStores)('check, of adopted tables, on %s', (name) => {
  const dialect = name === 'postgres' ? 'postgres' : 'sqlite'
  /** What is found where the app's table is so, and these statements follow adopting it, if it is. */
  async function found(table: readonly string[], after: readonly string[] | null = []): Promise<string[]> {
    const opened = await openEmptyStore(name)
    const run = async (list: readonly string[]) => {
      for (const sql of list) await opened.store.batch('', [{ sql, params: [] }])
    }
    try {
      await run(table)
      const beside = createTables(after ? schema : defineSchema({}), dialect)
      await migrate(opened.store, [{ name: '0001_adopt', statements: beside }])
      await run(after ?? [])
      return await check(opened.store, schema)
    } finally {
      await opened.close()
    }
  }
  const table = (columns: string) => [`CREATE TABLE tasks (${columns})`]

  it('finds nothing in a table that fits', async () => {
    expect(await found(table(good))).toEqual([])
    expect(await found(table(`${good}, more text NOT NULL DEFAULT ''`))).toEqual([])
  })

  it('says that it is not adopted yet', async () => {
    expect(await found(table(good), null)).toEqual([notYet])
  })

  it.each([
    [
      'the table is missing',
      ['DROP TABLE tasks'],
      ['The app’s table tasks is missing: make it, or take it out of the schema.'],
    ],
    [
      'it is a view',
      ['ALTER TABLE tasks RENAME TO under', 'CREATE VIEW tasks AS SELECT * FROM under'],
      ['tasks is a view: adopt the table under it.'],
    ],
  ])('says that %s', async (_title, after, findings) => {
    expect(await found(table(good), after)).toEqual(findings)
  })

  it.each([
    ['no key', good.replace('PRIMARY KEY', ''), [noKey[dialect]]],
    ['a key of two columns', `${good.replace('PRIMARY KEY', '')}, PRIMARY KEY (id, user_id)`, [noKey[dialect]]],
    ['a key that may be NULL', good.replace('NOT NULL PRIMARY KEY', 'UNIQUE'), [noKey[dialect]]],
    ['a column that no phone sends', `${good}, org_id text NOT NULL`, [hidden]],
  ])('says that there is %s', async (_title, columns, findings) => {
    expect(await found(table(columns))).toEqual(findings)
  })
  const drop = (event: string) =>
    dialect === 'postgres' ? `DROP TRIGGER driftline_${event} ON tasks` : `DROP TRIGGER driftline_tasks_${event}`
  const called = (event: string) => (dialect === 'postgres' ? `driftline_${event}` : `driftline_tasks_${event}`)

  it.each(['insert', 'update', 'delete'])('says that the trigger of %s is missing', async (event) => {
    expect(await found(table(good), [drop(event)])).toEqual([
      `The trigger ${called(event)} of tasks is missing, so that changes are not heard of: ${anew}`,
    ])
  })

  it('says that a trigger is of another version', async () => {
    const other =
      dialect === 'postgres'
        ? [
            'CREATE OR REPLACE FUNCTION driftline."tasks_update"() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$',
          ]
        : [drop('update'), 'CREATE TRIGGER driftline_tasks_update AFTER UPDATE ON tasks BEGIN SELECT 1; END']
    expect(await found(table(good), other)).toEqual([
      `The trigger ${called('update')} of tasks is that of another version: ${anew}`,
    ])
  })

  it('says that columns are missing, those of the schema and that of the scope', async () => {
    const [lost, away] = [
      'tasks.n is missing: take it out of the schema, or say what it is called now.',
      'tasks.user_id is missing, which the schema names.',
    ]
    expect(await found(table(good), ['ALTER TABLE tasks RENAME COLUMN n TO m'])).toContain(lost)
    const renamed = await found(table(good), [
      ...['insert', 'insert_over', 'update', 'delete'].flatMap((one) => (dialect === 'sqlite' ? [drop(one)] : [])),
      'ALTER TABLE tasks RENAME COLUMN user_id TO owner',
    ])
    expect(renamed).toContain(away)
  })

  it('says that a column is made by the database', async () => {
    const made = good.replace('n integer', 'n integer GENERATED ALWAYS AS (length(title)) STORED')
    expect(await found(table(made))).toEqual(['tasks.n is made by the database: say readonly: true in the schema.'])
  })
})

describe('check, of adopted tables, where only one database has such', () => {
  async function found(
    name: 'postgres' | 'libsql file',
    before: readonly string[],
    after: readonly string[],
    role?: string,
  ) {
    const opened = await openEmptyStore(name)
    const { dialect } = opened.store
    try {
      const sides = createTables(schema, dialect.name)
      for (const sql of [...before, ...sides, ...after]) await opened.store.batch('', [{ sql, params: [] }])
      if (role === undefined) return await check(opened.store, schema)
      const url = new URL(opened.url)
      url.searchParams.set('options', `-c role=${role}`)
      const store = postgresStore(url.href)
      return await check(store, schema).finally(() => store.close())
    } finally {
      await opened.close()
    }
  }

  it('says that a table with partitions cannot be adopted, and a materialized view', async () => {
    const parted = [`CREATE TABLE tasks (${good}) PARTITION BY HASH (id)`]
    expect(await found('postgres', parted, [])).toEqual([noKey.postgres])
    const view = ['ALTER TABLE tasks RENAME TO under', 'CREATE MATERIALIZED VIEW tasks AS SELECT * FROM under']
    expect(await found('postgres', [`CREATE TABLE tasks (${good})`], view)).toEqual([
      'tasks is a view: adopt the table under it.',
    ])
  })

  it('says that a trigger is disabled', async () => {
    const off = ['ALTER TABLE tasks DISABLE TRIGGER driftline_update']
    expect(await found('postgres', [`CREATE TABLE tasks (${good})`], off)).toEqual([
      'The trigger driftline_update of tasks is disabled, so that changes are not heard of: ENABLE it.',
    ])
  })

  it.each([
    ['n', good.replace('n integer', 'n interval'), ['tasks.n is interval, and the schema says integer.']],
    [
      'the key',
      good.replace('id text', 'id uuid'),
      ['The key tasks.id is uuid, and not text: say another keyType in the schema.'],
    ],
  ])('says that the type of %s does not fit', async (_what, columns, findings) => {
    expect(await found('postgres', [`CREATE TABLE tasks (${columns})`], [])).toEqual(findings)
  })

  it('takes a domain for what is under it', async () => {
    const domain = ['CREATE DOMAIN count AS int', `CREATE TABLE tasks (${good.replace('n integer', 'n count')})`]
    expect(await found('postgres', domain, [])).toEqual([])
  })

  it('says what the role may not do, and that row level security binds it', async () => {
    const role = `check_${crypto.randomUUID().slice(0, 8)}`
    const grants = [
      `CREATE ROLE ${role}`,
      `GRANT USAGE ON SCHEMA driftline, public TO ${role}`,
      `GRANT ALL ON ALL TABLES IN SCHEMA driftline, public TO ${role}`,
    ]
    const bound = [`ALTER TABLE tasks ENABLE ROW LEVEL SECURITY`, `REVOKE DELETE ON tasks FROM ${role}`]
    const findings = await found('postgres', [`CREATE TABLE tasks (${good})`], [...grants, ...bound], role)
    expect(findings).toEqual([
      `The role ${role} has no right to DELETE tasks: GRANT it.`,
      `Row level security of tasks binds the role ${role}: connect as its owner without FORCE, or ALTER ROLE ${role} BYPASSRLS.`,
    ])
  })

  it('says that SQLite checks a foreign key too late', async () => {
    const deferred = `${good}, p text REFERENCES tasks (id) DEFERRABLE INITIALLY DEFERRED`
    expect(await found('libsql file', [`CREATE TABLE tasks (${deferred})`], [])).toEqual([
      'A deferred foreign key of tasks fails at the commit, where no change can be told from another: make it immediate.',
    ])
  })
})
