import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { boolean, bytes, decimal, integer, json, real, text, timestamp, uuid } from '../../src/model/column.ts'
import { defineSchema } from '../../src/model/define-schema.ts'
import { countSql, gatesSql, headsSql } from '../../src/sql/count-sql.ts'
import { deliverySql, recordSql } from '../../src/sql/delivery-sql.ts'
import { raiseWith } from '../../src/sql/markers.ts'
import { postgres } from '../../src/sql/postgres/dialect.ts'
import { roomSql } from '../../src/sql/room-sql.ts'
import { scopeSql } from '../../src/sql/scope-sql.ts'
import { sqlite } from '../../src/sql/sqlite/dialect.ts'
import { tableSql } from '../../src/sql/table-sql.ts'

const schema = defineSchema({
  notes: {
    title: text(),
    count: integer({ nullable: true }),
    price: real({ nullable: true }),
    done: boolean({ default: false }),
    extra: json({ nullable: true }),
    due: timestamp({ nullable: true }),
    ref: uuid({ nullable: true }),
    icon: bytes({ nullable: true }),
    cost: decimal({ nullable: true }),
    seen: timestamp({ nullable: true, digits: 6 }),
  },
  tags: { name: text() },
})

/**
 * Every statement, side by side per dialect. A change of SQL is then a change of these files, seen
 * in review; that the text also means what it should is the business of the races, the property
 * tests and the suites.
 */
describe.each([postgres, sqlite])('the SQL of $name', (dialect) => {
  const raise = raiseWith(dialect, 'nonce')
  const [notes] = schema.tables.map((table) => tableSql(dialect, table, raise))
  const scope = scopeSql(dialect, schema, 4_194_304, raise)
  const {
    table: _,
    rowFields: __,
    patchFields: ___,
    weight,
    bulk,
    adds,
    keys,
    takesTime,
    variant,
    trial,
    adopted: ____,
    sideFields: _____,
    ...ofTable
  } = notes as NonNullable<typeof notes>
  const { head, claim, finish, fail } = deliverySql(dialect)
  const delivery = {
    record: recordSql(dialect, schema.tables),
    deliveryHead: head,
    deliveryClaim: claim,
    deliveryFinish: finish.join(';\n'),
    deliveryFail: fail,
  }
  const bulkStatements = {
    bulkUpsert: String(bulk?.upsert),
    bulkTally: String(bulk?.tally),
    bulkSettled: String(bulk?.settled),
  }
  const counts = countSql(dialect, schema)
  const counting = {
    countHeads: headsSql(dialect),
    countGates: gatesSql(dialect, raise),
    countRows: counts.rows.join(';\n'),
    countFirstRows: counts.firstRows.join(';\n'),
  }
  const pagesWith = (bootstraps: boolean) =>
    String(dialect.together?.pages(schema, { bytesMax: 4_194_304, bootstraps }))
  const countsOf = (bootstraps: boolean) => String(dialect.together?.countPages(schema, { bootstraps }))
  const paging = {
    ...{ pages: pagesWith(false), firstPages: pagesWith(true) },
    ...{ countPages: countsOf(false), countFirstPages: countsOf(true) },
  }
  const room = roomSql(dialect, schema, true)
  const limits = {
    ...{ roomHead: room.head, roomCounts: room.counts.join(';\n'), roomSteps: room.steps.join(';\n') },
    roomSizes: [...room.sizes.values()].join(';\n'),
  }
  const statements = {
    ...limits,
    ...{ ...scope, ...bulkStatements, ...counting, ...paging },
    ...{ weigh: `${scope.weigh}${weight?.(3)}`, ...ofTable, ...delivery },
  }
  it.each(Object.entries(statements))('%s is the golden one', async (name, sql) => {
    await expect(sql.replaceAll('\t', '\\t')).toMatchFileSnapshot(`../golden/${dialect.name}.${name}.sql`)
  })

  it('names one scope in every statement, which is what sharding by scope needs', async () => {
    for (const [name, sql] of Object.entries(statements)) expect(sql, name).toContain(dialect.param(1))
  })

  it('binds one parameter whatever the number of rows', () => {
    const rows = Array.from({ length: 5_000 }, (_, n) => [`id${n}`])
    const [text = '', ...others] = dialect.encodeRows([{ name: 'i', type: 'text' }], rows)
    expect(others).toEqual([])
    expect(JSON.parse(text.replace('{', '[').replace('}', ']'))).toHaveLength(5_000)
  })
})

it('the golden files are all in use', async () => {
  const { readdir } = await import('node:fs/promises')
  const folder = new URL('../golden/', import.meta.url)
  const files = (await readdir(folder)).filter((file) => file.endsWith('.sql'))
  expect(files).toHaveLength(2 * 48)
  for (const file of files) expect((await readFile(new URL(file, folder), 'utf8')).length).toBeGreaterThan(40)
})
