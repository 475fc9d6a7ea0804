import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import Database from 'libsql'
import { prune } from '../../../src/prune/prune.ts'
import { signToken } from '../../../src/runtime/sign-token.ts'
import { libsqlFileStore } from '../../../src/stores/libsql/file.ts'
import { schema } from '../../support/schema.ts'
import { startServer } from '../../support/server.ts'
import type { Figure } from './measure.ts'
import { type App, benchSecret, createTablesIn, driftline, headers, pushes } from './subject.ts'
import { percentile, told } from './times.ts'

const scopes = 10_000
const nameOf = (n: number) => `s${String(n).padStart(5, '0')}`
const rowsEach = 100
const due = 2_000
/** How long each kind of work is watched. */
const watchedMs = 5_000
const msMax = 100

/**
 * How long a second client's pull and `/health` wait, and how late a timer is, while one file of a
 * million rows in 10,000 scopes is written to: by pushes of 5,000 changes without a pause, an
 * import, a prune of 2,000 due scopes, and while ten pushes wait for another process's lock.
 */
export async function waitFigures(report: (figure: Figure) => void): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'driftline-bench-'))
  const path = join(folder, 'a.db')
  await fill(path)
  const server = await startServer({ DATABASE_URL: `file:${path}`, AUTH_SECRET: benchSecret, LOG: 'off' })
  const app: App = { request: (way, init) => fetch(server.url + way, init) }
  for (const kind of ['push', 'import'] as const) {
    const load = new Worker(new URL('./waits-load.ts', import.meta.url), {
      workerData: { url: server.url, kind, headers },
    })
    load.on('error', (error) => {
      throw error
    })
    // The first of its kind compiles what it needs.
    await sleep(2_000)
    await watch(app, kind === 'push' ? 'pushes of 5,000 changes follow each other' : 'rows are imported', report)
    await load.terminate()
  }
  await sleep(1_000)
  const other = new Database(path)
  other.exec('BEGIN IMMEDIATE')
  const { prepare, run } = pushes(app, 10, 'lost')
  const waiting = Array.from({ length: 10 }, () => run(prepare()))
  await watch(app, "ten pushes wait for another process's lock", report)
  other.exec('ROLLBACK')
  await Promise.all(waiting)
  other.close()
  await server.stop()

  // In this process: a server prunes when it wants to.
  const store = await libsqlFileStore(`file:${path}`)
  const tombstones = `UPDATE todos SET deleted = 1, title = NULL, done = NULL, priority = NULL, notes = NULL, amount = NULL, list_id = NULL WHERE position % 10 = 0 AND scope < '${nameOf(due)}'`
  await store.batch('', [{ sql: tombstones, params: [] }])
  const pruning = { going: true }
  const own = driftline(store)
  const pruned = prune(store, schema, { retentionMs: 0 }).finally(() => {
    pruning.going = false
  })
  await watch(own, `${due} due scopes are pruned`, report, pruning)
  await pruned
  await store.close()
  await rm(folder, { recursive: true, force: true })
}

async function watch(
  app: App,
  name: string,
  report: (figure: Figure) => void,
  here?: { readonly going: boolean },
): Promise<void> {
  const token = await signToken(benchSecret, { sub: nameOf(500) })
  const until = performance.now() + watchedMs
  const waits: Record<'pull' | 'health' | 'timer', number[]> = { pull: [], health: [], timer: [] }
  const get = async (way: string) => {
    const answer = await app.request(way, { headers: { Authorization: `Bearer ${token}` } })
    const text = await answer.text()
    if (answer.status !== 200) throw new Error(text.slice(0, 300))
  }
  const again = async (kind: keyof typeof waits, once: () => Promise<unknown>) => {
    while (here?.going !== false && performance.now() < until) {
      const began = performance.now()
      await once()
      waits[kind].push(performance.now() - began)
      if (kind !== 'timer') await sleep(5)
    }
  }
  await Promise.all([
    again('pull', () => get('/v1/pull?limit=100')),
    again('health', () => get('/health')),
    again('timer', () => sleep(1)),
  ])
  // Where a server of its own is watched, the timers of this process say how busy the machine is.
  const all = [...waits.pull, ...waits.health, ...(here ? waits.timer : [])]
  report({
    name: `libSQL: ms that a pull and /health wait (p99) while ${name}`,
    ours: `pull ${told(waits.pull)}, health ${told(waits.health)}`,
    theirs: `timers here ${told(waits.timer)}`,
    ratios: [percentile(all, 0.99)],
    target: msMax,
    sense: 'at most',
  })
}

async function fill(path: string): Promise<void> {
  const store = await libsqlFileStore(`file:${path}`)
  await createTablesIn(store)
  const n = (count: number) => `WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < ${count - 1})`
  const scope = "'s' || format('%05d', n"
  const statements = [
    `INSERT INTO driftline_scopes (scope, incarnation, position, watermark, row_bytes) ${n(scopes)} SELECT ${scope}), 'bench', ${rowsEach}, 0, 300 FROM n`,
    `INSERT INTO todos ${n(scopes * rowsEach)} SELECT ${scope} / ${rowsEach}), '0193f0a0-7c4e-7d7e-9f3a-' || format('%012d', n), 1000000000000000 + n, 'phone-7f3a', 0, n % ${rowsEach} + 1, n % ${rowsEach} + 1,
'Buy ' || n || ' litres of milk, not skimmed', n % 3 = 0, n % 5, CASE WHEN n % 2 THEN 'from the shop at the corner' END, (n % 10000 + 1) / 100.0, 'a1b2c3d4' FROM n`,
  ]
  await store.batch(
    '',
    statements.map((sql) => ({ sql, params: [] })),
  )
  await store.close()
}
