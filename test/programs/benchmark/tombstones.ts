import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { signToken } from '../../../src/runtime/sign-token.ts'
import { libsqlFileStore } from '../../../src/stores/libsql/file.ts'
import { postgresStore } from '../../../src/stores/postgres/pool.ts'
import type { Store } from '../../../src/stores/store.ts'
import { startPostgres } from '../../support/postgres.ts'
import { startServer } from '../../support/server.ts'
import type { Figure } from './measure.ts'
import { benchSecret, createTablesIn, id, row } from './subject.ts'
import { percentile, told } from './times.ts'

const tombstones = 300_000
const readers = 32
const live = 100
/** How long the other scope is watched, how often: the machine's disk may stand still once. */
const watchedMs = 3_000
const times = 5
const msMax = 500

/**
 * How long the syncs of a scope take while 32 clients bootstrap another one again and again, in
 * which 300,000 tombstones lie before 100 rows: whoever is granted a scope can fill it so.
 */
export async function tombstoneFigures(report: (figure: Figure) => void): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'driftline-bench-'))
  const file = `file:${join(folder, 'a.db')}`
  report(await figureOf('libSQL', file, await libsqlFileStore(file)))
  await rm(folder, { recursive: true, force: true })
  const postgres = await startPostgres()
  try {
    report(await figureOf('Postgres', postgres.url, postgresStore(postgres.url)))
  } finally {
    await postgres.stop()
  }
}

async function figureOf(name: string, url: string, store: Store): Promise<Figure> {
  await createTablesIn(store)
  for (const sql of fillings(store.dialect.name)) await store.batch('', [{ sql, params: [] }])
  await store.close()
  const server = await startServer({ DATABASE_URL: url, AUTH_SECRET: benchSecret, LOG: 'off' })
  try {
    const alone = await syncs(server.url, watchedMs)
    const token = await signToken(benchSecret, { sub: 'full' })
    const load = new Worker(new URL('./tombstones-load.ts', import.meta.url), {
      workerData: { url: server.url, token, readers, live },
    })
    let bootstraps = 0
    load.on('message', () => bootstraps++)
    load.on('error', (error) => {
      throw error
    })
    await sleep(1_000)
    const beside: number[][] = []
    for (let time = 0; time < times; time++) beside.push(await syncs(server.url, watchedMs))
    await load.terminate()
    return {
      name: `${name}: ms that a sync takes (p99) while ${readers} clients bootstrap a scope of ${tombstones.toLocaleString('en')} tombstones`,
      ours: `${told(beside.flat())}, ${bootstraps} bootstraps`,
      theirs: `alone ${told(alone)}`,
      ratios: beside.map((took) => percentile(took, 0.99)),
      target: msMax,
      sense: 'at most',
    }
  } finally {
    await server.stop()
  }
}

/** How long each takes: one row sent, and what is new asked for. */
async function syncs(url: string, ms: number): Promise<number[]> {
  const headers = {
    Authorization: `Bearer ${await signToken(benchSecret, { sub: 'calm' })}`,
    'Content-Type': 'application/json',
  }
  const took: number[] = []
  let cursor: string | null = null
  for (const until = performance.now() + ms; performance.now() < until; ) {
    const n = took.length
    const change = { table: 'todos', op: 'put', id: id(n % 100), at: Date.now() * 1000, row: row(n) }
    const body: string = JSON.stringify({ client: 'phone', cursor, changes: [change] })
    const began = performance.now()
    const answer: Response = await fetch(`${url}/v1/sync`, { method: 'POST', headers, body })
    const text: string = await answer.text()
    took.push(performance.now() - began)
    if (answer.status !== 200) throw new Error(text.slice(0, 300))
    cursor = JSON.parse(text).cursor
    await sleep(5)
  }
  return took
}

function fillings(dialect: Store['dialect']['name']): string[] {
  const total = tombstones + live
  const [from, scopeRow, text, no, yes] =
    dialect === 'sqlite'
      ? [
          `WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ${total}) SELECT`,
          'SELECT',
          `format('%012d', n)`,
          '0',
          '1',
        ]
      : ['SELECT', 'SELECT', `lpad(n::text, 12, '0')`, 'false', 'true']
  const source = dialect === 'sqlite' ? 'FROM n' : `FROM generate_series(1, ${total}) AS n`
  const isDead = `n <= ${tombstones}`
  return [
    `INSERT INTO driftline_scopes (scope, incarnation, position, watermark, row_bytes) ${scopeRow} 'full', 'bench', ${total}, 0, 300`,
    `INSERT INTO todos (scope, id, updated_at, updated_by, deleted, position, created_position, title, done, priority)
${from} 'full', '0193f0a0-7c4e-7d7e-9f3a-' || ${text}, 1000000000000000 + n, 'phone-7f3a', CASE WHEN ${isDead} THEN ${yes} ELSE ${no} END, n, n,
CASE WHEN NOT ${isDead} THEN 'Buy milk' END, CASE WHEN NOT ${isDead} THEN ${no} END, CASE WHEN NOT ${isDead} THEN 1 END ${source}`,
  ]
}
