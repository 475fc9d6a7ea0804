import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'libsql'
import pg from 'pg'
import { nodeGzip } from '../../src/node-gzip.ts'
import { libsqlFileStore } from '../../src/stores/libsql-file.ts'
import { postgresStore } from '../../src/stores/postgres.ts'
import { startPostgres } from '../support/postgres.ts'
import { type Figure, inPairs, median, wallMs } from './measure.ts'
import { type App, createTablesIn, driftline, headers } from './subject.ts'

const rows = 1_000_000
/** Rows a second that are enough on any machine. */
const enough = 150_000
const columns = 'id, updated_at, updated_by, deleted, position, title, done, priority, notes, amount, list_id'

/**
 * The first pull of a million rows as a stream, read to its end, against the raw rows of the same columns in the same
 * order, as the engine's own driver hands them out one by one. And how much the process grows meanwhile.
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
  const app = driftline(store, nodeGzip)
  report(await memoryFigure('libSQL', app, 'identity'))
  const costs = await inPairs(5, wallMs, { prepare: () => {}, run: () => stream(app, 'identity') }, engine, 1)
  report({
    name: 'libSQL: a bootstrap of 1 million rows against their raw rows',
    ours: rate(costs.ours),
    theirs: rate(costs.theirs),
    ratios: costs.ours.map((ms, pair) => (costs.theirs[pair] ?? 0) / ms),
    target: Math.min(0.5, (enough * median(costs.theirs)) / 1000 / rows),
    sense: 'at least',
  })
  report(await memoryFigure('libSQL', app, 'gzip'))
  raw.close()
  await store.close()
  await rm(folder, { recursive: true, force: true })
  await postgresFigure(report)
}

/** What a million rows take, for information, and by how much the process grows, which is bounded. */
async function memoryFigure(name: string, app: App, encoding: string): Promise<Figure> {
  // As in a server that has run for a while: what is compiled, and the heap that garbage takes, is there already.
  await stream(app, encoding, () => {}, 100)
  globalThis.gc?.()
  const before = process.memoryUsage.rss()
  let peak = before
  const cost = await wallMs(() =>
    stream(app, encoding, () => {
      peak = Math.max(peak, process.memoryUsage.rss())
    }),
  )
  const grown = (peak - before) / 2 ** 20
  return {
    name: `${name}: MB that the process grows while it streams 1 million rows, ${encoding}`,
    ours: `${grown.toFixed(0)} MB`,
    theirs: rate([cost]),
    ratios: [grown],
    target: 150,
    sense: 'at most',
  }
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
  report(await memoryFigure('Postgres', driftline(store), 'identity'))
  await Promise.all([store.close(), pool.end()])
  await postgres.stop()
}

const rate = (costs: readonly number[]) => `${Math.round(rows / median(costs))}k rows/s`

/** Reads a stream to its end, as fast as it comes, or leaves it after so many chunks. */
async function stream(
  app: App,
  encoding: string,
  watch = () => {},
  chunksMax = Number.POSITIVE_INFINITY,
): Promise<void> {
  const asked = { ...headers, Accept: 'application/x-ndjson', 'Accept-Encoding': encoding }
  const response = await app.request('/v1/pull', { headers: asked })
  let [bytes, chunks] = [0, 0]
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    bytes += chunk.length
    if (++chunks % 10 === 0) watch()
    if (chunks === chunksMax) return
  }
  if (bytes < rows * (encoding === 'gzip' ? 5 : 200)) throw new Error(`the stream has ${bytes} bytes`)
}

const scopeOf = (count: number) => `INSERT INTO driftline_scopes VALUES ('alice', 'bench', ${count}, 0, 300)`

function fill(padded: string, done: string, noted: string, alive: string): string {
  return `INSERT INTO todos SELECT 'alice', '0193f0a0-7c4e-7d7e-9f3a-' || ${padded}, 1000000000000000 + n, 'phone-7f3a', ${alive}, n + 1, n + 1,
'Buy ' || n || ' litres of milk, not skimmed', ${done}, n % 5, CASE WHEN ${noted} THEN 'from the shop at the corner' END, (n % 10000 + 1) / 100.0, 'a1b2c3d4'`
}
