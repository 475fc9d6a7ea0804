import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { migrate } from '../../src/migrations/apply.ts'
import type { Migration } from '../../src/migrations/migration.ts'
import type { Schema } from '../../src/model/table.ts'
import { type D1Binding, type D1Query, type D1Store, d1Store } from '../../src/stores/d1.ts'

/** A D1 database in real workerd, called from here. */
export interface TestD1 {
  readonly store: D1Store
  readonly url: string
  /** Calls of `batch()` so far. */
  roundTrips(): number
  close(): Promise<void>
}

/**
 * Of one workerd, which all tests of a process share and which ends with it. A database that nobody
 * asks for is none.
 */
const databasesMax = 200

/**
 * Calls `batch()` for a test, which is outside. Miniflare's own stand-in takes a request for each
 * `prepare` too.
 */
const script = `export default {
  async fetch(request, env) {
    const { database, queries } = await request.json()
    try {
      const prepared = queries.map(({ sql, values }) => env[database].prepare(sql).bind(...values))
      return Response.json(await env[database].batch(prepared))
    } catch ({ message }) {
      return Response.json({ message }, { status: 500 })
    }
  },
}`

/** A fresh database, as a worker has it. */
export async function openD1Binding() {
  started ??= start()
  const url = await started
  if (++databases > databasesMax) throw new RangeError(`Only ${databasesMax} D1 databases: raise databasesMax`)
  const database = `DB${databases}`
  let calls = 0
  const binding = bindingAt(async (queries) => {
    calls++
    return fetch(url, { method: 'POST', body: JSON.stringify({ database, queries }) })
  })
  return { binding, url: url.href, roundTrips: () => calls }
}

/** The same with these migrations. */
export async function openTestD1(migrations: readonly Migration[], schema: Schema): Promise<TestD1> {
  const { binding, ...more } = await openD1Binding()
  const store = d1Store(binding, schema)
  await migrate(store, migrations)
  await store.readKeys()
  return { store, ...more, close: async () => {} }
}

let started: Promise<URL> | undefined
let databases = 0

function start(): Promise<URL> {
  const d1Databases = Object.fromEntries(
    Array.from({ length: databasesMax }, (_, n) => [`DB${n + 1}`, `test-${n + 1}`]),
  )
  // What workerd says of a database whose transaction it ends is a test's own doing.
  const quiet = { handleStructuredLogs: () => {} }
  const options = { host: '127.0.0.1', modules: true, compatibilityDate: '2026-10-23', script, d1Databases, ...quiet }
  return new Miniflare(convertV4MiniflareOptions(options)).ready
}

interface Asked extends D1Query {
  readonly sql: string
  readonly values: readonly unknown[]
}

/** A `D1Database` whose `batch()` is that of the worker. */
function bindingAt(call: (queries: readonly Asked[]) => Promise<Response>): D1Binding {
  const query = (sql: string, values: readonly unknown[]): Asked => ({
    sql,
    values,
    bind: (...bound) => query(sql, bound),
  })
  return {
    prepare: (sql) => query(sql, []),
    async batch(queries) {
      const answer = await call(queries as Asked[])
      const body = (await answer.json()) as Awaited<ReturnType<D1Binding['batch']>> & { message: string }
      if (!answer.ok) throw new Error(body.message)
      return body
    },
  }
}
