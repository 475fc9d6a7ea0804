import { existsSync } from 'node:fs'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createTables } from '../../src/migrations/ddl.ts'
import type { Migration } from '../../src/migrations/migration.ts'
import { scopeToName } from '../../src/model/scope-name.ts'
import { findDatabases } from '../../src/runtime/node/databases.ts'
import { sqlite } from '../../src/sql/sqlite/dialect.ts'
import { libsqlFileStore } from '../../src/stores/libsql/file.ts'
import { openStore } from '../../src/stores/open.ts'
import { perScopeStore } from '../../src/stores/per-scope/per-scope.ts'
import type { Store } from '../../src/stores/store.ts'
import { principal, put, sampleSync } from '../support/sample.ts'
import { schema } from '../support/schema.ts'
import { temporaryFolder } from '../support/stores.ts'

const init: Migration = { name: '0001_test', statements: createTables(schema, 'sqlite') }
const counted: Migration = { name: '0002_count', statements: ['CREATE TABLE counts (n INTEGER)'] }

describe('a file for each scope', () => {
  const cleanups: (() => unknown)[] = []
  let folder: string
  beforeEach(async () => {
    const temporary = await temporaryFolder()
    folder = temporary.folder
    cleanups.push(temporary.drop)
  })
  afterEach(async () => {
    for (const clean of cleanups.splice(0).reverse()) await clean()
  })
  async function openFiles(path = 'data/{scope}.db', migrations = [init]): Promise<Store> {
    const store = await findDatabases(`file:${join(folder, path)}`, schema).open(migrations)
    cleanups.push(() => store.close())
    return store
  }
  const files = async (path = 'data') =>
    (await readdir(join(folder, path))).filter((file) => file.endsWith('.db')).toSorted()

  it('P11 keeps the rows of each scope in a file of its own, also of scopes that would be one file or another folder', async () => {
    const scopes = [
      'alice',
      'Alice',
      'ALICE',
      '../alice',
      '/etc/passwd',
      'con',
      '.',
      '..',
      'a.db',
      'team:9',
      'é',
      'e\u0301',
    ]
    const sync = sampleSync(await openFiles())
    for (const [n, scope] of scopes.entries())
      await sync.push(principal(scope), { client: 'a', changes: [put(`of ${n}`, 0, scope)] })
    for (const [n, scope] of scopes.entries()) {
      const { changes } = await sync.pull(principal(scope))
      expect(changes.map(({ scope: of, id }) => [of, id])).toEqual([[scope, `of ${n}`]])
      const single = await libsqlFileStore(`file:${join(folder, 'data', `${await scopeToName(scope)}.db`)}`)
      expect(await single.batch('', [{ sql: 'SELECT scope FROM todos', params: [] }])).toEqual([[[scope]]])
      await single.close()
    }
    expect(await files()).toEqual((await Promise.all(scopes.map(scopeToName))).map((name) => `${name}.db`).toSorted())
    expect(await readdir(folder)).toEqual(['data'])
  })

  it('makes no file for a pull of a scope that was never written, and answers as an empty database would', async () => {
    const sync = sampleSync(await openFiles())
    const who = principal('nobody', { other: 'read' })
    const first = await sync.pull(who)
    expect(first).toMatchObject({ changes: [], more: false })
    expect(existsSync(join(folder, 'data'))).toBe(false)
    await sync.push(principal('nobody'), { client: 'a', changes: [put('a', 0, 'x')] })
    expect((await sync.pull(who, { cursor: first.cursor })).changes).toHaveLength(1)
    expect(await files()).toEqual(['nobody.db'])
  })

  it('P16 notices a file that is gone', async () => {
    const first = await openFiles()
    const sync = sampleSync(first)
    const { cursor = null } = await sync.sync(principal('a'), {
      client: 'a',
      cursor: null,
      changes: [put('a', 0, 'x')],
    })
    await first.close()
    await rm(join(folder, 'data'), { recursive: true })
    const again = sampleSync(await openFiles())
    await expect(again.pull(principal('a'), { cursor })).rejects.toMatchObject({ code: 'resync' })
  })

  it('brings an older file up to date when its scope is next asked for, once, also from two processes at a time', async () => {
    const older = await openFiles()
    await sampleSync(older).push(principal('a'), { client: 'a', changes: [put('a', 0, 'x')] })
    await older.close()
    const [one, other] = [
      await openFiles('data/{scope}.db', [init, counted]),
      await openFiles('data/{scope}.db', [init, counted]),
    ]
    const pulls = await Promise.all([one, other].map((store) => sampleSync(store).pull(principal('a'))))
    for (const { changes } of pulls) expect(changes).toHaveLength(1)
    const names = await one.batch('a', [{ sql: 'SELECT name FROM driftline_migrations ORDER BY name', params: [] }])
    expect(names).toEqual([[['0001_test'], ['0002_count']]])
  })

  it('P2 P5 of two stores on one folder both write, and nothing is lost', async () => {
    const stores = [await openFiles(), await openFiles()]
    const scopes = ['a', 'b', 'c']
    await Promise.all(
      stores.flatMap((store, s) =>
        scopes.map(async (scope) => {
          for (let n = 0; n < 20; n++)
            await sampleSync(store).push(principal(scope), { client: `c${s}`, changes: [put(`${s} ${n}`, 0, 'x')] })
        }),
      ),
    )
    for (const scope of scopes) expect((await sampleSync(stores[0]!).pull(principal(scope))).changes).toHaveLength(40)
  })

  it('P13 answers 503 where a file cannot be opened, 500 where the file is not ours, and serves the others', async () => {
    await mkdir(join(folder, 'data'))
    await writeFile(
      join(folder, 'data', 'text.db'),
      'not a database, but a text that is long enough to be taken for one '.repeat(20),
    )
    const other = await openStore(`file:${join(folder, 'data', 'differs.db')}`)
    await other.batch('', [
      { sql: 'CREATE TABLE driftline_migrations (name text PRIMARY KEY, applied_at bigint)', params: [] },
    ])
    await other.batch('', [{ sql: "INSERT INTO driftline_migrations VALUES ('0001_test', 0)", params: [] }])
    await other.close()
    await mkdir(join(folder, 'data', 'folder.db'))
    const sync = sampleSync(await openFiles())
    const push = (scope: string) => sync.push(principal(scope), { client: 'a', changes: [put('a', 0, 'x')] })
    await expect(push('text')).rejects.toMatchObject({ kind: 'transient', code: 'SQLITE_NOTADB' })
    await expect(push('differs')).rejects.toMatchObject({ kind: 'broken', code: 'SCHEMA_DIFFERS' })
    await expect(push('folder')).rejects.toMatchObject({ kind: 'transient' })
    expect((await push('fine')).verdicts).toMatchObject([{ verdict: 'applied' }])
  })

  it('refuses a batch that names no scope, which would go to one database of many', async () => {
    const store = await openFiles()
    await expect(store.batch('', [{ sql: 'SELECT 1', params: [] }])).rejects.toThrow(TypeError)
  })
})

describe('a database for each scope', () => {
  /** Databases in one folder, which count. */
  async function openCounted(openMax: number) {
    const { folder, drop } = await temporaryFolder()
    const open = new Map<string, number>()
    let most = 0
    let hold: Promise<void> | undefined
    const store = perScopeStore({
      dialect: sqlite,
      openMax,
      async open(name) {
        open.set(name, (open.get(name) ?? 0) + 1)
        most = Math.max(
          most,
          [...open.values()].reduce((sum, n) => sum + n, 0),
        )
        const file = await libsqlFileStore(`file:${folder}/${name}.db`)
        let closed = false
        return {
          ...file,
          async batch(scope, statements) {
            await hold
            if (closed) throw new Error('closed with a batch in flight')
            return file.batch(scope, statements)
          },
          async close() {
            closed = true
            open.set(name, (open.get(name) ?? 0) - 1)
            await file.close()
          },
        }
      },
    })
    return {
      store,
      open,
      most: () => most,
      hold: (until?: Promise<void>) => {
        hold = until
      },
      drop,
    }
  }
  const select = [{ sql: 'SELECT 1', params: [] }]

  it('holds no more open than it may, closes the one that was idle longest, and never one with a batch in flight', async () => {
    const { store, open, most, hold, drop } = await openCounted(3)
    for (const scope of ['a', 'b', 'c', 'a', 'd']) await store.batch(scope, select)
    expect([...open].filter(([, n]) => n > 0).map(([name]) => name)).toEqual(['a', 'c', 'd'])
    let release = () => {}
    hold(
      new Promise((resolve) => {
        release = resolve
      }),
    )
    const many = Promise.all(Array.from({ length: 50 }, (_, n) => store.batch(`s${n % 20}`, select)))
    await vi.waitFor(() => expect([...open.values()].reduce((sum, n) => sum + n, 0)).toBe(3), 20_000)
    release()
    hold()
    expect(await many).toHaveLength(50)
    expect(most()).toBe(3)
    await store.close()
    expect([...open.values()].every((n) => n === 0)).toBe(true)
    await expect(store.batch('a', select)).rejects.toMatchObject({ kind: 'transient' })
    await drop()
  })

  it('P13 tries again after it could not be opened, and lets those go on who waited for the place', async () => {
    let fails = 2
    const options = {
      dialect: sqlite,
      async open(): Promise<Store> {
        if (fails-- > 0) throw Object.assign(new Error('disk full'), { code: 'ENOSPC' })
        return { dialect: sqlite, batch: async () => [[['opened']]], close: async () => {} }
      },
    }
    const one = perScopeStore(options)
    for (let n = 0; n < 2; n++)
      await expect(one.batch('a', select)).rejects.toMatchObject({ kind: 'transient', code: 'ENOSPC' })
    expect(await one.batch('a', select)).toEqual([[['opened']]])
    fails = 1
    const narrow = perScopeStore({ ...options, openMax: 1 })
    const answers = await Promise.allSettled(['a', 'b', 'c', 'd'].map((scope) => narrow.batch(scope, select)))
    expect(answers.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled', 'fulfilled'])
  })
})
