import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@libsql/client/sqlite3'
import Database from 'libsql'
import pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { transportByCopy } from '../../../src/bulk/copy.ts'
import { libsqlFileStore } from '../../../src/stores/libsql/file.ts'
import { postgresStore } from '../../../src/stores/postgres/pool.ts'
import { startPostgres } from '../../support/postgres.ts'
import { schema } from '../../support/schema.ts'
import { startServer } from '../../support/server.ts'
import { upsertSql } from './by-hand.ts'
import { type Point, writeChart } from './chart.ts'
import { at, fromTerminal, overHttp, type Sum, writeLines } from './import-ways.ts'
import { type Figure, faster, median, wallMs, within } from './measure.ts'
import { growthFigure, peakBytes, peakOfScript, residentBytes } from './memory.ts'
import { createTablesIn, id, row } from './subject.ts'

const count = 100_000
const counts = [10_000, count, 1_000_000] as const
const fewRows = 10
const rounds = 5
/** Of a baseline that would take minutes: so many rows less. */
const fewer = 10

/**
 * The ways to bring rows in, each into an empty table; times by the wall, since a person waits for
 * it.
 */
interface Ways {
  readonly name: string
  /** The fastest that the driver has, and one row at a time; milliseconds. */
  readonly raw: () => Promise<number>
  readonly rawName: string
  readonly rawTarget: number
  readonly rowByRow: () => Promise<number>
  readonly rowByRowName: string
  readonly rowByRowTarget: number
  readonly import: (path: string) => Promise<number>
  readonly replay: (path: string) => Promise<number>
  readonly overHttp: (path: string) => Promise<number>
  /** The DATABASE_URL of a new, empty one. */
  readonly database: () => Promise<string>
}

/**
 * An import of NDJSON from the terminal and over HTTP, against what the drivers do when they do
 * nothing else.
 */
export async function importFigures(report: (figure: Figure) => void): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'driftline-bench-'))
  for (const size of [fewRows, ...counts]) await writeLines(fileOf(folder, size), size)
  const points: Point[] = []
  for (const open of [openPostgres, openLibsql]) {
    const { ways, close } = await open(folder)
    await compare(ways, fileOf(folder, count), report)
    points.push(...(await growth(ways, folder, report)))
    await memory(ways, folder, report)
    await close()
  }
  await writeChart(points, {
    file: 'import-cost.svg',
    title: 'Microseconds for each imported row, by the number of rows',
  })
  await rm(folder, { recursive: true, force: true })
}

const fileOf = (folder: string, size: number) => join(folder, `${size}.ndjson`)

async function compare(ways: Ways, path: string, report: (figure: Figure) => void): Promise<void> {
  const times = { raw: [], rowByRow: [], import: [], replay: [], overHttp: [] } as Record<string, number[]>
  for (let round = -1; round < rounds; round++) {
    const found = {
      raw: await ways.raw(),
      import: await ways.import(path),
      replay: await ways.replay(path),
      overHttp: await ways.overHttp(path),
      rowByRow: await ways.rowByRow(),
    }
    // The first round is to warm up.
    if (round >= 0) for (const [name, ms] of Object.entries(found)) times[name]?.push(ms)
  }
  const { raw = [], rowByRow = [], replay = [], overHttp: http = [] } = times
  const ours = times.import ?? []
  const { name, rawName, rawTarget, rowByRowName, rowByRowTarget } = ways
  report(
    within(`${name}: import of 100,000 rows from the terminal against ${rawName}`, { ours, theirs: raw }, rawTarget),
  )
  report(faster(`${name}: import of 100,000 rows against ${rowByRowName}`, { ours, theirs: rowByRow }, rowByRowTarget))
  report(within(`${name}: import of 100,000 rows over HTTP against the terminal`, { ours: http, theirs: ours }, 1.5))
  report(
    within(`${name}: the same import again, all duplicates, against the first`, { ours: replay, theirs: ours }, 0.6),
  )
}

/** Cost of a row by the number of rows. */
async function growth(ways: Ways, folder: string, report: (figure: Figure) => void): Promise<Point[]> {
  const points: Point[] = []
  for (const rows of counts) {
    const times: number[] = []
    // The small ones are over soon: several of them.
    for (let time = 0; time < Math.min(9, Math.ceil(500_000 / rows)); time++)
      times.push(await ways.import(fileOf(folder, rows)))
    points.push({ name: ways.name, rows, value: (median(times) * 1000) / rows })
  }
  const micros = points.map((point) => point.value)
  report({
    name: `${ways.name}: cost of an imported row, of 10,000, 100,000 and 1,000,000: the dearest against the cheapest`,
    ours: `${Math.max(...micros).toFixed(1)} µs`,
    theirs: `${Math.min(...micros).toFixed(1)} µs`,
    ratios: [Math.max(...micros) / Math.min(...micros)],
    target: 1.5,
    sense: 'at most',
  })
  return points
}

/** How far the command and a server grow by a million rows, against what they hold for a few. */
async function memory(ways: Ways, folder: string, report: (figure: Figure) => void): Promise<void> {
  const few = fileOf(folder, fewRows)
  const many = fileOf(folder, 1_000_000)
  const env = { DATABASE_URL: await ways.database() }
  await peakOfScript('migrate', [], env)
  const small = await peakOfScript('import', ['--scope', 'few', few], env)
  let large = 0
  const commandMs = await wallMs(async () => {
    large = await peakOfScript('import', ['--scope', 'many', many], env)
  })
  const rate = (ms: number) => `${Math.round(1_000_000 / ms)}k rows/s`
  report(
    growthFigure(`${ways.name}: MB that npx driftline import grows by 1 million rows`, large - small, rate(commandMs)),
  )
  const server = await startServer({ DATABASE_URL: await ways.database(), LOG: 'off' })
  const pid = server.process.pid ?? 0
  await overHttp(server.url, few, 'few')
  const before = await residentBytes(pid)
  const ms = await wallMs(() => overHttp(server.url, many, 'many'))
  const grown = (await peakBytes(pid)) - before
  await server.stop()
  report(growthFigure(`${ways.name}: MB that a server grows while 1 million rows come over HTTP`, grown, rate(ms)))
}

/** How long an import takes that must come to this. */
async function timed(run: () => Promise<Sum>, is: (sum: Sum) => boolean): Promise<number> {
  let sum: Sum | undefined
  const ms = await wallMs(async () => {
    sum = await run()
  })
  if (!sum || !is(sum)) throw new Error(`an import came to ${JSON.stringify(sum)}`)
  return ms
}
const fresh = ({ applied, duplicate }: Sum) => applied > 0 && duplicate === 0
const repeated = ({ applied, duplicate }: Sum) => applied === 0 && duplicate > 0

let scopes = 0
let databases = 0

async function openPostgres(): Promise<{ ways: Ways; close: () => Promise<void> }> {
  const postgres = await startPostgres()
  const url = await postgres.createDatabase()
  const store = postgresStore(url)
  await createTablesIn(store)
  const pool = new pg.Pool({ connectionString: url })
  const server = await startServer({ DATABASE_URL: await postgres.createDatabase(), LOG: 'off' })
  const transport = transportByCopy(schema)
  const empty = () => pool.query('TRUNCATE todos, driftline_scopes')
  const rows = Array.from({ length: count }, (_, n) => stored(n))
  const text = rows.map((cells) => `${cells.map((cell) => cell ?? '\\N').join('\t')}\n`).join('')
  const upsert = upsertSql((place) => `$${place}`, '')
  const ways: Ways = {
    name: 'Postgres',
    rawName: 'a raw COPY into an empty table',
    rawTarget: 2.3,
    async raw() {
      await empty()
      const client = await pool.connect()
      const ms = await wallMs(async () => {
        const stream = client.query(copyFrom('COPY todos FROM STDIN'))
        stream.end(text)
        await once(stream, 'finish')
      })
      client.release()
      return ms
    },
    rowByRowName: 'a guarded upsert for each row (of 10,000)',
    rowByRowTarget: 12,
    async rowByRow() {
      await empty()
      return (
        fewer *
        (await wallMs(async () => {
          for (const cells of rows.slice(0, count / fewer)) await pool.query(upsert, cells)
        }))
      )
    },
    async import(path) {
      await empty()
      return timed(() => fromTerminal(store, path, transport), fresh)
    },
    replay: (path) => timed(() => fromTerminal(store, path, transport), repeated),
    overHttp: (path) => timed(() => overHttp(server.url, path, `s${++scopes}`), fresh),
    database: () => postgres.createDatabase(),
  }
  const close = async () => {
    await server.stop()
    await store.close()
    await pool.end()
    await postgres.stop()
  }
  return { ways, close }
}

async function openLibsql(folder: string): Promise<{ ways: Ways; close: () => Promise<void> }> {
  const server = await startServer({ DATABASE_URL: `file:${join(folder, 'server.db')}`, LOG: 'off' })
  const rows = Array.from({ length: count }, (_, n) =>
    stored(n).map((cell) => (typeof cell === 'boolean' ? +cell : cell)),
  )
  const insert = `INSERT INTO todos VALUES (${rows[0]?.map(() => '?').join(', ')})`
  const upsert = upsertSql(() => '?', '')
  const path = join(folder, 'a.db')
  const empty = async () => {
    for (const end of ['', '-wal', '-shm']) await rm(path + end, { force: true })
    const store = await libsqlFileStore(`file:${path}`)
    await createTablesIn(store)
    return store
  }
  let last: Awaited<ReturnType<typeof empty>> | undefined
  const reopened = async () => {
    await last?.close()
    last = await empty()
    return last
  }
  const ways: Ways = {
    name: 'libSQL',
    rawName: 'a prepared insert in one transaction into an empty table',
    rawTarget: 3.5,
    async raw() {
      await reopened()
      const database = new Database(path)
      const ms = await wallMs(async () => {
        const statement = database.prepare(insert)
        database.exec('BEGIN')
        for (const cells of rows) statement.run(...cells)
        database.exec('COMMIT')
      })
      database.close()
      return ms
    },
    rowByRowName: 'a guarded upsert in client.batch for each row',
    rowByRowTarget: 5,
    async rowByRow() {
      await reopened()
      const client = createClient({ url: `file:${path}`, timeout: 5000 })
      const ms = await wallMs(async () => {
        for (let from = 0; from < count; from += 5_000) {
          const entries = rows.slice(from, from + 5_000).map((args) => ({ sql: upsert, args }))
          await client.batch(entries as Parameters<typeof client.batch>[0], 'write')
        }
      })
      client.close()
      return ms
    },
    async import(file) {
      const store = await reopened()
      return timed(() => fromTerminal(store, file), fresh)
    },
    replay: (file) => timed(() => fromTerminal(last as NonNullable<typeof last>, file), repeated),
    overHttp: (file) => timed(() => overHttp(server.url, file, `s${++scopes}`), fresh),
    database: async () => `file:${join(folder, `memory${++databases}.db`)}`,
  }
  const close = async () => {
    await last?.close()
    await server.stop()
  }
  return { ways, close }
}

/** A row as it is stored. */
function stored(n: number): (string | number | boolean | null)[] {
  const { title, done, priority, notes, amount, list_id } = row(n) as Record<string, string | number | boolean | null>
  const user = [title, done, priority, notes, amount, list_id].map((cell) => cell ?? null)
  return ['alice', id(n), at, 'import', false, n + 1, n + 1, ...user]
}
