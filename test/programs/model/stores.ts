/**
 * The stores of the model, each on a fresh database of its own, to be closed and opened again as a
 * restart does.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { migrate } from '../../../src/migrations/apply.ts'
import { createTables } from '../../../src/migrations/ddl.ts'
import { libsqlFileStore } from '../../../src/stores/libsql/file.ts'
import { fetchWithin, libsqlStore } from '../../../src/stores/libsql/http.ts'
import { neonConfig, neonStore } from '../../../src/stores/neon.ts'
import { postgresStore } from '../../../src/stores/postgres/pool.ts'
import type { Store } from '../../../src/stores/store.ts'
import { startHranaServer } from '../../support/hrana-server.ts'
import { startNeonGateway } from '../../support/neon-gateway.ts'
import { startObjects } from '../../support/objects.ts'
import { modelSchema as schema } from './tables.ts'

export const modelStores = ['libsql file', 'libsql http', 'postgres', 'neon', 'durable-object'] as const
export type ModelStoreName = (typeof modelStores)[number]

export interface ModelStore {
  open(): Promise<Store>
  /** Where a process of its own can open it. */
  readonly processUrl?: string
  /** A Postgres on which a rival can hold a row. */
  readonly rivalUrl?: string
  /** Whether each scope is a database of its own, which prunes itself. */
  readonly isPerScope: boolean
  close(): Promise<void>
}

/** @param postgresUrl gives a running Postgres, where the store needs one */
export async function openModelStore(
  name: ModelStoreName,
  postgresUrl: () => Promise<string> | string,
): Promise<ModelStore> {
  if (name === 'durable-object') {
    const objects = await startObjects([{ name: '0001_test', statements: createTables(schema, 'sqlite') }])
    return { open: async () => objects.store, isPerScope: true, close: objects.close }
  }
  if (name === 'libsql file' || name === 'libsql http') {
    const folder = await mkdtemp(join(tmpdir(), 'driftline-model-'))
    const drop = () => rm(folder, { recursive: true, force: true })
    const path = join(folder, 'model.db')
    if (name === 'libsql file')
      return migrated({
        open: () => libsqlFileStore(`file:${path}`),
        processUrl: `file:${path}`,
        isPerScope: false,
        close: drop,
      })
    const server = await startHranaServer(path)
    const open = async () => libsqlStore({ url: server.url, fetch: fetchWithin(10_000) })
    const close = async () => {
      await server.close()
      await drop()
    }
    return migrated({ open, isPerScope: false, close })
  }
  const server = await postgresUrl()
  const url = await createDatabase(server)
  if (name === 'postgres') {
    return migrated({
      open: async () => postgresStore(url),
      processUrl: url,
      rivalUrl: url,
      isPerScope: false,
      close: async () => {},
    })
  }
  const gateway = await startNeonGateway(server)
  neonConfig.fetchEndpoint = () => gateway.fetchEndpoint
  const open = async () => neonStore(url.replace('127.0.0.1', 'gateway.example'))
  return migrated({ open, rivalUrl: url, isPerScope: false, close: async () => gateway.close() })
}

async function migrated(opened: ModelStore): Promise<ModelStore> {
  const store = await opened.open()
  await migrate(store, [{ name: '0001_test', statements: createTables(schema, store.dialect.name) }])
  await store.close()
  return opened
}

async function createDatabase(server: string): Promise<string> {
  const name = `model_${crypto.randomUUID().replaceAll('-', '')}`
  const client = new pg.Client({ connectionString: server })
  await client.connect()
  await client.query(`CREATE DATABASE ${name} STRATEGY FILE_COPY`)
  await client.end()
  return Object.assign(new URL(server), { pathname: `/${name}` }).href
}
