import { readFile } from 'node:fs/promises'
import { describe, expect, it, vi } from 'vitest'
import { createTables } from '../../src/migrations/ddl.ts'
import { openD1 } from '../../src/runtime/workers/open-d1.ts'
import { openAnyStore } from '../../src/runtime/workers/store.ts'
import type { Statement } from '../../src/sql/statement.ts'
import { d1Store } from '../../src/stores/d1.ts'
import { createSync } from '../../src/sync/create-sync.ts'
import { openD1Binding } from '../support/d1.ts'
import { noon, principal, put, sampleSync } from '../support/sample.ts'
import { schema } from '../support/schema.ts'

const run = (sql: string, ...params: Statement['params']): Statement => ({
  ...{ sql, params },
  ...(/^(SELECT|WITH)/.test(sql) && { reads: true }),
})
const tables = { name: '0001_tables', statements: createTables(schema, 'sqlite') }

describe('D1', () => {
  async function open() {
    const { binding, roundTrips } = await openD1Binding()
    const store = d1Store(binding, schema)
    return { store, roundTrips, batch: (...statements: Statement[]) => store.batch('', statements) }
  }

  it('gives each cell in its place, also of columns without a name and of two with the same', async () => {
    const { batch, roundTrips } = await open()
    const both = run(
      "SELECT b.a, c.a, c.a || 'x', c.a || 'x' FROM (SELECT 1 AS a) AS b CROSS JOIN (SELECT 2 AS a) AS c",
    )
    const sorted = run('WITH n (n) AS (VALUES (3), (1), (2)) SELECT n FROM n ORDER BY n DESC')
    const found = await batch(
      both,
      sorted,
      run('SELECT ?1, ?2', 'text', null),
      run('SELECT 1'),
      run('SELECT 1 WHERE 0'),
    )
    expect(found).toEqual([[[1, 2, '2x', '2x']], [[3], [2], [1]], [['text', null]], [[1]], []])
    expect(roundTrips()).toBe(1)
    expect(await batch()).toEqual([])
    // JavaScript would put the second first.
    await expect(batch(run("SELECT 'a' AS a, 1"))).rejects.toThrow(/Name each column/)
  })

  it.each([
    ['a unique value', "INSERT INTO t (id, word) VALUES ('b', 'one')", 'refused', 't.word'],
    ['a check', "INSERT INTO t (id, word) VALUES ('b', 'bad')", 'refused', 'no_bad'],
    ['a trigger', "INSERT INTO t (id, word) VALUES ('b', 'rude')", 'refused', 'our own rule'],
    ['a type', "INSERT INTO t (id, n) VALUES ('b', 'text')", 'refused', undefined],
    ['a key that is checked at once', "INSERT INTO t (id, parent) VALUES ('b', 'no')", 'refused', undefined],
    ['no such table', 'SELECT 1 FROM nowhere', 'broken', undefined],
    ['no such column', 'SELECT nothing FROM t', 'broken', undefined],
    ['no SQL', 'SELEC', 'broken', undefined],
    ['an end of the transaction by a trigger', "INSERT INTO t (id, word) VALUES ('b', 'end')", 'transient', undefined],
  ] as const)('P13 keeps nothing of a batch that fails, and says why: %s', async (_, sql, kind, constraint) => {
    const { batch } = await open()
    await batch(
      run(
        "CREATE TABLE t (id TEXT PRIMARY KEY, word TEXT UNIQUE CONSTRAINT no_bad CHECK (word <> 'bad'), n INTEGER, parent TEXT REFERENCES t (id)) STRICT",
      ),
      run(
        "CREATE TRIGGER rude BEFORE INSERT ON t WHEN new.word = 'rude' BEGIN SELECT RAISE(ABORT, 'our own rule'); END",
      ),
      run("CREATE TRIGGER ends BEFORE INSERT ON t WHEN new.word = 'end' BEGIN SELECT RAISE(ROLLBACK, 'no'); END"),
      run("INSERT INTO t (id, word) VALUES ('a', 'one')"),
    )
    const fault = await batch(run("INSERT INTO t (id) VALUES ('lost')"), run(sql)).catch((error: unknown) => error)
    expect(fault).toMatchObject({ kind, ...(constraint && { constraint }) })
    expect(await batch(run('SELECT id FROM t'))).toEqual([[['a']]])
  })

  it.each([
    'D1_ERROR: D1 DB is overloaded. Requests queued for too long.',
    'D1_ERROR: Network connection lost.',
    'D1_ERROR: D1 DB storage operation exceeded timeout which caused object to be reset.',
    'D1_ERROR: Exceeded maximum DB size.',
    'internal error; reference = abc',
    'fetch failed',
  ])('P13 what D1 says without a code of SQLite passes: %s', async (message) => {
    const { binding } = await openD1Binding()
    const store = d1Store({ ...binding, batch: () => Promise.reject(new Error(message)) }, schema)
    await expect(store.batch('alice', [run('SELECT 1')])).rejects.toMatchObject({ kind: 'transient' })
  })

  it('refuses a parameter above what Cloudflare stores, which wrangler would take', async () => {
    const { batch, roundTrips } = await open()
    await expect(batch(run('SELECT length(?1)', 'é'.repeat(900_001)))).rejects.toMatchObject({ kind: 'refused' })
    expect(roundTrips()).toBe(0)
    expect(await batch(run('SELECT length(?1)', 'é'.repeat(900_000)))).toEqual([[[900_000]]])
  })
})

describe('a D1 database that a worker opens', () => {
  const index = { name: '0002_index', statements: ['CREATE INDEX todos_title ON todos (scope, title)'] }
  /** Makes the table of todos anew, with a key that SQLite checks when it commits. */
  const withKey = createTables(schema, 'sqlite').flatMap((sql) => {
    if (!sql.includes('todos')) return []
    const key = ', FOREIGN KEY (scope, list_id) REFERENCES lists (scope, id) DEFERRABLE INITIALLY DEFERRED) STRICT'
    return [sql.replace(/\) STRICT$/, key)]
  })
  const key = { name: '0002_key', statements: ['DROP TABLE todos', ...withKey] }

  it('is brought up to date before its first batch, also by two at once, and by a later worker', async () => {
    const { binding: DB, roundTrips } = await openD1Binding()
    const first = openD1({ DB }, { schema, migrations: [tables] })
    const others = [1, 2].map(() => openD1({ DB }, { schema, migrations: [tables] }))
    await Promise.all(
      [first, ...others].map((store, n) =>
        sampleSync(store).push(principal(`u${n}`), { client: 'a', changes: [put('1', 0, 'one')] }),
      ),
    )
    const before = roundTrips()
    expect((await sampleSync(first).pull(principal('u0'))).changes).toHaveLength(1)
    expect(roundTrips() - before).toBe(1)

    const later = openD1({ DB }, { schema, migrations: [tables, index] })
    const names = await later.batch('', [run('SELECT name FROM driftline_migrations ORDER BY name')])
    expect(names).toEqual([[['0001_tables'], ['0002_index']]])
    // The worker before it goes on meanwhile.
    expect((await sampleSync(first).pull(principal('u0'))).changes).toHaveLength(1)
    const restarted = openD1({ DB }, { schema, migrations: [tables, index] })
    const reads = roundTrips()
    await restarted.batch('', [run('SELECT 1')])
    expect(roundTrips() - reads).toBe(3)
  })

  it('P12 P13 a deferred key that a commit would find is a rejection, also of a key that came while a worker ran', async () => {
    const { binding: DB } = await openD1Binding()
    const old = openD1({ DB }, { schema, migrations: [tables] })
    const push = async (store: typeof old) => {
      const sync = createSync({ schema, store, now: () => noon / 1000 + 3_600_000 })
      const orphan = put('2', 0, 'orphan', { list_id: 'nowhere' })
      const { verdicts } = await sync.push(principal('alice'), { client: 'a', changes: [put('1', 0, 'one'), orphan] })
      return verdicts.map((one) => (one.verdict === 'rejected' ? one.error.code : one.verdict))
    }
    await old.batch('', [run('SELECT 1')])
    const now = openD1({ DB }, { schema, migrations: [tables, key] })
    expect(await push(now)).toEqual(['applied', 'constraint'])
    await expect(push(old)).rejects.toMatchObject({ kind: 'transient' })
    expect(await push(old)).toEqual(['duplicate', 'constraint'])
  })

  it('P13 says what is wrong with a migration in the log alone, answers broken, and tries again', async () => {
    const { binding: DB } = await openD1Binding()
    const log = vi.spyOn(console, 'error').mockImplementation(() => {})
    const bad = { name: '0002_bad', statements: ['CREATE TABLE x (a)', 'INSERT INTO nowhere VALUES (1)'] }
    const store = openD1({ DB }, { schema, migrations: [tables, bad] })
    for (const _ of [1, 2])
      await expect(store.batch('', [run('SELECT 1')])).rejects.toMatchObject({ kind: 'broken', code: 'MIGRATION' })
    expect(log.mock.calls.join()).toMatch(/0002_bad failed, and nothing of it was applied.*no such table: nowhere/)
    log.mockRestore()
  })

  it('P16 tells clients of a backup that was put back, by the statement of the manual', async () => {
    const { binding: DB } = await openD1Binding()
    const store = openD1({ DB }, { schema, migrations: [tables] })
    const cursors: string[] = []
    for (const name of ['alice', 'bob']) {
      const all = { client: 'a', cursor: null, changes: [put('1', 0, 'one')] }
      cursors.push((await sampleSync(store).sync(principal(name), all)).cursor ?? '')
    }
    const manual = await readFile('docs/deploy.md', 'utf8')
    const [, sql = ''] = /d1 execute driftline --remote --command "(.+)"/.exec(manual) ?? []
    await store.batch('', [run(sql)])
    for (const [n, name] of ['alice', 'bob'].entries()) {
      const pull = sampleSync(store).pull(principal(name), { cursor: cursors[n] ?? '' })
      await expect(pull).rejects.toMatchObject({ code: 'resync', members: { reason: 'restored' } })
    }
    const [scopes = []] = await store.batch('', [run('SELECT DISTINCT incarnation FROM driftline_scopes')])
    expect(scopes).toHaveLength(2)
  })

  it('comes before Durable Objects and behind DATABASE_URL, and says what it needs', async () => {
    const { binding: DB } = await openD1Binding()
    await expect(openAnyStore({ DB } as never)).rejects.toThrow(/openAnyStore\(env, \{ schema, migrations \}\)/)
    expect(() => openD1({}, { schema, migrations: [] })).toThrow(/Bind a D1 database as DB/)
    const SCOPES = { getByName: () => ({}) as never }
    const store = await openAnyStore({ DB, SCOPES } as never, { schema, migrations: [tables] })
    expect(await store.batch('', [run('SELECT count(*) FROM todos')])).toEqual([[[0]]])
    const turso = await openAnyStore({ DB, DATABASE_URL: 'libsql://x.turso.io' } as never, { schema, migrations: [] })
    expect(turso.limits).toBeUndefined()
    await turso.close()
  })
})
