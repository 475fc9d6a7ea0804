import { describe, expect, it } from 'vitest'
import { migrate } from '../../../src/migrations/apply.ts'
import { readCatalog } from '../../../src/migrations/catalog.ts'
import {
  addColumn,
  createTable,
  createTables,
  type DialectName,
  livingIndex,
  positionIndex,
} from '../../../src/migrations/ddl.ts'
import { readMigrations } from '../../../src/migrations/read.ts'
import { boolean, bytes, integer, json, real, text, timestamp, uuid } from '../../../src/model/column.ts'
import { defineSchema } from '../../../src/model/define-schema.ts'
import type { Schema, Table } from '../../../src/model/table.ts'
import { literal } from '../../../src/sql/literal.ts'
import type { Store } from '../../../src/stores/store.ts'
import { sampleMigrations } from '../../support/migrations.ts'
import { schema as sample } from '../../support/schema.ts'
import { dialectStores } from '../../support/stores.ts'
import { openEmpty } from './databases.ts'

const types = {
  text: text({ default: 'it\'s; \\ "so"\n' }),
  integer: integer({ default: -9007199254740991 }),
  real: real({ default: 0.1 }),
  boolean: boolean({ default: true }),
  json: json({ default: { a: [1, "it's"], 'b\n': null } }),
  timestamp: timestamp({ default: '0001-01-31T08:30:00.007Z' }),
  uuid: uuid({ default: '00000000-0000-4000-8000-00000000000f' }),
  bytes: bytes({ default: 'AP8' }),
}
const nullable = {
  text: text({ nullable: true }),
  integer: integer({ nullable: true }),
  real: real({ nullable: true }),
  boolean: boolean({ nullable: true }),
  json: json({ nullable: true }),
  timestamp: timestamp({ nullable: true }),
  uuid: uuid({ nullable: true }),
  bytes: bytes({ nullable: true }),
}
const required = defineSchema({ order: types })
const tableOf = (schema: Schema) => schema.tables[0] as Table
const add = (schema: Schema, dialect: DialectName) =>
  tableOf(schema).columns.map((column) => addColumn(tableOf(schema), column, dialect))

describe('the SQL of all eight types', () => {
  it('creates a table', () => {
    expect(createTable(tableOf(required), 'postgres')).toEqual([
      `CREATE TABLE "order" (
  scope text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  updated_at bigint NOT NULL,
  updated_by text COLLATE "C" NOT NULL,
  deleted boolean NOT NULL,
  position bigint NOT NULL,
  created_position bigint NOT NULL,
  "text" text CHECK (deleted OR "text" IS NOT NULL),
  "integer" bigint CHECK (deleted OR "integer" IS NOT NULL),
  "real" double precision CHECK (deleted OR "real" IS NOT NULL),
  "boolean" boolean CHECK (deleted OR "boolean" IS NOT NULL),
  "json" json CHECK (deleted OR "json" IS NOT NULL),
  "timestamp" timestamptz CHECK (deleted OR "timestamp" IS NOT NULL),
  "uuid" uuid CHECK (deleted OR "uuid" IS NOT NULL),
  "bytes" bytea CHECK (deleted OR "bytes" IS NOT NULL),
  PRIMARY KEY (scope, id)
)`,
      'CREATE INDEX "order_position" ON "order" (scope, position)',
      'CREATE INDEX "order_position_living" ON "order" (scope, position, deleted) WHERE NOT deleted',
    ])
    expect(createTable(tableOf(required), 'sqlite')).toEqual([
      `CREATE TABLE "order" (
  scope TEXT NOT NULL,
  id TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  updated_by TEXT NOT NULL,
  deleted INTEGER NOT NULL,
  position INTEGER NOT NULL,
  created_position INTEGER NOT NULL,
  "text" TEXT CHECK (deleted OR "text" IS NOT NULL),
  "integer" INTEGER CHECK (deleted OR "integer" IS NOT NULL),
  "real" REAL CHECK (deleted OR "real" IS NOT NULL),
  "boolean" INTEGER CHECK (deleted OR "boolean" IS NOT NULL),
  "json" TEXT CHECK (deleted OR "json" IS NOT NULL),
  "timestamp" TEXT CHECK (deleted OR "timestamp" IS NOT NULL),
  "uuid" TEXT CHECK (deleted OR "uuid" IS NOT NULL),
  "bytes" BLOB CHECK (deleted OR "bytes" IS NOT NULL),
  PRIMARY KEY (scope, id)
) STRICT`,
      'CREATE INDEX "order_position" ON "order" (scope, position)',
      'CREATE INDEX "order_position_living" ON "order" (scope, position, deleted) WHERE NOT deleted',
    ])
  })

  it('adds a column with a default', () => {
    const check = (name: string) => `CHECK (deleted OR "${name}" IS NOT NULL)`
    expect(add(required, 'postgres')).toEqual([
      `ALTER TABLE "order" ADD COLUMN "text" text DEFAULT 'it''s; \\ "so"\n' ${check('text')}`,
      `ALTER TABLE "order" ADD COLUMN "integer" bigint DEFAULT -9007199254740991 ${check('integer')}`,
      `ALTER TABLE "order" ADD COLUMN "real" double precision DEFAULT 0.1 ${check('real')}`,
      `ALTER TABLE "order" ADD COLUMN "boolean" boolean DEFAULT true ${check('boolean')}`,
      `ALTER TABLE "order" ADD COLUMN "json" json DEFAULT '{"a":[1,"it''s"],"b\\n":null}' ${check('json')}`,
      `ALTER TABLE "order" ADD COLUMN "timestamp" timestamptz DEFAULT '0001-01-31T08:30:00.007Z' ${check('timestamp')}`,
      `ALTER TABLE "order" ADD COLUMN "uuid" uuid DEFAULT '00000000-0000-4000-8000-00000000000f' ${check('uuid')}`,
      `ALTER TABLE "order" ADD COLUMN "bytes" bytea DEFAULT '\\x00ff' ${check('bytes')}`,
    ])
    expect(add(required, 'sqlite')).toEqual([
      `ALTER TABLE "order" ADD COLUMN "text" TEXT DEFAULT 'it''s; \\ "so"\n' ${check('text')}`,
      `ALTER TABLE "order" ADD COLUMN "integer" INTEGER DEFAULT -9007199254740991 ${check('integer')}`,
      `ALTER TABLE "order" ADD COLUMN "real" REAL DEFAULT 0.10000000000000000555 ${check('real')}`,
      `ALTER TABLE "order" ADD COLUMN "boolean" INTEGER DEFAULT 1 ${check('boolean')}`,
      `ALTER TABLE "order" ADD COLUMN "json" TEXT DEFAULT '{"a":[1,"it''s"],"b\\n":null}' ${check('json')}`,
      `ALTER TABLE "order" ADD COLUMN "timestamp" TEXT DEFAULT '0001-01-31T08:30:00.007Z' ${check('timestamp')}`,
      `ALTER TABLE "order" ADD COLUMN "uuid" TEXT DEFAULT '00000000-0000-4000-8000-00000000000f' ${check('uuid')}`,
      `ALTER TABLE "order" ADD COLUMN "bytes" BLOB DEFAULT x'00ff' ${check('bytes')}`,
    ])
  })

  it('adds a nullable column as it is', () => {
    const columns = defineSchema({ order: nullable })
    const sqlTypes = {
      postgres: ['text', 'bigint', 'double precision', 'boolean', 'json', 'timestamptz', 'uuid', 'bytea'],
      sqlite: ['TEXT', 'INTEGER', 'REAL', 'INTEGER', 'TEXT', 'TEXT', 'TEXT', 'BLOB'],
    }
    for (const dialect of ['postgres', 'sqlite'] as const) {
      expect(add(columns, dialect)).toEqual(
        Object.keys(nullable).map(
          (name, place) => `ALTER TABLE "order" ADD COLUMN "${name}" ${sqlTypes[dialect][place]}`,
        ),
      )
    }
  })

  it('refuses to add a required column without a default', () => {
    const schema = defineSchema({ order: { due: text() } })
    expect(() => add(schema, 'sqlite')).toThrow(
      new TypeError('order.due needs a default, or nullable: true, to be added to a table'),
    )
  })
})

it.each(dialectStores)('the migrations make the tables of the sample schema (%s)', async (name) => {
  const [migrated, made] = [await openEmpty(name), await openEmpty(name)]
  const dialect = made.store.dialect.name
  await migrate(migrated.store, await readMigrations(dialect, sampleMigrations))
  for (const sql of createTables(sample, dialect)) await made.run(sql)
  const own = ['scopes', 'marks', 'inbox', 'deliveries', 'endpoints'].map((table) => `driftline_${table}`)
  const tables = [...sample.tables.map((table) => table.name), ...own]
  // A column that a later migration added needs a default for the rows that are there.
  const shapeOf = async (store: Store) => {
    const { tables: found } = await readCatalog(store, tables)
    const columnsOf = (table: string) =>
      [...(found.get(table)?.columns ?? [])].map(([column, { hasDefault: _, ...shape }]) => [column, shape])
    return Object.fromEntries(tables.map((table) => [table, Object.fromEntries(columnsOf(table))]))
  }
  expect(await shapeOf(migrated.store)).toEqual(await shapeOf(made.store))
  await migrated.close()
  await made.close()
})

it('gives the index of a long table name one of its own', () => {
  const names = ['a', 'b'].flatMap((last) => {
    const table = `${'x'.repeat(62)}${last}`
    return [positionIndex(table), livingIndex(table)]
  })
  expect(new Set(names).size).toBe(4)
  for (const name of names) expect(name.length).toBeLessThanOrEqual(63)
  expect(positionIndex('x'.repeat(54))).toBe(`${'x'.repeat(54)}_position`)
})

for (const name of dialectStores) {
  it(`adds columns to rows that exist, which get exactly the default, and keeps tombstones (${name})`, async () => {
    const { store, run, close } = await openEmpty(name)
    const before = defineSchema({ order: { kept: text() }, [`${'x'.repeat(62)}a`]: { kept: text() } })
    for (const sql of createTables(before, store.dialect.name)) await run(sql)
    const insert = (id: string, deleted: boolean, kept: string) =>
      run(`INSERT INTO "order" (scope, id, updated_at, updated_by, deleted, position, created_position, kept)
VALUES ('s', '${id}', 1, 'c', ${literal('boolean', deleted, store.dialect.name)}, 1, 1, ${kept})`)
    await insert('live', false, "'x'")
    await insert('dead', true, 'NULL')
    for (const schema of [required, defineSchema({ order: { more: json({ nullable: true }) } })]) {
      for (const sql of add(schema, store.dialect.name)) await run(sql)
    }
    // A server of the version before, which does not know the columns.
    await insert('late', false, "'x'")
    const table = tableOf(required)
    const columns = store.dialect.row(table).join(', ')
    for (const id of ['live', 'late']) {
      const [cells = []] = await run(`SELECT ${columns} FROM "order" WHERE id = '${id}'`)
      expect(JSON.parse(store.dialect.readRow(table, 's', cells, 0)).row).toEqual(
        Object.fromEntries(table.columns.map((column) => [column.name, column.default])),
      )
    }
    await expect(run(`UPDATE "order" SET "real" = NULL WHERE id = 'live'`)).rejects.toMatchObject({ kind: 'refused' })
    await run(`UPDATE "order" SET "real" = NULL WHERE id = 'dead'`)
    await close()
  })

  it(`reads a default of type real as the very double (${name})`, async () => {
    const { store, run, close } = await openEmpty(name)
    const reals = [0.1, 1 / 3, 4.35, 1e21, 1e-7, -2.5e-300, 5e-324, Number.MAX_VALUE, 123456789012345.67, 1e15, -0, 7]
    reals.push(...Array.from({ length: 200 }, (_, n) => Math.sin(n + 1) * 10 ** ((n % 40) - 20)))
    const schema = defineSchema({ a: { v: real({ nullable: true }) } })
    for (const sql of createTables(schema, store.dialect.name)) await run(sql)
    await run(`INSERT INTO a (scope, id, updated_at, updated_by, deleted, position, created_position)
VALUES ('s', 'i', 1, 'c', ${literal('boolean', false, store.dialect.name)}, 1, 1)`)
    for (const value of reals) {
      await run(`UPDATE a SET v = ${literal('real', value, store.dialect.name)}`)
      const [cells = []] = await run(`SELECT ${store.dialect.row(tableOf(schema)).join(', ')} FROM a`)
      expect(JSON.parse(store.dialect.readRow(tableOf(schema), 's', cells, 0)).row.v).toBe(value + 0)
    }
    await close()
  })
}
