import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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
import { startPostgres } from '../../support/postgres.ts'
import { schema } from '../../support/schema.ts'
import { type Figure, inPairs, type Side, wallMs, within } from './measure.ts'
import { type App, driftline, headers, id, row } from './subject.ts'

const count = 5_000
const timesMax = 30
/** A constraint of the user's own, which a row breaks that takes what another has. */
const own = 'CREATE UNIQUE INDEX todos_notes ON todos (scope, notes)'
const kinds = [
  ['all of them refused', () => true],
  ['half of them refused', (n: number) => n % 2 === 1],
  ['one of them refused', (n: number) => n === count / 2],
] as const

/**
 * What one request of 5,000 changes costs where the database refuses some, against the same request
 * without a refusal.
 */
export async function refusalFigures(report: (figure: Figure) => void): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'driftline-bench-'))
  const postgres = await startPostgres()
  const gateway = await startNeonGateway(postgres.url)
  neonConfig.fetchEndpoint = () => gateway.fetchEndpoint
  const server = await startHranaServer(join(folder, 'http.db'))
  const objects = await startObjects([
    { name: '0001_bench', statements: createTables(schema, 'sqlite') },
    { name: '0002_own', statements: [own] },
  ])
  const at = { url: server.url, fetch: fetchWithin(60_000) }
  const slow = { batchMsMax: 60_000 }
  const stores: Record<string, () => Promise<Store> | Store> = {
    libSQL: () => libsqlFileStore(`file:${join(folder, 'file.db')}`, slow),
    'libSQL over HTTP': () => libsqlStore(at),
    Postgres: async () => postgresStore(await postgres.createDatabase(), slow),
    'Neon over HTTP': async () =>
      neonStore((await postgres.createDatabase()).replace('127.0.0.1', 'gateway.example'), slow),
    'a Durable Object': () => objects.store,
  }
  for (const [name, open] of Object.entries(stores)) {
    const store = await open()
    if (store !== objects.store) {
      const tables = createTables(schema, store.dialect.name)
      await migrate(store, [{ name: '0001_bench', statements: [...tables, own] }])
    }
    const app = driftline(store)
    // Whose notes all those take that are refused.
    await send(app, [put(count, 'taken')], { applied: 1 })
    for (const [kind, isBad] of kinds) {
      const costs = await inPairs(
        3,
        wallMs,
        side(app, isBad),
        side(app, () => false),
        1,
      )
      report(within(`${name}: ${count} changes, ${kind}, against none`, costs, timesMax))
    }
    const costs = await inPairs(3, wallMs, patches(app, count + 1), patches(app, 0), 1)
    report(within(`${name}: ${count} patches of missing rows, atomic, against those of rows`, costs, timesMax))
    if (store !== objects.store) await store.close()
  }
  await objects.close()
  await server.close()
  await gateway.close()
  await postgres.stop()
  await rm(folder, { recursive: true, force: true })
}

const start = (Date.now() - 3_600_000) * 1000
let stamps = 0

function put(n: number, notes: string): object {
  return { table: 'todos', op: 'put', id: id(n), at: start + ++stamps, row: { ...row(n), notes } }
}

function side(app: App, isBad: (n: number) => boolean): Side<object[]> {
  return {
    prepare: () => Array.from({ length: count }, (_, n) => put(n, isBad(n) ? 'taken' : `notes ${n}`)),
    run: (changes) => {
      const rejected = changes.filter((_, n) => isBad(n)).length
      return send(app, changes, { applied: count - rejected, rejected })
    },
  }
}

/** Atomic, of so many rows from this one on: the first of the missing ones is named. */
function patches(app: App, from: number): Side<object[]> {
  const patch = (n: number) => ({
    ...{ table: 'todos', op: 'patch', id: id(from + n), at: start + ++stamps },
    row: { title: `Title ${n}` },
  })
  return {
    prepare: () => Array.from({ length: count }, (_, n) => patch(n)),
    run: (changes) => send(app, changes, from === 0 ? { applied: count } : { atomic_rejected: 1 }, { atomic: true }),
  }
}

/** Throws where the answer is not the one that was to be measured. */
async function send(app: App, changes: readonly object[], expected: Record<string, number>, more: object = {}) {
  const body = JSON.stringify({ client: 'phone-7f3a', return: 'lost', changes, ...more })
  const response = await app.request('/v1/sync', {
    method: 'POST',
    headers: { ...headers, 'Content-Type': 'application/json' },
    body,
  })
  const answer = (await response.json()) as { verdicts?: { verdict: string }[]; code?: string }
  const got: Record<string, number> = {}
  for (const name of answer.verdicts?.map(({ verdict }) => verdict) ?? [String(answer.code)])
    got[name] = (got[name] ?? 0) + 1
  for (const [name, times] of Object.entries(expected))
    if ((got[name] ?? 0) !== times) throw new Error(`${JSON.stringify(got)}, and not ${JSON.stringify(expected)}`)
}
