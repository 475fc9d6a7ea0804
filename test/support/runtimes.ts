import { inject } from 'vitest'
import { migrate } from '../../src/migrations/apply.ts'
import { readMigrations } from '../../src/migrations/read.ts'
import { openStore } from '../../src/stores/open.ts'
import { startHranaServer } from './hrana-server.ts'
import { sampleMigrations } from './migrations.ts'
import { startNeonGateway } from './neon-gateway.ts'
import { settings } from './requests.ts'
import { startServer, testSecret } from './server.ts'
import { createDatabase, temporaryFolder } from './stores.ts'
import { localD1, startTestWorker, startWorker } from './worker.ts'

/** driftline somewhere, over a fresh database. */
export interface Runtime {
  readonly url: string
  close(): Promise<void>
}

/** What wrangler.toml gives the worker beside a database. */
const likeOurs = {
  durable_objects: { bindings: [{ name: 'LIVE', class_name: 'LiveObject' }] },
  migrations: [{ tag: 'v1', new_sqlite_classes: ['LiveObject'] }],
  assets: {
    directory: 'test/support/project/public',
    binding: 'ASSETS',
    run_worker_first: true,
    html_handling: 'none',
  },
}

/** Everywhere it runs, each with the stores that it has there. */
export const runtimes: Readonly<Record<string, () => Promise<Runtime>>> = {
  'Node with libSQL in a file': async () => {
    const { folder, drop } = await temporaryFolder()
    const server = await startServer({ DATABASE_URL: `file:${folder}/a.db`, ...settings })
    return { url: server.url, close: () => server.stop().then(drop) }
  },
  'Node with Postgres': async () => {
    const server = await startServer({ DATABASE_URL: await createDatabase(), ...settings })
    return { url: server.url, close: () => server.stop().then(() => {}) }
  },
  'workerd with Durable Objects': async () => {
    const worker = await startWorker({ ...settings })
    return { url: worker.url.origin, close: () => worker.close() }
  },
  'workerd with D1': async () => {
    const worker = await startWorker({ ...settings }, localD1)
    return { url: worker.url.origin, close: () => worker.close() }
  },
  'workerd with libSQL over HTTP': async () => {
    const { folder, drop } = await temporaryFolder()
    const database = await startHranaServer(`${folder}/a.db`)
    await migrateAt(database.url)
    const worker = await startWorker({ DATABASE_URL: database.url, ...settings })
    return { url: worker.url.origin, close: () => worker.close().then(database.close).then(drop) }
  },
  'workerd with Neon': async () => {
    const url = await createDatabase()
    await migrateAt(url)
    const gateway = await startNeonGateway(inject('postgresUrl'))
    const atNeon = new URL(url)
    atNeon.hostname = 'ep-test.neon.tech'
    const vars = {
      AUTH_SECRET: testSecret,
      DATABASE_URL: atNeon.href,
      NEON_ENDPOINT: gateway.fetchEndpoint,
      ...settings,
    }
    const worker = await startTestWorker('neon', vars, likeOurs)
    return { url: worker.url.origin, close: () => worker.close().then(gateway.close) }
  },
  'workerd with Postgres behind Hyperdrive': async () => {
    const url = await createDatabase()
    await migrateAt(url)
    // wrangler wants a password, and this Postgres asks for none.
    const localConnectionString = url.replace('postgres@', 'postgres:any@')
    const hyperdrive = [{ binding: 'HYPERDRIVE', id: 'local', localConnectionString }]
    const worker = await startWorker({ ...settings }, { ...likeOurs, hyperdrive })
    return { url: worker.url.origin, close: () => worker.close() }
  },
}

export async function migrateAt(url: string): Promise<void> {
  const store = await openStore(url)
  await migrate(store, await readMigrations(store.dialect.name, sampleMigrations))
  await store.close()
}
