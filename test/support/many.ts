import { join } from 'node:path'
import pg from 'pg'
import { migrate } from '../../src/migrations/apply.ts'
import { createTables } from '../../src/migrations/ddl.ts'
import { type Databases, findDatabases } from '../../src/runtime/node/databases.ts'
import type { Store } from '../../src/stores/store.ts'
import { principal, put, sampleSync } from './sample.ts'
import { schema } from './schema.ts'
import { createDatabase, createSampleDatabase, temporaryFolder } from './stores.ts'

/** A store that is more than one database. */
export interface ManyStore {
  readonly store: Store
  readonly url: string
  roundTrips(): number
  close(): Promise<void>
}

const migrations = (dialect: 'postgres' | 'sqlite') => [
  { name: '0001_test', statements: createTables(schema, dialect) },
]

export async function openFilePerScope(): Promise<ManyStore & { readonly folder: string }> {
  const { folder, drop } = await temporaryFolder()
  const url = `file:${join(folder, '{scope}.db')}`
  const store = await findDatabases(url, schema).open(migrations('sqlite'))
  return {
    store,
    url,
    folder,
    roundTrips: () => Number.NaN,
    async close() {
      await store.close()
      await drop()
    },
  }
}

export async function openShards(count: number): Promise<ManyStore & { readonly urls: readonly string[] }> {
  const urls = await createMigrated(count)
  const store = await openUrls(urls)
  return { store, url: urls.join(' '), urls, roundTrips: () => Number.NaN, close: () => store.close() }
}

/** Shards as `npm start` opens them, with the sample's tables. */
export async function openUrls(urls: readonly string[]): Promise<Store> {
  const databases = findDatabases(urls.join(' '), schema)
  if (!urls.every((url) => migrated.has(url))) await migrateAll(databases)
  return databases.open([])
}

const migrated = new Set<string>()

/** Databases with the sample's tables, which belong to no shards yet. */
export async function createMigrated(count: number): Promise<string[]> {
  const urls = await Promise.all(Array.from({ length: count }, () => createSampleDatabase()))
  for (const url of urls) migrated.add(url)
  return urls
}

export async function migrateAll(databases: Databases): Promise<void> {
  for (const { open } of await databases.list()) {
    const store = await open()
    await migrate(store, migrations(databases.dialect))
    await store.close()
  }
}

/** Empty databases. */
export function create(count: number): Promise<string[]> {
  return Promise.all(Array.from({ length: count }, () => createDatabase()))
}

export function push(store: Store, scope: string, id = 'a') {
  return sampleSync(store).push(principal(scope), { client: 'a', changes: [put(id, 0, scope)] })
}

export async function idsOf(store: Store, scope: string): Promise<string[]> {
  return (await sampleSync(store).pull(principal(scope))).changes.map(({ id }) => id)
}

/** Connections of `query`, the oldest first: a new one costs Postgres more than what it is asked. */
const clients = new Map<string, Promise<pg.Client>>()
const clientsMax = 4

/** Asks one database past driftline. */
export async function query(url: string, sql: string): Promise<unknown[][]> {
  const client = clients.get(url) ?? connect(url)
  clients.delete(url)
  clients.set(url, client)
  client.catch(() => clients.delete(url))
  for (const [oldest] of [...clients].slice(0, -clientsMax)) {
    const closed = clients.get(oldest)
    clients.delete(oldest)
    await closed?.then((one) => one.end())
  }
  return (await (await client).query({ text: sql, rowMode: 'array' })).rows
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => clients.delete(url))
  await client.connect()
  return client
}

/** The scopes that one database holds. */
export async function scopesIn(url: string): Promise<unknown[]> {
  return (await query(url, 'SELECT scope FROM driftline_scopes ORDER BY 1')).flat()
}
