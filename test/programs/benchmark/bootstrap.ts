import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'libsql'
import pg from 'pg'
import { libsqlFileStore } from '../../../src/stores/libsql/file.ts'
import { postgresStore } from '../../../src/stores/postgres/pool.ts'
import { startPostgres } from '../../support/postgres.ts'
import { startServer } from '../../support/server.ts'
import { type Figure, inPairs, median, wallMs } from './measure.ts'
import { growthFigure, peakBytes, residentBytes } from './memory.ts'
import { type App, benchSecret, createTablesIn, driftline, headers } from './subject.ts'

const rows = 1_000_000
/** Rows a second that are enough on any machine. */
const enough = 150_000
const columns = 'id, updated_at, updated_by, deleted, position, title, done, priority, notes, amount, list_id'

/**
 * The first pull of a million rows as a stream, read to its end, against the raw rows of the same
 * columns in the same order, as the engine's own driver hands them out one by one. And how much the
 * process grows meanwhile.
 */
export async function bootstrapFigures(report: (figure: Figure) => void): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'driftline-bench-'))
  const path = join(folder, 'a.db')
  const store = await libsqlFileStore(`file:${path}`)
  await createTablesIn(store)
  const n = `WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < ${rows - 1})`
  for (const sql of [scopeOf(rows), `${n} ${fill("format('%012d', n)", 'n % 3 = 0', 'n % 2', '0')} FROM n`])
    await store.batch('', [{ sql, params: [] }])
  const raw = new Database(path)
  const all = raw
    .prepare(`SELECT ${columns} FROM todos WHERE scope = ? AND position > ? AND NOT deleted ORDER BY position`)
    .raw(true)
  const engine = {
    prepare: () => {},
    run: async () => {
      let count = 0
      for (const _ of all.iterate('alice', 0)) count++
      if (count !== rows) throw new Error(`the engine gave ${count} rows`)
    },
  }
  const app = driftline(store)
  const costs = await inPairs(5, wallMs, { prepare: () => {}, run: () => stream(app, 'identity') }, engine, 1)
  report({
    name: 'libSQL: a bootstrap of 1 million rows against their raw rows',
    ours: rate(costs.ours),
    theirs: rate(costs.theirs),
    ratios: costs.ours.map((ms, pair) => (costs.theirs[pair] ?? 0) / ms),
    target: Math.min(0.5, (enough * median(costs.theirs)) / 1000 / rows),
    sense: 'at least',
  })
  raw.close()
  await store.close()
  for (const encoding of ['identity', 'gzip']) report(await memoryFigure('libSQL', `file:${path}`, encoding))
  await rm(folder, { recursive: true, force: true })
  await postgresFigure(report)
}

/**
 * By how much a server grows that streams a million rows as the first thing it does, and how fast
 * they come.
 */
async function memoryFigure(name: string, url: string, encoding: string): Promise<Figure> {
  const server = await startServer({ DATABASE_URL: url, AUTH_SECRET: benchSecret, LOG: 'off' })
  const pid = server.process.pid ?? 0
  const app = { request: (path: string, init: RequestInit) => fetch(server.url + path, init) }
  await (await app.request('/v1/pull?limit=10', { headers })).text()
  const before = await residentBytes(pid)
  const cost = await wallMs(() => stream(app, encoding))
  const grown = (await peakBytes(pid)) - before
  await server.stop()
  return growthFigure(
    `${name}: MB that a server grows while it streams 1 million rows, ${encoding}`,
    grown,
    rate([cost]),
  )
}

async function postgresFigure(report: (figure: Figure) => void): Promise<void> {
  const postgres = await startPostgres()
  const url = await postgres.createDatabase()
  const store = postgresStore(url)
  await createTablesIn(store)
  const pool = new pg.Pool({ connectionString: url })
  await pool.query(scopeOf(rows))
  await pool.query(
    `${fill("lpad(n::text, 12, '0')", 'n % 3 = 0', 'n % 2 = 1', 'false')} FROM generate_series(0, ${rows - 1}) AS n`,
  )
  await pool.query('VACUUM ANALYZE todos')
  report(await memoryFigure('Postgres', url, 'identity'))
  await Promise.all([store.close(), pool.end()])
  await postgres.stop()
}

const rate = (costs: readonly number[]) => `${Math.round(rows / median(costs))}k rows/s`

/** Reads a stream to its end, as fast as it comes. */
async function stream(app: App, encoding: string): Promise<void> {
  const asked = { ...headers, Accept: 'application/x-ndjson', 'Accept-Encoding': encoding }
  const response = await app.request('/v1/pull', { headers: asked })
  let bytes = 0
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) bytes += chunk.length
  if (bytes < rows * 200) throw new Error(`the stream has ${bytes} bytes`)
}

const scopeOf = (count: number) =>
  `INSERT INTO driftline_scopes (scope, incarnation, position, watermark, row_bytes) VALUES ('alice', 'bench', ${count}, 0, 300)`

function fill(padded: string, done: string, noted: string, alive: string): string {
  return `INSERT INTO todos SELECT 'alice', '0193f0a0-7c4e-7d7e-9f3a-' || ${padded}, 1000000000000000 + n, 'phone-7f3a', ${alive}, n + 1, n + 1,
'Buy ' || n || ' litres of milk, not skimmed', ${done}, n % 5, CASE WHEN ${noted} THEN 'from the shop at the corner' END, (n % 10000 + 1) / 100.0, 'a1b2c3d4'`
}
