import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startExport } from '../../src/bulk/export.ts'
import { countSql } from '../../src/sql/count-sql.ts'
import { recordSql } from '../../src/sql/delivery-sql.ts'
import { postgres } from '../../src/sql/postgres/dialect.ts'
import { stagedSql } from '../../src/sql/postgres/staged.ts'
import { pruneSql } from '../../src/sql/prune-sql.ts'
import { roomSql } from '../../src/sql/room-sql.ts'
import { compileSchema } from '../../src/sql/schema-sql.ts'
import { sqlite } from '../../src/sql/sqlite/dialect.ts'
import { sqliteObject } from '../../src/sql/sqlite/object.ts'
import { createOperations } from '../../src/sync/sync.ts'
import { planFaults, statementsIn } from '../support/plans.ts'
import { principal, put, sampleSync } from '../support/sample.ts'
import { schema } from '../support/schema.ts'
import { openTestStore, type TestStore } from '../support/stores.ts'

const compiled = compileSchema(schema, postgres)
const staged = schema.tables.map((table) => stagedSql(table))
const prune = pruneSql(postgres, schema)
const room = roomSql(postgres, schema, true)
const statements = [
  ...[room.head, ...room.counts, ...room.sizes.values()],
  ...statementsIn(compiled, compiled.scope.weigh),
  ...staged.flatMap(({ insert, merge, tally }) => [insert, merge, tally]),
  ...[
    ...prune.tombstones,
    ...prune.remove,
    ...countSql(postgres, schema).rows,
    ...countSql(postgres, schema).firstRows,
  ],
  recordSql(postgres, schema.tables),
]

const rows = (scope: string, id: string, count: number) =>
  `INSERT INTO todos SELECT ${scope}, ${id}, 1, 'x', false, n, n, 'title ' || n, false, n % 5 FROM generate_series(1, ${count}) AS n`

/**
 * What the statistics know of a table, and what is true when a scope of 20,000 rows has come that
 * they do not know.
 */
const wrong: Readonly<Record<string, readonly string[]>> = {
  'twenty other scopes': [rows(`'other' || n % 20`, `'id' || n`, 50_000), 'ANALYZE todos'],
  'as many scopes as rows, all with one id': [rows(`'other' || n`, `'main'`, 50_000), 'ANALYZE todos'],
  'one row': [rows(`'other'`, `'id'`, 1), 'VACUUM ANALYZE todos'],
  'no row, where many were': [
    rows(`'other' || n`, `'id' || n`, 50_000),
    'DELETE FROM todos',
    'VACUUM (TRUNCATE false, ANALYZE) todos',
  ],
  'the whole scope': [rows(`'new'`, `'id' || n`, 50_000), 'ANALYZE todos'],
  nothing: [],
}

describe.each(Object.entries(wrong))('where the statistics of Postgres know %s', (_, before) => {
  let opened: TestStore
  let client: pg.Client
  beforeAll(async () => {
    opened = await openTestStore('postgres')
    client = new pg.Client({ connectionString: opened.url })
    await client.connect()
    // Nothing is learned meanwhile. An index of the user's own is smaller than the key.
    await client.query('ALTER TABLE todos SET (autovacuum_enabled = off)')
    await client.query('CREATE INDEX todos_done ON todos (scope, done)')
    for (const { create } of staged) await client.query(create)
    for (const sql of before) await client.query(sql)
    if (before.length < 2 || !before[0]?.includes(`'new'`)) await client.query(rows(`'new'`, `'k' || n`, 20_000))
    await client.query(
      `INSERT INTO driftline_scopes (scope, incarnation, position, watermark, row_bytes) VALUES ('new', 'i', 60000, 0, 300)`,
    )
  })
  afterAll(async () => {
    await client.end()
    await opened.close()
  })

  it.each(['force_custom_plan', 'force_generic_plan'])(
    'no statement reads a scope to find rows by their keys, with %s',
    async (mode) => {
      await client.query(`SET plan_cache_mode = ${mode}`)
      const faults = []
      for (const sql of statements) faults.push(...(await planFaults(client, sql)))
      expect(faults).toEqual([])
      expect(statements.length).toBeGreaterThan(35)
      expect(statements).toEqual(expect.arrayContaining(Object.values(compiled.pages ?? {})))
    },
  )

  it('a push of 1,000 changes to such a scope, and the same again, reads a few entries for each', async () => {
    const sync = sampleSync(opened.store)
    const changes = Array.from({ length: 1_000 }, (_, n) => put(`k${n * 17}`, n, 'pushed'))
    const began = await entriesRead()
    for (const verdict of ['applied', 'duplicate']) {
      const { verdicts } = await sync.push(principal('new'), { client: 'phone', changes })
      expect(new Set(verdicts.map((one) => one.verdict))).toEqual(new Set([verdict]))
    }
    expect((await entriesRead()) - began).toBeLessThan(2 * 10 * changes.length)
  })

  it('a page of many scopes reads no more of them than its rows', async () => {
    const scopes = ['new', ...Array.from({ length: 30 }, (_, n) => `small${n}`)]
    await client.query(
      `INSERT INTO todos SELECT 'small' || n % 30, 's' || n, 1, 'x', false, n, n, 'title', false, 1 FROM generate_series(0, 299) AS n`,
    )
    await client.query(
      `INSERT INTO driftline_scopes (scope, incarnation, position, watermark, row_bytes) SELECT 'small' || n, 'i', 300, 0, 300 FROM generate_series(0, 29) AS n`,
    )
    const who = { subject: 'new', scopes: new Map(scopes.toReversed().map((scope) => [scope, 'write'] as const)) }
    const { pull } = createOperations({ schema, store: opened.store })
    const began = await entriesRead()
    // Behind thirty scopes of ten rows comes one of 20,000, of which the page has ten.
    const { page } = await pull(who, { cursor: null, limit: 310 })
    expect(page.count).toBe(310)
    expect((await entriesRead()) - began).toBeLessThan(10 * 310)
    const again = await entriesRead()
    expect((await pull(who, { cursor: page.cursor, limit: 10 })).page.count).toBe(10)
    expect((await entriesRead()) - again).toBeLessThan(20 * 10 + 31)
  })

  it('a bootstrap of 20,000 tombstones reads none of them, nor does the count of its rows', async () => {
    await client.query(
      `INSERT INTO todos SELECT 'full', 'd' || n, 1, 'x', n <= 20000, n, n, CASE WHEN n > 20000 THEN 'alive' END, CASE WHEN n > 20000 THEN false END, CASE WHEN n > 20000 THEN 1 END FROM generate_series(1, 20010) AS n`,
    )
    await client.query(
      `INSERT INTO driftline_scopes (scope, incarnation, position, watermark, row_bytes) VALUES ('full', 'i', 20010, 0, 300)`,
    )
    const sync = sampleSync(opened.store)
    const began = await entriesRead()
    const first = await sync.pull(principal('full'), { limit: 5 })
    const last = await sync.pull(principal('full'), { cursor: first.cursor })
    expect([first.changes.length, last.changes.length, last.more]).toEqual([5, 5, false])
    const { rows: counted } = await startExport({ store: opened.store, schema, scopes: ['full'], cursor: null })
    expect(counted).toBe(10)
    expect((await entriesRead()) - began).toBeLessThan(500)
  })

  /** Entries of indexes, and rows without one, that all sessions have read so far. */
  async function entriesRead(): Promise<number> {
    // A session tells what it has done once it is idle for a moment, or when it ends.
    const other = new pg.Client({ connectionString: opened.url })
    await other.connect()
    await other.query('SELECT pg_stat_force_next_flush()')
    await opened.store.batch('', [{ sql: 'SELECT pg_stat_force_next_flush()', params: [] }])
    await other.query('SELECT pg_stat_clear_snapshot()')
    const { rows: found } = await other.query(
      `SELECT (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes)::int + (SELECT sum(seq_tup_read) FROM pg_stat_user_tables)::int AS n`,
    )
    await other.end()
    return found[0].n
  }
})

describe.each([sqlite, sqliteObject])('SQLite', (dialect) => {
  it('reads a bootstrap by the index of the rows that live, whatever it knows of the tables', async () => {
    const opened = await openTestStore('libsql file')
    const run = async (sql: string, params: readonly (string | number)[] = []) =>
      (await opened.store.batch('', [{ sql, params }]))[0] ?? []
    const { pages, scope } = compileSchema(schema, dialect)
    const { firstPage, sizedFirstPage } = scope
    const { firstRows } = countSql(dialect, schema)
    const plansOf = async () => {
      const rows = []
      for (const sql of [firstPage, sizedFirstPage, ...firstRows])
        rows.push(
          ...(await run(`EXPLAIN QUERY PLAN ${sql}`, ['full', 0, 1, 0, 10].slice(0, firstRows.includes(sql) ? 3 : 5))),
        )
      return rows.map((row) => String(row.at(-1))).filter((detail) => /todos|lists/.test(detail))
    }
    /** Pages of many scopes: as they are read, and as they are counted where not all fits. */
    const checkPages = async () => {
      for (const [sql, indexes] of [
        [pages?.next, ['position']],
        [pages?.first, ['position', 'position_living']],
      ] as const) {
        const plan = (await run(`EXPLAIN QUERY PLAN ${sql}`, ['{}', 10])).map((row) => String(row.at(-1)))
        const details = plan.filter(
          (detail) => /\b(todos|lists)\b/.test(detail) && !/^(SCAN|MATERIALIZE) \w+\$/.test(detail),
        )
        const found = details.map(
          (detail) =>
            /SEARCH (?:todos|lists) USING (?:COVERING )?INDEX (?:todos|lists)_(\w+) \(scope=\? AND position>\?/.exec(
              detail,
            )?.[1],
        )
        expect(found.toSorted()).toEqual(indexes.flatMap((index) => [index, index, index, index]).toSorted())
      }
    }
    const check = (details: readonly string[]) => {
      expect(details.length).toBeGreaterThan(10)
      for (const one of details)
        expect(one).toMatch(
          /SEARCH (todos|lists) USING (COVERING )?INDEX \w+_position(_living)? \(scope=\? AND position>\?/,
        )
      expect(details.filter((one) => one.includes('_living')).length).toBe(details.length / 2)
    }
    check(await plansOf())
    await checkPages()
    // Nearly nothing is deleted, as far as it knows.
    await run(`INSERT INTO todos (scope, id, updated_at, updated_by, deleted, position, created_position, title, done, priority)
WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 5000) SELECT 'full', 'd' || n, 1, 'x', n = 1, n, n, 't', 0, 1 FROM n`)
    await run('ANALYZE')
    check(await plansOf())
    await checkPages()
    await opened.close()
  })
})

describe('the reading of plans', () => {
  let client: pg.Client
  let opened: TestStore
  beforeAll(async () => {
    opened = await openTestStore('postgres')
    client = new pg.Client({ connectionString: opened.url })
    await client.connect()
    await client.query('ALTER TABLE todos SET (autovacuum_enabled = off)')
    for (const sql of wrong['twenty other scopes'] ?? []) await client.query(sql)
  })
  afterAll(async () => {
    await client.end()
    await opened.close()
  })

  it.each([
    'SELECT title FROM todos WHERE scope = $1 AND id = $2',
    'SELECT max(id) FROM todos WHERE scope = $1',
    'SELECT title FROM todos',
    'SELECT title FROM unnest($2::text[]) AS sent(i) JOIN todos ON scope = $1 AND id = sent.i',
    'DELETE FROM todos WHERE scope = $1 AND deleted',
  ])('finds the fault of %s', async (sql) => {
    await client.query(`SET plan_cache_mode = force_custom_plan`)
    expect(await planFaults(client, sql)).not.toEqual([])
  })
})
