import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { migrate } from '../../../src/migrations/apply.ts'
import type { Migration } from '../../../src/migrations/migration.ts'
import { ownMigrations } from '../../../src/migrations/own.ts'
import { readMigrations } from '../../../src/migrations/read.ts'
import { type Store, StoreFault } from '../../../src/stores/store.ts'
import { dialectStores, storeNames } from '../../support/stores.ts'
import { type EmptyDatabase, emptyDirectory, openEmpty } from './databases.ts'

/** Each would fail if it were applied twice, and the last would add a row twice. */
const migrations: readonly Migration[] = [
  { name: '0001_init', statements: ['CREATE TABLE a (n bigint)', 'CREATE INDEX a_n ON a (n)'] },
  { name: '0002_add-b', statements: ['CREATE TABLE b (n bigint)'] },
  { name: '0003_fill', statements: ['INSERT INTO a VALUES (1)', 'INSERT INTO b VALUES (1), (2)'] },
]
const names = migrations.map(({ name }) => name)
const broken: Migration = {
  name: '0004_broken',
  statements: ['CREATE TABLE c (n bigint)', 'INSERT INTO a VALUES (2)', 'INSERT INTO nowhere VALUES (1)'],
}

for (const storeName of storeNames) {
  describe(`migrate on ${storeName}`, () => {
    let database: EmptyDatabase
    let store: Store
    beforeEach(async () => {
      database = await openEmpty(storeName)
      store = database.store
    })
    afterEach(() => database.close())
    const count = async (table: string) => Number((await database.run(`SELECT count(*) FROM ${table}`))[0]?.[0])

    it('applies in order what is not recorded, and records when', async () => {
      expect(await migrate(store, migrations.slice(0, 1), () => 1_795_226_400_000)).toEqual(['0001_init'])
      expect(await migrate(store, migrations)).toEqual(['0002_add-b', '0003_fill'])
      expect(await migrate(store, migrations)).toEqual([])
      expect([await count('a'), await count('b'), await count('driftline_migrations')]).toEqual([1, 2, 3])
      const [row] = await database.run("SELECT applied_at FROM driftline_migrations WHERE name = '0001_init'")
      expect(Number(row?.[0])).toBe(1_795_226_400_000_000)
    })

    it('P13 leaves nothing of a migration that fails, and says which and why', async () => {
      const work = migrate(store, [...migrations, broken])
      await expect(work).rejects.toThrow(
        /^The migration 0004_broken failed, and nothing of it was applied: .*nowhere.*$/,
      )
      expect([await count('a'), await count('driftline_migrations')]).toEqual([1, 3])
      await expect(count('c')).rejects.toMatchObject({ kind: 'broken' })
      const mended = { ...broken, statements: broken.statements.slice(0, 2) }
      expect(await migrate(store, [...migrations, mended])).toEqual(['0004_broken'])
      expect([await count('a'), await count('c')]).toEqual([2, 0])
    })

    it('applies once where eight stores start together, three times over', async () => {
      for (let round = 0; round < 3; round++) {
        const fresh = await openEmpty(storeName)
        const stores = await Promise.all(Array.from({ length: 8 }, () => fresh.open()))
        const applied = await Promise.all(stores.map((one) => migrate(one, migrations)))
        expect(applied.flat().toSorted()).toEqual(names)
        expect(Number((await fresh.run('SELECT count(*) FROM b'))[0]?.[0])).toBe(2)
        await fresh.close()
      }
    })

    it('starts on the database of a newer server', async () => {
      await migrate(store, migrations)
      expect(await migrate(store, migrations.slice(0, 2))).toEqual([])
      expect(await migrate(store, [])).toEqual([])
    })

    it('applies a late migration of a lower number that nobody has taken', async () => {
      await migrate(store, [migrations[0]!, { name: '0003_other', statements: [] }])
      expect(await migrate(store, migrations.slice(0, 2))).toEqual(['0002_add-b'])
    })

    it('refuses a number that the database knows by another name', async () => {
      await migrate(store, migrations.slice(0, 2))
      await expect(migrate(store, [migrations[0]!, { name: '0002_add-c', statements: [] }])).rejects.toThrow(
        new TypeError(
          'The database has applied 0002_add-b, and here 0002_add-c has its number: rename it to the next free one, for both dialects',
        ),
      )
    })
  })
}

describe('migrate refuses, before anything is applied,', () => {
  const store = new Proxy({} as Store, {
    get: () => {
      throw new Error('the store was used')
    },
  })
  const one = (name: string, ...statements: string[]): Migration => ({ name, statements })
  it.each([
    [
      [one('0001_a'), one('0001_b')],
      '0001_a and 0001_b have one number: rename one to the next free one, for both dialects',
    ],
    [
      [one('0001_a'), one('0001_a')],
      '0001_a and 0001_a have one number: rename one to the next free one, for both dialects',
    ],
    [[one('0002_b'), one('0001_a')], '0001_a must come before 0002_b, by its number'],
    [[one('0001_a', 'BEGIN')], '0001_a must not hold BEGIN: a migration is one transaction by itself'],
    [
      [one('0001_a', 'SELECT 1', 'commit and chain')],
      '0001_a must not hold commit: a migration is one transaction by itself',
    ],
  ])('%j', async (list, message) => {
    await expect(migrate(store, list)).rejects.toThrow(new TypeError(message))
  })
})

describe('migrate when the connection is lost', () => {
  /** A store whose first batches that write fail, after they were applied or before. */
  const unreliable = (store: Store, { applied, times }: { applied: boolean; times: number }): Store => ({
    ...store,
    async batch(scope, statements) {
      if (!/^INSERT INTO driftline_migrations/.test(statements[0]?.sql ?? '') || times-- <= 0) {
        return store.batch(scope, statements)
      }
      if (applied) await store.batch(scope, statements)
      throw new StoreFault('transient', { message: 'connection lost' })
    },
  })

  for (const name of dialectStores) {
    it(`P13 finds what was applied, tries again what was not, and gives up in the end (${name})`, async () => {
      const { store, close } = await openEmpty(name)
      await migrate(unreliable(store, { applied: true, times: 1 }), migrations.slice(0, 1))
      expect(await migrate(unreliable(store, { applied: false, times: 2 }), migrations.slice(0, 2))).toEqual([
        '0002_add-b',
      ])
      await expect(migrate(unreliable(store, { applied: false, times: 3 }), migrations)).rejects.toThrow(
        'The migration 0003_fill did not come to its end; run it again: connection lost',
      )
      expect(await migrate(store, migrations)).toEqual(['0003_fill'])
      await close()
    })
  }

  it('fails with the fault of the store where the database is away', async () => {
    const fault = new StoreFault('transient', { message: 'away' })
    const store = { batch: () => Promise.reject(fault) } as unknown as Store
    await expect(migrate(store, migrations)).rejects.toBe(fault)
  })
})

it('needs no right to create tables where the database is up to date', async () => {
  const { store, close } = await openEmpty('postgres')
  await migrate(store, migrations)
  const seen: string[] = []
  const watched: Store = {
    ...store,
    batch: (scope, statements) => {
      seen.push(...statements.map(({ sql }) => sql))
      return store.batch(scope, statements)
    },
  }
  await migrate(watched, migrations)
  expect(seen).toEqual(['SELECT name FROM driftline_migrations'])
  await close()
})

for (const name of dialectStores) {
  it(`applies once where two processes start together, twice (${name})`, async () => {
    const { directory, drop } = await emptyDirectory()
    for (const dialect of ['postgres', 'sqlite']) {
      await mkdir(new URL(dialect, directory))
      for (const { name: file, statements } of migrations) {
        await writeFile(new URL(`${dialect}/${file}.sql`, directory), `${statements.join(';\n')};\n`)
      }
    }
    for (let round = 0; round < 2; round++) {
      const database = await openEmpty(name)
      const processes = [1, 2].map(() => startProcess(database.url, directory.href))
      await Promise.all(processes.map(({ ready }) => ready))
      const applied = await Promise.all(processes.map(({ go }) => go()))
      expect(applied.flat().toSorted()).toEqual([...names, ...ownNames])
      expect(Number((await database.run('SELECT count(*) FROM b'))[0]?.[0])).toBe(2)
      await database.close()
    }
    await drop()
  })
}

const ownNames = ownMigrations.postgres.map(({ name }) => name)

const compileCache = new URL('../../../src/runtime/node/compile-cache.js', import.meta.url).href

function startProcess(url: string, directory: string): { ready: Promise<unknown>; go: () => Promise<string[]> } {
  const script = new URL('migrate-process.ts', import.meta.url).pathname
  const child = spawn(process.execPath, ['--import', compileCache, script, url, directory], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  const ended = once(child, 'close')
  return {
    ready: Promise.race([once(child.stdout, 'data'), ended]),
    async go() {
      child.stdin.write('go\n')
      await ended
      return JSON.parse(output.replace('ready', ''))
    },
  }
}

describe('readMigrations', () => {
  it('reads the files of a dialect in the order of their numbers', async () => {
    const { directory, drop } = await emptyDirectory()
    await mkdir(new URL('sqlite', directory))
    await writeFile(new URL('sqlite/0010_b.sql', directory), 'b; c')
    await writeFile(new URL('sqlite/0002_a-1.sql', directory), '-- a\na;\n')
    await writeFile(new URL('sqlite/notes.txt', directory), '')
    expect(await readMigrations('sqlite', directory)).toEqual([
      ...ownMigrations.sqlite,
      { name: '0002_a-1', statements: ['a'] },
      { name: '0010_b', statements: ['b', 'c'] },
    ])
    expect(await readMigrations('postgres', directory)).toEqual(ownMigrations.postgres)
    await drop()
  })

  it.each([
    ['3_short.sql', 'a', 'migrations/sqlite/3_short.sql must be named like 0002_add-notes.sql'],
    ['0003_Case.sql', 'a', 'migrations/sqlite/0003_Case.sql must be named like 0002_add-notes.sql'],
    ['0003_a.sql', "a;\n'b", "migrations/sqlite/0003_a.sql: the ' in line 2 has no end"],
  ])('refuses %s that holds %j', async (file, sql, message) => {
    const { directory, drop } = await emptyDirectory()
    await mkdir(new URL('sqlite', directory))
    await writeFile(new URL(`sqlite/${file}`, directory), sql)
    await expect(readMigrations('sqlite', directory)).rejects.toThrow(new TypeError(message))
    await drop()
  })
})
