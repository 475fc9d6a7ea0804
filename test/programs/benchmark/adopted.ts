import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createApp } from '../../../src/http/app.ts'
import { migrate } from '../../../src/migrations/apply.ts'
import { createTables } from '../../../src/migrations/ddl.ts'
import { boolean, integer, text } from '../../../src/model/column.ts'
import { defineSchema } from '../../../src/model/define-schema.ts'
import { libsqlFileStore } from '../../../src/stores/libsql/file.ts'
import { postgresStore } from '../../../src/stores/postgres/pool.ts'
import type { Store } from '../../../src/stores/store.ts'
import { adopted } from '../../../src/sync/adopted/adopted.ts'
import { createSweep } from '../../../src/sync/adopted/sweep.ts'
import { startPostgres } from '../../support/postgres.ts'
import { type Figure, inPairs, type Side, wallMs, within } from './measure.ts'
import { type App, benchSecret, headers } from './subject.ts'

const count = 1_000
const bulk = 10_000
const columns = {
  title: text(),
  notes: text({ nullable: true }),
  list: text({ nullable: true }),
  done: boolean({ default: false }),
  stock: integer({ default: 0 }),
}
const schema = defineSchema({
  native: columns,
  tasks: adopted('tasks', { key: 'id', keyType: 'text', scope: 'user_id', columns }),
})
const tableOf = (name: string, isPostgres: boolean) =>
  `CREATE TABLE ${name} (id text PRIMARY KEY, user_id text NOT NULL, title text NOT NULL, notes text, list text, done ${isPostgres ? 'boolean NOT NULL DEFAULT false' : 'integer NOT NULL DEFAULT 0'}, stock ${isPostgres ? 'int' : 'integer'} NOT NULL DEFAULT 0)`

/**
 * What it costs that a table is the app's own (P18): its SQL with and without triggers, and pushes
 * and pages against those of a table that driftline made.
 */
export async function adoptedFigures(report: (figure: Figure) => void): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'driftline-bench-'))
  const postgres = await startPostgres()
  const stores: Record<string, Store> = {
    libSQL: await libsqlFileStore(`file:${join(folder, 'file.db')}`),
    Postgres: postgresStore(await postgres.createDatabase()),
  }
  for (const [name, store] of Object.entries(stores)) {
    const isPostgres = store.dialect.name === 'postgres'
    await migrate(store, [
      { name: '0001_app', statements: [tableOf('tasks', isPostgres), tableOf('bare', isPostgres)] },
      { name: '0002_bench', statements: createTables(schema, store.dialect.name) },
    ])
    const app = createApp({ schema, store, auth: { secret: benchSecret } })
    const sweep = createSweep({ schema, store, record: () => [] })
    const own = (sql: string) => store.batch('', [{ sql, params: [] }])
    const pairs = async <Input>(what: string, ours: Side<Input>, theirs: Side<Input>, most: number, turns = 7) =>
      report(within(`${name}: ${what}`, await inPairs(turns, wallMs, ours, theirs, 2), most))

    for (const table of ['bare', 'tasks'])
      await own(
        `INSERT INTO ${table} (id, user_id, title) SELECT 'own' || i, 'someone', 'Title' FROM ${places(isPostgres, bulk)}`,
      )
    await sweep?.()
    let times = 0
    const single = (table: string): Side<undefined> => ({
      prepare: () => undefined,
      async run() {
        for (let n = 0; n < 300; n++) await own(`UPDATE ${table} SET title = 'Title ${++times}' WHERE id = 'own${n}'`)
      },
    })
    await pairs(
      '300 UPDATEs of a row by the app, with triggers against without',
      single('tasks'),
      single('bare'),
      1.25,
      15,
    )
    const whole = (table: string): Side<undefined> => ({
      prepare: () => undefined,
      run: () => own(`UPDATE ${table} SET title = 'Title ${++times}' WHERE user_id = 'someone'`),
    })
    await pairs(
      `an UPDATE of ${bulk} rows by the app, with triggers against without`,
      whole('tasks'),
      whole('bare'),
      1.5,
    )
    await sweep?.()
    const push = (table: string): Side<object[]> => ({
      prepare: () => Array.from({ length: count }, (_, n) => put(table, n)),
      run: (changes) => send(app, changes),
    })
    await pairs(`a push of ${count} rows, against a native table`, push('tasks'), push('native'), 3)
    const patches = (table: string): Side<object[]> => ({
      prepare: () =>
        Array.from({ length: count }, (_, n) => ({
          table,
          op: 'patch',
          id: `${table}${n}`,
          at: ++stamps,
          row: { title: `T ${n}` },
        })),
      run: (changes) => send(app, changes),
    })
    await pairs(`a push of ${count} patches, against a native table`, patches('tasks'), patches('native'), 3)
    // Pages of one scope that holds rows of one kind.
    await send(app, push('tasks').prepare(), 'adopted')
    await send(app, push('native').prepare(), 'natives')
    const page = (scope: string): Side<undefined> => ({
      prepare: () => undefined,
      async run() {
        const answer = await app.request(`/v1/pull?limit=${count}`, { headers: await headersOf(scope) })
        if (((await answer.json()) as { changes: unknown[] }).changes.length !== count) throw new Error('a short page')
      },
    })
    await pairs(`a page of ${count} rows, against a native table`, page('adopted'), page('natives'), 3, 15)
    await store.close()
  }
  await postgres.stop()
  await rm(folder, { recursive: true, force: true })
}

const places = (isPostgres: boolean, n: number) =>
  isPostgres
    ? `generate_series(1, ${n}) AS i`
    : `(WITH RECURSIVE i (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM i WHERE i < ${n}) SELECT i FROM i)`

let stamps = (Date.now() - 3_600_000) * 1000

function put(table: string, n: number): object {
  const row = { title: `Title ${n}`, notes: `Notes ${n} ${stamps}`, list: `list ${n % 7}`, done: n % 2 === 0, stock: n }
  return { table, op: 'put', id: `${table}${n}`, at: ++stamps, row }
}

async function headersOf(scope: string): Promise<Record<string, string>> {
  const { signToken } = await import('../../../src/runtime/sign-token.ts')
  return { Authorization: `Bearer ${await signToken(benchSecret, { sub: scope })}` }
}

async function send(app: App, changes: readonly object[], scope?: string): Promise<void> {
  const told = scope === undefined ? headers : await headersOf(scope)
  // A key has one row, whoever's it is.
  const named =
    scope === undefined
      ? changes
      : changes.map((change) => ({ ...change, id: `${(change as { id: string }).id}-${scope}` }))
  const response = await app.request('/v1/push', {
    method: 'POST',
    headers: { ...told, 'Content-Type': 'application/json' },
    body: JSON.stringify({ client: 'phone', changes: named }),
  })
  const answer = (await response.json()) as { verdicts?: { verdict: string }[] }
  const wrong = answer.verdicts?.find(({ verdict }) => verdict !== 'applied')
  if (!answer.verdicts || wrong) throw new Error(JSON.stringify(wrong ?? answer).slice(0, 300))
}
