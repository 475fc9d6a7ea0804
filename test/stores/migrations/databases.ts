import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { inject } from 'vitest'
import type { Cells } from '../../../src/sql/statement.ts'
import { fetchWithin, libsqlStore } from '../../../src/stores/libsql/http.ts'
import { neonConfig, neonStore } from '../../../src/stores/neon.ts'
import { openStore } from '../../../src/stores/open.ts'
import type { Store } from '../../../src/stores/store.ts'
import { startHranaServer } from '../../support/hrana-server.ts'
import { startNeonGateway } from '../../support/neon-gateway.ts'
import { createDatabase, type StoreName, temporaryFolder } from '../../support/stores.ts'

/** An empty database, and stores of it as several processes would open them. */
export interface EmptyDatabase {
  readonly store: Store
  /** For `openStore`, in this process or another. */
  readonly url: string
  open(): Promise<Store>
  /** Runs one statement. */
  run(sql: string): Promise<readonly Cells[]>
  /**
   * Takes away all that is in it: for Postgres a tenth of what another database costs. Where it
   * cannot, false.
   */
  empty(): Promise<boolean>
  close(): Promise<void>
}

export async function openEmpty(name: StoreName): Promise<EmptyDatabase> {
  const { url, open, drop } = await start(name)
  const opened: Store[] = []
  const openOne = async () => {
    const store = await open()
    opened.push(store)
    return store
  }
  const store = await openOne()
  return {
    store,
    url,
    open: openOne,
    run: async (sql) => (await store.batch('', [{ sql, params: [] }]))[0] ?? [],
    async empty() {
      if (store.dialect.name !== 'postgres') return false
      const statements = ['DROP SCHEMA public CASCADE', 'CREATE SCHEMA public']
      await store.batch(
        '',
        statements.map((sql) => ({ sql, params: [] })),
      )
      return true
    },
    async close() {
      for (const one of opened) await one.close()
      await drop()
    },
  }
}

async function start(
  name: StoreName,
): Promise<{ url: string; open: () => Promise<Store> | Store; drop: () => Promise<void> }> {
  if (name === 'postgres' || name === 'neon') {
    const url = await createDatabase()
    if (name === 'postgres') return { url, open: () => openStore(url), drop: async () => {} }
    const gateway = await startNeonGateway(inject('postgresUrl'))
    neonConfig.fetchEndpoint = () => gateway.fetchEndpoint
    return { url, open: () => neonStore(url.replace('127.0.0.1', 'gateway.example')), drop: () => gateway.close() }
  }
  const { folder, drop } = await temporaryFolder()
  const file = join(folder, 'test.db')
  if (name === 'libsql file') return { url: `file:${file}`, open: () => openStore(`file:${file}`), drop }
  const server = await startHranaServer(file)
  return {
    url: server.url,
    open: () => libsqlStore({ url: server.url, fetch: fetchWithin(10_000) }),
    async drop() {
      await server.close()
      await drop()
    },
  }
}

/** An empty folder as the URL of a migrations directory. */
export async function emptyDirectory(): Promise<{ directory: URL; drop: () => Promise<void> }> {
  const { folder, drop } = await temporaryFolder()
  return { directory: pathToFileURL(`${folder}/`), drop }
}
