import { join } from 'node:path'
import pg from 'pg'
import { inject, it } from 'vitest'
import { migrate } from '../../src/migrations/apply.ts'
import { createTables } from '../../src/migrations/ddl.ts'
import { splitStatements } from '../../src/migrations/split.ts'
import type { Schema } from '../../src/model/table.ts'
import { libsqlFileStore } from '../../src/stores/libsql/file.ts'
import { fetchWithin, libsqlStore } from '../../src/stores/libsql/http.ts'
import { neonConfig, neonStore } from '../../src/stores/neon.ts'
import { postgresStore } from '../../src/stores/postgres/pool.ts'
import type { Store } from '../../src/stores/store.ts'
import { startHranaServer } from './hrana-server.ts'
import { startNeonGateway } from './neon-gateway.ts'
import { onceInRun } from './once.ts'
import { schema as sample } from './schema.ts'
import { temporaryFolder } from './temporary.ts'
import { startTurnProxy } from './turn-proxy.ts'

export { temporaryFolder }

/** A store on a fresh database that holds the tables of a schema. */
export interface TestStore {
  readonly store: Store
  readonly url: string
  /** Round trips to the database so far, where the store can tell. */
  roundTrips(): number
  /** Takes the database away; what it gives brings it back. */
  away?(): Promise<() => Promise<void>>
  close(): Promise<void>
}

export type StoreName = 'libsql file' | 'libsql http' | 'postgres' | 'neon'
/** One store for each dialect, for tests that need no more. */
export const dialectStores: readonly StoreName[] = ['libsql file', 'postgres']
/** `npm run test:quick` asks these alone. */
export const isQuick = process.env.TEST_QUICK !== undefined
/** Those of a list that this run asks. */
export const inThisRun = <const Name extends string>(names: readonly Name[]): readonly Name[] =>
  names.filter((name) => !isQuick || dialectStores.some((store) => store === name))
export const storeNames: readonly StoreName[] = inThisRun(['libsql file', 'libsql http', 'postgres', 'neon'])
/** These, and those that are in workerd and migrate themselves. */
export const allStoreNames = inThisRun([...storeNames, 'durable-object', 'd1'])

/** One of each dialect: objects spell some of SQLite's statements in their own way. */
export const isSpelled = (name: string): boolean => [...dialectStores, 'durable-object'].includes(name)
/**
 * In a suite over all stores, an `it` of what SQL decides, which is tried on one store of each
 * dialect. What a store itself may keep or break is for `it`: atomic, in order, round trips, faults,
 * limits.
 */
export const itOfDialects = (name: string): ((title: string, work: () => unknown, msMax?: number) => void) =>
  isSpelled(name) ? it : () => {}

/** `own` is SQL of the user's own, which a second migration brings. */
export async function openTestStore(
  name: (typeof allStoreNames)[number],
  schema: Schema = sample,
  own: { readonly postgres: string; readonly sqlite: string } = { postgres: '', sqlite: '' },
): Promise<TestStore> {
  const migrations = (dialect: 'postgres' | 'sqlite') => [
    { name: '0001_test', statements: createTables(schema, dialect) },
    ...(own[dialect] === '' ? [] : [{ name: '0002_own', statements: splitStatements(own[dialect], dialect) }]),
  ]
  // What starts workerd takes a second to load, and most files need none of it.
  if (name === 'durable-object') {
    const { shareObjects, startObjects } = await import('./objects.ts')
    // Most suites ask for the sample; the workerd of any other schema ends with its suite.
    return (schema === sample && own.sqlite === '' ? shareObjects : startObjects)(migrations('sqlite'))
  }
  if (name === 'd1') return (await import('./d1.ts')).openTestD1(migrations('sqlite'), schema)
  const isPostgres = name === 'postgres' || name === 'neon'
  // A copy of tables costs a third of what making them does.
  if (isPostgres && schema === sample && own.postgres === '') return openEmptyStore(name, createSampleDatabase)
  const opened = await openEmptyStore(name)
  await migrate(opened.store, migrations(opened.store.dialect.name))
  return opened
}

const sampleName = 'driftline_sample'

/** A database with the tables of the sample, which is a copy. Nobody is connected to the first one. */
export async function createSampleDatabase(): Promise<string> {
  await onceInRun(sampleName, async () => {
    const store = postgresStore(await createDatabase({ name: sampleName }))
    await migrate(store, [{ name: '0001_test', statements: createTables(sample, 'postgres') }])
    await store.close()
  })
  return createDatabase({ template: sampleName })
}

/** A store on a fresh database without a table, or on a copy of one. */
export async function openEmptyStore(
  name: StoreName,
  create: () => Promise<string> = createDatabase,
): Promise<TestStore> {
  if (name === 'libsql file') {
    const { folder, drop } = await temporaryFolder()
    const url = `file:${join(folder, 'test.db')}`
    const store = await libsqlFileStore(url)
    return { store, url, roundTrips: () => Number.NaN, close: () => closeAll(store.close, drop) }
  }
  if (name === 'libsql http') {
    const { folder, drop } = await temporaryFolder()
    const server = await startHranaServer(join(folder, 'test.db'))
    const proxy = await startTurnProxy(portOf(server.url))
    const at = { url: through(server.url, proxy.port), fetch: fetchWithin(10_000) }
    const store = libsqlStore(at)
    const close = () => closeAll(store.close, proxy.close, server.close, drop)
    return { store, url: server.url, roundTrips: () => server.requests, away: proxy.cut, close }
  }
  const url = await create()
  if (name === 'postgres') {
    const proxy = await startTurnProxy(portOf(url))
    const store = postgresStore(through(url, proxy.port))
    const close = () => closeAll(store.close, proxy.close)
    return { store, url, roundTrips: () => proxy.turns, away: proxy.cut, close }
  }
  const gateway = await startNeonGateway(inject('postgresUrl'))
  const proxy = await startTurnProxy(portOf(gateway.fetchEndpoint))
  neonConfig.fetchEndpoint = () => through(gateway.fetchEndpoint, proxy.port)
  const store = neonStore(url.replace('127.0.0.1', 'gateway.example'))
  const close = () => closeAll(store.close, proxy.close, gateway.close)
  return { store, url, roundTrips: () => gateway.requests, away: proxy.cut, close }
}

let admin: Promise<pg.Client> | undefined
/** One after the other: a connection takes no second statement before the first is answered. */
let lastMade: Promise<unknown> = Promise.resolve()

/** One connection for all databases that a process makes: each costs more than making a database. */
async function connectAdmin(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: inject('postgresUrl') })
  client.on('error', () => {}) // at the end of the run
  await client.connect()
  return client
}

/** A fresh database in the run's Postgres, or a copy of one. */
export async function createDatabase({
  name = `test_${crypto.randomUUID().replaceAll('-', '')}`,
  template = 'template1',
} = {}): Promise<string> {
  admin ??= connectAdmin()
  const sql = `CREATE DATABASE ${name} TEMPLATE ${template} STRATEGY FILE_COPY`
  const made = Promise.all([admin, lastMade]).then(([client]) => client.query(sql))
  lastMade = made.catch(() => {})
  await made
  const url = new URL(inject('postgresUrl'))
  url.pathname = `/${name}`
  return url.href
}

const portOf = (url: string) => Number(new URL(url).port)
function through(url: string, port: number): string {
  const other = new URL(url)
  other.port = String(port)
  return other.href
}

async function closeAll(...closings: (() => unknown)[]): Promise<void> {
  for (const close of closings) await close()
}
