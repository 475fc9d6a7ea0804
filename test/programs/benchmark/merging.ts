import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createApp } from '../../../src/http/app.ts'
import { migrate } from '../../../src/migrations/apply.ts'
import { createTables } from '../../../src/migrations/ddl.ts'
import { counter, integer, text } from '../../../src/model/column.ts'
import { defineSchema } from '../../../src/model/define-schema.ts'
import { byColumn, type TableColumns } from '../../../src/model/table.ts'
import { libsqlFileStore } from '../../../src/stores/libsql/file.ts'
import { postgresStore } from '../../../src/stores/postgres/pool.ts'
import type { Store } from '../../../src/stores/store.ts'
import { startPostgres } from '../../support/postgres.ts'
import { type Figure, inPairs, type Side, wallMs, within } from './measure.ts'
import { type App, benchSecret, headers } from './subject.ts'

const count = 1_000
/** Adds that are remembered already. */
const remembered = 300_000
const plain = {
  title: text(),
  notes: text({ nullable: true }),
  list: text({ nullable: true }),
  best: integer({ default: 0 }),
  first: text({ nullable: true }),
  stock: integer({ default: 0 }),
}
const rules = {
  ...plain,
  best: integer({ merge: 'max', default: 0 }),
  first: text({ merge: 'once', nullable: true }),
  stock: counter(),
}
const tables: Record<string, TableColumns> = {
  by_row: plain,
  by_column: byColumn(plain),
  ruled: byColumn(rules),
  keyed: { ...plain, title: text({ unique: true }) },
}
const schema = defineSchema(tables)

/** What the rules of merging cost: 1,000 changes of a table with rules against those of one without. */
export async function mergeFigures(report: (figure: Figure) => void): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'driftline-bench-'))
  const postgres = await startPostgres()
  const stores: Record<string, readonly [store: Store, adds: number]> = {
    libSQL: [await libsqlFileStore(`file:${join(folder, 'file.db')}`), 1.1],
    Postgres: [postgresStore(await postgres.createDatabase()), 1.7],
  }
  for (const [name, [store, addsMax]] of Object.entries(stores)) {
    await migrate(store, [{ name: '0001_bench', statements: createTables(schema, store.dialect.name) }])
    const app = createApp({ schema, store, auth: { secret: benchSecret } })
    const pairs = async (what: string, ours: Side<object[]>, theirs: Side<object[]>, most: number) =>
      report(within(`${name}: ${what}`, await inPairs(7, wallMs, ours, theirs, 2), most))
    const puts = (table: string) => side(app, (n) => put(table, n))
    const patches = (table: string, row: (n: number) => object = (n) => ({ title: `Title ${n} ${stamps}` })) =>
      side(app, (n) => ({ table, op: 'patch', id: `${table}${n}`, at: ++stamps, row: row(n) }))
    await pairs(`${count} puts by column, against by row`, puts('by_column'), puts('by_row'), 1.2)
    await pairs(`${count} patches by column, against by row`, patches('by_column'), patches('by_row'), 1.3)
    await pairs(`${count} puts with all rules, against by row`, puts('ruled'), puts('by_row'), 1.2)
    const adds = patches('ruled', () => ({ stock: { add: 1 } }))
    await pairs(`${count} adds, against patches`, adds, patches('ruled'), addsMax)
    const places = (n: number) =>
      store.dialect.name === 'postgres'
        ? `generate_series(1, ${n}) AS i`
        : `(WITH RECURSIVE i (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM i WHERE i < ${n}) SELECT i FROM i)`
    await store.batch('alice', [
      {
        sql: `INSERT INTO driftline_adds (scope, at, by, tbl, id, col, n, position) SELECT 'alice', ${stamps} - 2 * ${remembered} + i, 'other', 'ruled', 'ruled' || (i % 1000), 'stock', 1, 1 FROM ${places(remembered)}`,
        params: [],
      },
    ])
    await pairs(`${count} adds among ${remembered} remembered, against patches`, adds, patches('ruled'), addsMax)
    // A tenth of the keys are those of other rows.
    await send(
      app,
      Array.from({ length: 100 }, (_, n) => put('keyed', n + count, `Taken ${n}`)),
    )
    const taken = side(app, (n) => put('keyed', n, n % 10 === 0 ? `Taken ${n / 10}` : `Title ${n}`))
    await pairs(`${count} puts of which 100 want a taken key, against none`, taken, puts('keyed'), 1.5)
    await store.close()
  }
  await postgres.stop()
  await rm(folder, { recursive: true, force: true })
}

let stamps = (Date.now() - 3_600_000) * 1000

function put(table: string, n: number, title = `Title ${n}`): object {
  const row = { title, notes: `Notes ${n}`, list: `list ${n % 7}`, best: n, first: 'phone', stock: 5 }
  return { table, op: 'put', id: `${table}${n}`, at: ++stamps, row }
}

function side(app: App, change: (n: number) => object): Side<object[]> {
  return {
    prepare: () => Array.from({ length: count }, (_, n) => change(n)),
    run: (changes) => send(app, changes),
  }
}

async function send(app: App, changes: readonly object[]): Promise<void> {
  const body = JSON.stringify({ client: 'phone', changes })
  const response = await app.request('/v1/sync', {
    method: 'POST',
    headers: { ...headers, 'Content-Type': 'application/json' },
    body,
  })
  const answer = (await response.json()) as { verdicts?: { verdict: string; error?: { code: string } }[] }
  const wrong = answer.verdicts?.find(({ verdict, error }) => verdict !== 'applied' && error?.code !== 'key_taken')
  if (!answer.verdicts || wrong) throw new Error(JSON.stringify(wrong ?? answer).slice(0, 300))
}
