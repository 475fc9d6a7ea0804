import { createHash } from 'node:crypto'
import { cp, mkdir, writeFile } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { migrate } from '../../../src/migrations/apply.ts'
import { check } from '../../../src/migrations/check.ts'
import { generate } from '../../../src/migrations/generate.ts'
import { isOwn, ownMigrations } from '../../../src/migrations/own.ts'
import { readMigrations } from '../../../src/migrations/read.ts'
import { createSync } from '../../../src/sync/create-sync.ts'
import { firstProject, sampleMigrations } from '../../support/migrations.ts'
import { principal, put } from '../../support/sample.ts'
import { schema } from '../../support/schema.ts'
import { dialectStores, temporaryFolder } from '../../support/stores.ts'
import { openEmpty } from './databases.ts'

const alice = principal('alice')

describe("driftline's own migrations", () => {
  it('stay as they were published, byte for byte', () => {
    const hashes = Object.values(ownMigrations)
      .flat()
      .map(({ name, statements }) => [
        name,
        createHash('sha256').update(statements.join(';\n')).digest('hex').slice(0, 16),
      ])
    expect(hashes).toEqual([
      ['driftline/0001_tables', '27c4ebce2196f966'],
      ['driftline/0002_adds', '811955b56e716b7c'],
      ['driftline/0001_tables', '08500b71c4c6e53a'],
      ['driftline/0002_adds', '3a828bbfcaa9d567'],
    ])
  })
})

describe.each(dialectStores)('a project of before there were two streams, on %s', (name) => {
  let directory: URL
  let drop: () => Promise<void>
  beforeEach(async () => {
    const { folder, drop: dropFolder } = await temporaryFolder()
    drop = dropFolder
    directory = pathToFileURL(`${folder}/migrations/`)
    await cp(firstProject, directory, { recursive: true })
    // What such a project has added by itself, with the next number.
    for (const [dialect, type] of [
      ['postgres', 'text'],
      ['sqlite', 'TEXT'],
    ])
      await writeFile(
        new URL(`${dialect}/0006_add-colour.sql`, directory),
        `ALTER TABLE "todos" ADD COLUMN colour ${type};\n`,
      )
  })
  afterEach(() => drop())

  it('P2 P3 is upgraded without a migration renumbered, a row or a position changed', async () => {
    const database = await openEmpty(name)
    const { store } = database
    const before = (await readMigrations(store.dialect.name, directory)).filter((one) => !isOwn(one.name))
    expect((await migrate(store, before)).length).toBe(6)
    const sync = createSync({ schema, store })
    const { cursor } = await sync.sync(alice, {
      client: 'a',
      changes: [put('1', 0, 'one'), put('2', 0, 'two')],
      cursor: null,
    })
    const look = async () => [
      await database.run('SELECT scope, incarnation, position, watermark, row_bytes FROM driftline_scopes'),
      await database.run('SELECT * FROM todos ORDER BY id'),
    ]
    const stored = await look()
    expect(stored[1]).toHaveLength(2)

    expect(await migrate(store, await readMigrations(store.dialect.name, directory))).toEqual([
      'driftline/0001_tables',
      'driftline/0002_adds',
    ])
    expect(await look()).toEqual(stored)
    expect(await check(store, schema)).toEqual([])
    expect((await sync.pull(alice, { cursor: cursor as string })).changes).toEqual([])
    // What comes next has the next number of the app's.
    expect(await migrate(store, await readMigrations(store.dialect.name, directory))).toEqual([])
    // And the folder of this version, whose first migration has the same name, fits the same
    // database.
    expect(await migrate(store, await readMigrations(store.dialect.name, sampleMigrations))).toEqual([])
    await database.close()
  })

  it('begins a new database with its old folder, whose migrations make what driftline’s own would', async () => {
    const database = await openEmpty(name)
    const { store } = database
    const names = await migrate(store, await readMigrations(store.dialect.name, directory))
    expect(names).toEqual([
      '0001_init',
      '0002_marks',
      '0003_inbox',
      '0004_deliveries',
      '0005_disabled-lines',
      'driftline/0001_tables',
      'driftline/0002_adds',
      '0006_add-colour',
    ])
    expect(await check(store, schema)).toEqual([])
    await database.close()
  })
})

it.each(dialectStores)(
  'P2 P3 a project of before columns merged is upgraded, no row or position changed, on %s',
  async (name) => {
    const database = await openEmpty(name)
    const { store } = database
    const all = await readMigrations(store.dialect.name, sampleMigrations)
    const before = all.filter((one) => one.name !== 'driftline/0002_adds')
    expect(await migrate(store, before)).toEqual(['driftline/0001_tables', '0001_init'])
    const sync = createSync({ schema, store })
    const changes = [put('1', 0, 'one'), put('2', 0, 'two')]
    const { cursor } = await sync.sync(alice, { client: 'a', changes, cursor: null })
    const look = () => database.run('SELECT * FROM todos ORDER BY id')
    const stored = await look()
    expect(await migrate(store, all)).toEqual(['driftline/0002_adds'])
    expect(await look()).toEqual(stored)
    expect((await database.run('SELECT adds_floor FROM driftline_scopes')).map(([floor]) => Number(floor))).toEqual([0])
    expect(await check(store, schema)).toEqual([])
    expect((await sync.pull(alice, { cursor: cursor as string })).changes).toEqual([])
    await database.close()
  },
)

it('a new project numbers its own migrations from 0001, and driftline’s come before them', async () => {
  const { folder, drop } = await temporaryFolder()
  const directory = pathToFileURL(`${folder}/migrations/`)
  await mkdir(directory)
  await generate(schema, { name: 'init', directory })
  for (const name of dialectStores) {
    const database = await openEmpty(name)
    const names = await migrate(database.store, await readMigrations(database.store.dialect.name, directory))
    expect(names).toEqual(['driftline/0001_tables', 'driftline/0002_adds', '0001_init'])
    expect(await check(database.store, schema)).toEqual([])
    await database.close()
  }
  await drop()
})
