import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { formatCursor } from '../../../src/model/cursor.ts'
import { signToken } from '../../../src/runtime/sign-token.ts'
import { libsqlFileStore } from '../../../src/stores/libsql/file.ts'
import { postgresStore } from '../../../src/stores/postgres/pool.ts'
import type { Store } from '../../../src/stores/store.ts'
import { startPostgres } from '../../support/postgres.ts'
import { type Point, writeChart } from './chart.ts'
import { type Figure, inPairs, median, type Side, wallMs, within } from './measure.ts'
import { benchSecret, createTablesIn, driftline, row } from './subject.ts'

const fewRows = 1_000
const sizes = [100_000, 1_000_000]
const wholeSize = 10_000_000
const scopesMany = 10_000
/** Rows of a push and of a page: as many as a scope has where 100,000 rows are in 10,000 scopes. */
const rowsOfRequest = 10
const pairs = 60
/** Requests of one measurement, each to another scope or another place of it. */
const times = 5

/** How rows are laid out: so many scopes at the most, each of `rowsOfRequest` rows or more. */
interface Shape {
  readonly name: string
  readonly scopesMax: number
}
const shapes: readonly Shape[] = [
  { name: 'one scope', scopesMax: 1 },
  { name: '10,000 scopes', scopesMax: scopesMany },
]

interface Kind {
  readonly name: string
  /** An empty database, the statement that fills it, and what removes it. */
  open(): Promise<{ store: Store; fill: (scopes: number, each: number) => Promise<void>; drop: () => Promise<void> }>
}

/**
 * What a push and a page cost by what is stored already, beside the same where 1,000 rows are: in
 * turns with it, since the machine has moods. Large databases one at a time, for they fill the
 * disk. `whole`: up to 10 million rows, which takes minutes and 5 GB of it.
 */
export async function costFigures(report: (figure: Figure) => void, whole = false): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'driftline-cost-'))
  const postgres = await startPostgres()
  const points: Point[] = []
  try {
    for (const kind of [libsql(folder), onPostgres(() => postgres.createDatabase(), postgres.url)]) {
      for (const shape of shapes) {
        const few = await filled(kind, shape, fewRows)
        for (const what of ['push', 'page']) points.push({ name: seriesOf(kind, shape, what), rows: fewRows, value: 1 })
        for (const size of whole ? [...sizes, wholeSize] : sizes) {
          const many = await filled(kind, shape, size)
          for (const what of ['push', 'page'] as const) {
            const costs = await inPairs(pairs, wallMs, many[what], few[what])
            const name = `${kind.name}: a ${what} of 10 rows among ${size.toLocaleString('en')} in ${shape.name}, beside 1,000`
            const figure = within(name, costs, 2)
            report(figure)
            points.push({ name: seriesOf(kind, shape, what), rows: size, value: median(figure.ratios) })
          }
          await many.drop()
        }
        await few.drop()
      }
    }
  } finally {
    await postgres.stop()
    await rm(folder, { recursive: true, force: true })
  }
  await writeChart(points, {
    file: 'cost.svg',
    title: 'What a push and a page of 10 rows cost by the rows that are stored, where 1,000 are: 1',
  })
}

const seriesOf = ({ name }: Kind, shape: Shape, what: string) => `${name}, ${what}, ${shape.name}`

interface Filled {
  readonly push: Side<readonly Sent[]>
  readonly page: Side<readonly Sent[]>
  drop(): Promise<void>
}

interface Sent {
  readonly path: string
  readonly init: RequestInit
}

const scopeOf = (n: number) => `scope${n}`
const tokens = new Map<string, Promise<string>>()

async function filled(kind: Kind, { scopesMax }: Shape, rows: number): Promise<Filled> {
  const scopes = Math.min(scopesMax, rows / rowsOfRequest)
  const each = rows / scopes
  const { store, fill, drop } = await kind.open()
  await createTablesIn(store)
  await fill(scopes, each)
  const app = driftline(store)
  const { headers, choose, all } = await callers(scopes)
  // Tokens are known by now, of however many users: a request that is refused reads nothing.
  for (const scope of all) await app.request('/v1/pull?limit=0', { headers: headers(scope) })
  let later = Date.now() * 1000 - 3_600_000_000
  const push = (): Sent => {
    const scope = choose()
    const changes = Array.from({ length: rowsOfRequest }, (_, n) => {
      // One half anywhere between the others, the other half of rows that are there.
      const near = Math.floor(Math.random() * each)
      const id = n % 2 ? idOf(near) : `${idOf(near)}-${Math.random().toString(36).slice(2)}`
      return { table: 'todos', op: 'put', id, at: ++later, row: row(n) }
    })
    const body = JSON.stringify({ client: 'phone', return: 'lost', changes })
    return { path: '/v1/push', init: { method: 'POST', body, headers: headers(scope) } }
  }
  const page = (): Sent => {
    const scope = choose()
    const position = Math.floor(Math.random() * (each - rowsOfRequest + 1))
    const entry = { incarnation: 'bench', position, start: 0 }
    const cursor = encodeURIComponent(formatCursor(new Map([[scopeOf(scope), entry]])))
    return { path: `/v1/pull?limit=${rowsOfRequest}&cursor=${cursor}`, init: { headers: headers(scope) } }
  }
  const side = (make: () => Sent): Side<readonly Sent[]> => ({
    prepare: () => Array.from({ length: times }, make),
    async run(all) {
      for (const { path, init } of all) {
        const answer = await app.request(path, init)
        const text = await answer.text()
        if (answer.status !== 200 || text.includes('"rejected"')) throw new Error(text.slice(0, 300))
        if (path.startsWith('/v1/pull') && text.split('"op":').length !== rowsOfRequest + 1)
          throw new Error(`a page of other rows: ${text.slice(0, 300)}`)
      }
    },
  })
  return { push: side(push), page: side(page), drop }
}

/** Users of some of the scopes, spread over all: a token takes longer to sign than a page to read. */
async function callers(scopes: number) {
  const some = Array.from({ length: Math.min(scopes, 500) }, (_, n) => Math.floor((n * scopes) / Math.min(scopes, 500)))
  const known = new Map<number, Record<string, string>>()
  for (const scope of some) {
    const token = tokens.get(scopeOf(scope)) ?? signToken(benchSecret, { sub: scopeOf(scope) })
    tokens.set(scopeOf(scope), token)
    known.set(scope, { Authorization: `Bearer ${await token}`, 'Content-Type': 'application/json' })
  }
  return {
    all: some,
    choose: () => some[Math.floor(Math.random() * some.length)] ?? 0,
    headers: (scope: number) => known.get(scope) ?? {},
  }
}

const idOf = (n: number) => `0193f0a0-7c4e-7d7e-9f3a-${String(n).padStart(12, '0')}`

/** Where there are several scopes, there are all, and some of them may have no row. */
const scopesOf = (scopes: number) => (scopes === 1 ? 1 : scopesMany)

/**
 * The scope and the number of a row by its place in the table: as pushes of ten rows leave them
 * whose scopes take turns.
 */
const places = (i: string, scopes: number) =>
  `SELECT ${i} / ${rowsOfRequest} % ${scopes} AS s, ${i} / ${rowsOfRequest * scopes} * ${rowsOfRequest} + ${i} % ${rowsOfRequest} AS n`

const numbers = (count: number) =>
  `WITH RECURSIVE i (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM i WHERE i < ${count - 1})`

let databases = 0

function libsql(folder: string): Kind {
  return {
    name: 'libSQL',
    async open() {
      const path = join(folder, `${++databases}.db`)
      const store = await libsqlFileStore(`file:${path}`, { batchMsMax: 3_600_000 })
      const run = (sql: string) => store.batch('', [{ sql, params: [] }])
      return {
        store,
        async fill(scopes, each) {
          // Of the connection that writes: leaves of the indexes are met again and again.
          await run('PRAGMA cache_size = -400000')
          await run(
            `${numbers(scopesOf(scopes))} INSERT INTO driftline_scopes (scope, incarnation, position, watermark, row_bytes) SELECT 'scope' || i, 'bench', CASE WHEN i < ${scopes} THEN ${each} ELSE 0 END, 0, 300 FROM i`,
          )
          // By so many rows that the log of the file does not grow as large as the file.
          const step = 500_000
          for (let from = 0; from < scopes * each; from += step) {
            await run(
              `${numbers(Math.min(step, scopes * each - from))} INSERT INTO todos SELECT 'scope' || s, '0193f0a0-7c4e-7d7e-9f3a-' || format('%012d', n), 1000000000000000, 'bench', 0, n + 1, n + 1, 'Buy ' || n || ' litres of milk', 0, 1, CASE WHEN n % 2 THEN 'from the shop' END, n / 100.0, 'a1b2c3d4' FROM (${places(`(i + ${from})`, scopes)} FROM i)`,
            )
          }
          await run('PRAGMA cache_size = -2000')
        },
        async drop() {
          await store.close()
          for (const end of ['', '-wal', '-shm']) await rm(path + end, { force: true })
        },
      }
    },
  }
}

function onPostgres(createDatabase: () => Promise<string>, admin: string): Kind {
  return {
    name: 'Postgres',
    async open() {
      const url = await createDatabase()
      const store = postgresStore(url, { batchMsMax: 3_600_000 })
      return {
        store,
        async fill(scopes, each) {
          const client = new pg.Client({ connectionString: url })
          await client.connect()
          await client.query(
            `INSERT INTO driftline_scopes (scope, incarnation, position, watermark, row_bytes) SELECT 'scope' || i, 'bench', CASE WHEN i < ${scopes} THEN ${each} ELSE 0 END, 0, 300 FROM generate_series(0, ${scopesOf(scopes) - 1}) AS i`,
          )
          await client.query(
            `INSERT INTO todos SELECT 'scope' || s, '0193f0a0-7c4e-7d7e-9f3a-' || lpad(n::text, 12, '0'), 1000000000000000, 'bench', false, n + 1, n + 1, 'Buy ' || n || ' litres of milk', false, 1, CASE WHEN n % 2 = 1 THEN 'from the shop' END, n / 100.0, 'a1b2c3d4' FROM (${places('i', scopes)} FROM generate_series(0, ${scopes * each - 1}) AS i) AS rows`,
          )
          await client.query('VACUUM ANALYZE')
          // What was written is not written out while others are measured.
          await client.query('CHECKPOINT')
          await client.end()
        },
        async drop() {
          await store.close()
          const client = new pg.Client({ connectionString: admin })
          await client.connect()
          await client.query(`DROP DATABASE ${new URL(url).pathname.slice(1)} WITH (FORCE)`)
          await client.end()
        },
      }
    },
  }
}
