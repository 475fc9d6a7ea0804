import { join } from 'node:path'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { migrate } from '../../../src/migrations/apply.ts'
import { createTables, type DialectName } from '../../../src/migrations/ddl.ts'
import { generate } from '../../../src/migrations/generate.ts'
import type { Migration } from '../../../src/migrations/migration.ts'
import { readMigrations } from '../../../src/migrations/read.ts'
import { splitStatements } from '../../../src/migrations/split.ts'
import { integer, text } from '../../../src/model/column.ts'
import { defineSchema } from '../../../src/model/define-schema.ts'
import { findDatabases } from '../../../src/runtime/node/databases.ts'
import { postgresStore } from '../../../src/stores/postgres/pool.ts'
import type { Store } from '../../../src/stores/store.ts'
import { createSync } from '../../../src/sync/create-sync.ts'
import { createPayload } from '../../../src/webhooks/out/payload.ts'
import { createRecorder } from '../../../src/webhooks/out/record.ts'
import { type Body, type ClientRequest, newClient, receive } from '../../programs/model/client.ts'
import { startObjects } from '../../support/objects.ts'
import { noon, principal } from '../../support/sample.ts'
import { dialectStores, storeNames, temporaryFolder } from '../../support/stores.ts'
import { emptyDirectory, openEmpty } from './databases.ts'

const before = defineSchema({ todos: { title: text() }, lists: { name: text() } })
const after = defineSchema({ todos: { title: text(), stars: integer({ default: 3 }) }, lists: { name: text() } })

const oldServer = (store: Store) => createSync({ schema: before, store, now: () => noon / 1000 })
const newServer = (store: Store) => createSync({ schema: after, store, now: () => noon / 1000 })
const put = (table: 'todos' | 'lists', id: string, at = 0) =>
  table === 'todos'
    ? ({ table, op: 'put', id, at: noon + at, row: { title: id } } as const)
    : ({ table, op: 'put', id, at: noon + at, row: { name: id } } as const)
const del = (id: string, at: number) => ({ table: 'todos', op: 'delete', id, at: noon + at }) as const
const [ann, bob, cleo] = ['ann', 'bob', 'cleo'].map((name) => principal(name)) as [Who, Who, Who]
type Who = ReturnType<typeof principal>

const pull: ClientRequest = { half: 'pull', changes: [], limit: 500, return: 'all', scopes: ['ann'] }

/** A database, or many of them, that can be brought to a list of migrations. */
interface Place {
  readonly store: Store
  migrate(list: readonly Migration[]): Promise<void>
}

async function open(
  name: string,
  list: (dialect: DialectName) => readonly Migration[],
  after: Cleanup,
): Promise<Place> {
  if (name === 'durable-object') {
    const objects = await startObjects(list('sqlite'))
    after(objects.close)
    return { store: objects.store, migrate: objects.deploy }
  }
  if (name === 'a file for each scope') {
    const { folder, drop } = await temporaryFolder()
    after(drop)
    const files = (all: readonly Migration[]) => findDatabases(`file:${join(folder, '{scope}.db')}`, before).open(all)
    let store = await files(list('sqlite'))
    after(() => store.close())
    return {
      get store() {
        return store
      },
      async migrate(all) {
        await store.close()
        store = await files(all)
      },
    }
  }
  const database = await openEmpty(name as 'postgres')
  after(database.close)
  await migrate(database.store, list(database.store.dialect.name))
  return {
    store: database.store,
    async migrate(all) {
      await migrate(database.store, all)
    },
  }
}
type Cleanup = (clean: () => unknown) => void

const cleanups: (() => unknown)[] = []
const later: Cleanup = (clean) => cleanups.push(clean)
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

async function read(store: Store, scope: string, sql: string): Promise<(string | number)[][]> {
  const [rows = []] = await store.batch(scope, [{ sql, params: [] }])
  return rows.map((row) => row.map((cell) => (/^\d+$/.test(String(cell)) ? Number(cell) : String(cell))))
}
/** Every row of a scope by its position; fails where two have one, or one is beyond its scope. */
async function positions(store: Store, scope: string): Promise<string[]> {
  const of = (table: string) =>
    `SELECT position, id, created_position, updated_at, updated_by FROM ${table} WHERE scope = '${scope}'`
  const rows = await read(store, scope, `${of('todos')} UNION ALL ${of('lists')} ORDER BY 1`)
  const [[top] = []] = await read(store, scope, `SELECT position FROM driftline_scopes WHERE scope = '${scope}'`)
  expect(new Set(rows.map(([position]) => position)).size).toBe(rows.length)
  expect(rows.at(-1)?.[0]).toBe(top)
  return rows.map(([position, id, created]) => `${position} ${id} ${created}`)
}

/**
 * Three phones at the head: of two todos, a deleted one and a list; of a list alone; of one todo.
 */
async function fill(store: Store) {
  const sync = oldServer(store)
  await sync.push(ann, { client: 'p', changes: ['t1', 't2', 't3'].map((id) => put('todos', id)) })
  await sync.push(ann, { client: 'p', changes: [del('t2', 1), put('lists', 'l1'), put('todos', 't1', 2)] })
  await sync.push(bob, { client: 'p', changes: [put('lists', 'l1')] })
  await sync.push(cleo, { client: 'p', changes: [put('todos', 't1')] })
  const [ofAnn, ofBob, ofCleo] = await Promise.all([ann, bob, cleo].map((who) => sync.pull(who)))
  return [ofAnn, ofBob, ofCleo] as [NonNullable<typeof ofAnn>, NonNullable<typeof ofBob>, NonNullable<typeof ofCleo>]
}

describe.each([...storeNames, 'durable-object', 'a file for each scope'])('a touch on %s', (name) => {
  let directory: URL
  beforeEach(async () => {
    const empty = await emptyDirectory()
    later(empty.drop)
    directory = empty.directory
  })

  it('P3 of the column that generate added brings every phone exactly the rows that it changed, once, with the default', async () => {
    await generate(before, { name: 'init', directory })
    const first = {
      postgres: await readMigrations('postgres', directory),
      sqlite: await readMigrations('sqlite', directory),
    }
    const place = await open(name, (dialect) => first[dialect], later)
    const held = await fill(place.store)
    expect(await positions(place.store, 'ann')).toEqual(['3 t3 3', '4 t2 2', '5 l1 5', '6 t1 1'])

    await generate(after, { name: 'add-stars', directory })
    const all = await readMigrations(place.store.dialect.name, directory)
    await place.migrate(all)
    const sync = newServer(place.store)
    const pulled = await sync.pull(ann, { cursor: held[0].cursor })
    const stamped = { table: 'todos', op: 'put', by: 'p' }
    expect(pulled.changes).toMatchObject([
      { ...stamped, id: 't3', at: noon, position: 7, row: { title: 't3', stars: 3 } },
      { ...stamped, id: 't1', at: noon + 2, position: 8, row: { title: 't1', stars: 3 } },
    ])
    expect((await sync.pull(bob, { cursor: held[1].cursor })).changes).toEqual([])
    expect((await sync.pull(cleo, { cursor: held[2].cursor })).changes).toMatchObject([{ id: 't1', position: 2 }])
    expect(await positions(place.store, 'ann')).toEqual(['4 t2 2', '5 l1 5', '7 t3 3', '8 t1 1'])
    expect([await positions(place.store, 'bob'), await positions(place.store, 'cleo')]).toEqual([
      ['1 l1 1'],
      ['2 t1 1'],
    ])

    // A phone takes a row of a stamp that it holds.
    const answers = [held[0], pulled].map((body) => ({ status: 200, body: body as unknown as Body }))
    const phone = answers.reduce(
      (state, answer) => receive(state, 'x', noon / 1000, { ...pull, cursor: state.cursor }, answer),
      newClient,
    )
    expect([...phone.rows.values()].map(({ id, at, row }) => [id, at, row])).toEqual([
      ['t3', noon, { title: 't3', stars: 3 }],
      ['l1', noon, { name: 'l1' }],
      ['t1', noon + 2, { title: 't1', stars: 3 }],
    ])

    await place.migrate(all)
    expect((await newServer(place.store).pull(ann, { cursor: pulled.cursor })).changes).toEqual([])
    await newServer(place.store).push(ann, { client: 'q', changes: [put('todos', 't4')] })
    expect((await newServer(place.store).pull(ann, { cursor: pulled.cursor })).changes).toMatchObject([
      { id: 't4', position: 9 },
    ])
  })

  // An object is SQLite as a file is, and a deploy takes long.
  if (name === 'durable-object') return

  it('P3 of some rows moves only those, by the condition of their database', async () => {
    const init = (dialect: DialectName) => [{ name: '0001_init', statements: createTables(before, dialect) }]
    const place = await open(name, init, later)
    const held = await fill(place.store)
    const { name: dialect } = place.store.dialect
    const sql =
      "-- driftline: touch todos WHERE todos.title IN ('t3', 'x;') -- some\n-- driftline: touch lists WHERE name = 'none'"
    await place.migrate([...init(dialect), { name: '0002_touch', statements: splitStatements(sql, dialect) }])
    const pulls = await Promise.all(
      [ann, bob, cleo].map((who, n) => oldServer(place.store).pull(who, { cursor: held[n]?.cursor ?? null })),
    )
    expect(pulls.map(({ changes }) => changes.map(({ id }) => id))).toEqual([['t3'], [], []])
  })
})

/** A database with a touch as its next migration, at both dialects' spelling. */
async function openWith(name: (typeof dialectStores)[number], lines: Readonly<Record<DialectName, string>>) {
  const database = await openEmpty(name)
  later(database.close)
  const { name: dialect } = database.store.dialect
  const init = { name: '0001_init', statements: createTables(before, dialect) }
  await migrate(database.store, [init])
  const touch = { name: '0002_touch', statements: splitStatements(lines[dialect], dialect) }
  return { ...database, touch: (store = database.store) => migrate(store, [init, touch]) }
}
const both = (sql: string) => ({ postgres: sql, sqlite: sql })

describe.each(dialectStores)('a touch beside other things on %s', (name) => {
  it('gives no position twice where its condition answers another time otherwise', async () => {
    const some = '-- driftline: touch todos WHERE random()'
    const { store, touch } = await openWith(name, { postgres: `${some} < 0.5`, sqlite: `${some} % 2 = 0` })
    const changes = Array.from({ length: 200 }, (_, n) => put('todos', `t${n}`))
    for (const who of [ann, bob]) await oldServer(store).push(who, { client: 'p', changes })
    await touch()
    for (const { subject } of [ann, bob]) {
      const moved = (await positions(store, subject)).slice(-50).map((line) => Number(line.split(' ')[0]))
      expect(moved).toEqual(Array.from({ length: 50 }, (_, n) => (moved[0] ?? 0) + n))
    }
  })

  it('P2 a webhook that waits to tell of a row tells of it after the touch, where nothing waits it tells nothing', async () => {
    const { store, touch } = await openWith(name, both('-- driftline: touch todos'))
    const endpoint = { name: 'crm', url: 'https://crm.example', secret: `whsec_${btoa('x'.repeat(32))}`, rows: true }
    const recording = createSync({
      schema: before,
      store,
      now: () => noon / 1000,
      record: createRecorder(store.dialect, before, [endpoint]),
    })
    await recording.push(ann, { client: 'p', changes: [put('todos', 't1'), put('lists', 'l1')] })
    await oldServer(store).push(bob, { client: 'p', changes: [put('todos', 't1')] })
    await touch()
    const columns = 'scope, from_position, position, next_at, attempts, disabled_at'
    const lines = await read(store, 'ann', `SELECT ${columns} FROM driftline_deliveries ORDER BY position`)
    const [first, second] = lines
    expect(lines).toEqual([first, ['ann', 2, 3, Number.MAX_SAFE_INTEGER, 0, 0]])
    const payload = createPayload(store, before, endpoint)
    const idsOf = async (line: typeof first) => {
      const [, from, position] = (line ?? []).map(Number)
      const due = {
        scope: 'ann',
        from: from ?? 0,
        position: position ?? 0,
        id: 'm',
        createdAt: 0,
        nextAt: 0,
        attempts: 0,
        disabledAt: 0,
      }
      return JSON.parse(await payload(due)).data.changes.map(({ id }: { id: string }) => id)
    }
    expect([await idsOf(first), await idsOf(second)]).toEqual([['l1'], ['t1']])
  })

  it('P13 leaves all as it was where the migration fails behind it', async () => {
    const { store, touch } = await openWith(name, both('-- driftline: touch todos\nINSERT INTO nowhere VALUES (1);'))
    const [held] = await fill(store)
    const was = await positions(store, 'ann')
    await expect(touch()).rejects.toThrow(/^The migration 0002_touch failed, and nothing of it was applied: /)
    expect(await positions(store, 'ann')).toEqual(was)
    expect((await oldServer(store).pull(ann, { cursor: held.cursor })).changes).toEqual([])
  })
})

describe('a touch beside others at work on Postgres', () => {
  it.each(['waits for it', 'is waited for'])(
    'P3 a pull beside it skips nothing, nor is a push lost that %s, and nobody is tried twice for a deadlock',
    async (push) => {
      // The file has locked a row of a table before its touch comes.
      const lines = both("UPDATE todos SET title = 'new' WHERE scope = 'ann' AND id = 't3';\n-- driftline: touch todos")
      const { store, url, touch } = await openWith('postgres', lines)
      const rival = new pg.Client({ connectionString: url })
      await rival.connect()
      later(() => rival.end())
      const other = postgresStore(url)
      later(other.close)
      let batches = 0
      const counted = (one: Store): Store => ({
        ...one,
        batch(scope, statements) {
          batches++
          return one.batch(scope, statements)
        },
      })
      async function untilBlocked(sessions: number) {
        for (;;) {
          await rival.query('SELECT pg_stat_clear_snapshot()')
          const { rows } = await rival.query(
            "SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
          )
          if (rows[0].n >= sessions) return
        }
      }
      const [held] = await fill(store)
      const changes = [put('todos', 't1', 9), put('todos', 't3', 10), put('todos', 't9')]
      const pushing = () => oldServer(counted(other)).push(ann, { client: 'q', changes })
      const touching = () => touch(counted(store))
      // Whoever comes first is held within its transaction, and the other waits for it.
      await rival.query('BEGIN')
      await rival.query("SELECT 1 FROM todos WHERE id = 't1' FOR UPDATE")
      const runs: Promise<unknown>[] = []
      for (const [n, run] of (push === 'waits for it' ? [touching, pushing] : [pushing, touching]).entries()) {
        runs.push(run())
        await untilBlocked(n + 1)
      }
      const during = await oldServer(store).pull(ann, { cursor: held.cursor })
      expect(during.changes).toEqual([])
      await rival.query('COMMIT')
      await Promise.all(runs)
      // What is recorded is read, then the migration; and the push.
      expect(batches).toBe(3)
      const pulled = await oldServer(store).pull(ann, { cursor: during.cursor })
      expect(pulled.changes.map(({ id }) => id).toSorted()).toEqual(['t1', 't3', 't9'])
      expect((await oldServer(store).pull(cleo)).changes).toMatchObject([{ position: 2 }])
      await positions(store, 'ann')
    },
  )
})
