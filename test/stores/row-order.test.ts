import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { text } from '../../src/model/column.ts'
import { defineSchema } from '../../src/model/define-schema.ts'
import { copyText, stagedSql } from '../../src/sql/postgres/staged.ts'
import { compileSchema } from '../../src/sql/schema-sql.ts'
import type { Field, Statement } from '../../src/sql/statement.ts'
import { noon } from '../support/sample.ts'
import { allStoreNames, openTestStore, type TestStore } from '../support/stores.ts'

const schema = defineSchema({ lists: { name: text(), note: text({ nullable: true }) } })
const [table] = schema.tables as [(typeof schema.tables)[number]]
const staged = stagedSql(table)
const count = 50

/**
 * Fails at the first row that takes a name which another still has: so each order but one is
 * refused.
 */
describe.each(allStoreNames)('rows are written in the order of their parameter on %s', (name) => {
  let opened: TestStore
  beforeAll(async () => {
    opened = await openTestStore(name, schema)
  })
  afterAll(() => opened.close())
  let scopes = 0

  /**
   * A scope of rows that were inserted in the order of their ids and names, of which each is to
   * take the name of the next.
   */
  async function scopeOfRows(): Promise<string> {
    const scope = `chain${++scopes}`
    const rows = Array.from({ length: count }, (_, n) => [idOf(n), n + 1, noon, null, nameOf(n), 'kept'])
    const { upsert, rowFields } = sqlOf().table
    if (scopes === 1 || name === 'durable-object')
      await opened.store.batch(scope, [{ sql: 'CREATE UNIQUE INDEX lists_name ON lists (scope, name)', params: [] }])
    await opened.store.batch(scope, [
      lock(scope),
      { sql: upsert, params: [scope, 'a', count, ...encode(rowFields, rows)] },
    ])
    return scope
  }
  const idOf = (n: number) => `id${String(n).padStart(3, '0')}`
  const nameOf = (n: number) => `name ${n}`
  const sqlOf = () => {
    const { tables, scope } = compileSchema(schema, opened.store.dialect)
    return { table: tables[0] as (typeof tables)[number], scope }
  }
  const lock = (scope: string): Statement => ({ sql: sqlOf().scope.lock, params: [scope, 'i', count, 64, 1e9] })
  const encode = (fields: readonly Field[], rows: readonly (readonly unknown[])[]) =>
    opened.store.dialect.encodeRows(fields, rows)

  const at = noon + 1
  /** How each statement writes that the row takes the next name. */
  const writes = {
    update: (scope: string, order: readonly number[]) => {
      const { update, patchFields } = sqlOf().table
      const rows = order.map((n, place) => [idOf(n), place + 1, at, nameOf(n + 1), at, null, null])
      return [{ sql: update, params: [scope, 'a', count, ...encode(patchFields, rows)] }]
    },
    updateStampless: (scope: string, order: readonly number[]) => {
      const { updateStampless, patchFields } = sqlOf().table
      const rows = order.map((n, place) => [idOf(n), place + 1, at, nameOf(n + 1), at, null, null])
      return [{ sql: updateStampless, params: [scope, 'a', count, ...encode(patchFields, rows)] }]
    },
    ...Object.fromEntries(
      (['upsert', 'upsertWonOnly', 'upsertStampless'] as const).map((one) => [
        one,
        (scope: string, order: readonly number[]) => {
          const rows = order.map((n, place) => [idOf(n), place + 1, at, null, nameOf(n + 1), 'kept'])
          return [{ sql: sqlOf().table[one], params: [scope, 'a', count, ...encode(sqlOf().table.rowFields, rows)] }]
        },
      ]),
    ),
    'upsert of an import': (scope: string, order: readonly number[]) => {
      const { upsert, fields } = sqlOf().table.bulk
      return [{ sql: upsert, params: [scope, count, ...encode(fields, bulkRows(order))] }]
    },
    ...(name === 'postgres' && {
      'merge of a COPY': (scope: string, order: readonly number[]) => [
        { sql: staged.create, params: [] },
        { sql: staged.copy, params: [], copied: copyText(staged.fields, bulkRows(order)) },
        { sql: staged.insert, params: [scope, count] },
        { sql: staged.merge, params: [scope, count, count] },
      ],
    }),
  } satisfies Record<string, (scope: string, order: readonly number[]) => readonly Statement[]>
  const bulkRows = (order: readonly number[]) =>
    order.map((n, place) => [idOf(n), place + 1, at, 'a', null, nameOf(n + 1), 'kept'])

  const forwards = Array.from({ length: count }, (_, n) => n)
  const stored = async (scope: string) => {
    const sql = `SELECT name, note, position FROM lists WHERE scope = ${opened.store.dialect.param(1)} ORDER BY id`
    const [rows = []] = await opened.store.batch(scope, [{ sql, params: [scope] }])
    return rows.map(([title, note, position]) => [title, note, Number(position)])
  }

  it.each(Object.entries(writes))(
    'a chain of names moves up by one by %s, and not from the other end',
    async (by, write) => {
      const scope = await scopeOfRows()
      await expect(opened.store.batch(scope, [lock(scope), ...write(scope, forwards)])).rejects.toMatchObject({
        kind: 'refused',
      })
      expect(await stored(scope)).toEqual(forwards.map((n) => [nameOf(n), 'kept', n + 1]))
      const results = await opened.store.batch(scope, [lock(scope), ...write(scope, forwards.toReversed())])
      expect(await stored(scope)).toEqual(forwards.map((n) => [nameOf(n + 1), 'kept', 2 * count - n]))
      const returned = results.at(-1)?.map((row) => opened.store.dialect.splitLine(row)[0])
      if (!/an import|COPY/.test(by)) expect(returned).toEqual(forwards.map(() => 'u'))
    },
  )
})
