import { serve } from '@hono/node-server'
import { createClient } from '@libsql/client/sqlite3'
import { Hono } from 'hono'
import pg from 'pg'

/**
 * The two endpoints that a good engineer writes by hand in an afternoon, as a process of its own:
 * no auth, no validation, no positions, and one statement a push. Whoever loses learns only that it
 * lost. A page is by the stamp, so a row that commits late is passed over.
 */
interface Row {
  readonly id: string
  readonly updated_at: number
}

interface Push {
  readonly scope: string
  readonly client: string
  readonly rows: readonly Row[]
}

interface Page {
  readonly scope: string
  readonly at: number
  readonly id: string
}

interface Database {
  /** Gives the ids of the rows that were written. */
  push(push: Push): Promise<ReadonlySet<unknown>>
  pull(page: Page): Promise<readonly object[]>
}

const pageRows = 1_000
const columns = ['title', 'done', 'priority', 'notes', 'amount', 'list_id']
const updates = ['updated_at', 'updated_by', 'deleted', ...columns].map((name) => `${name} = excluded.${name}`)
const guard = `ON CONFLICT (scope, id) DO UPDATE SET ${updates.join(', ')}
WHERE (todos.updated_at, todos.updated_by) < (excluded.updated_at, excluded.updated_by) RETURNING id`
const into = `INSERT INTO todos (scope, id, updated_at, updated_by, deleted, ${columns.join(', ')})`
const selected = ['id', 'updated_at', 'updated_by', 'deleted', ...columns].join(', ')

async function openLibsql(url: string): Promise<Database> {
  const client = createClient({ url, timeout: 5_000 })
  await client.execute('PRAGMA journal_mode = WAL')
  await client.executeMultiple(`CREATE TABLE IF NOT EXISTS todos (scope TEXT NOT NULL, id TEXT NOT NULL,
updated_at INTEGER NOT NULL, updated_by TEXT NOT NULL, deleted INTEGER NOT NULL,
title TEXT, done INTEGER, priority INTEGER, notes TEXT, amount REAL, list_id TEXT, PRIMARY KEY (scope, id)) STRICT;
CREATE INDEX IF NOT EXISTS todos_changed ON todos (scope, updated_at, id)`)
  const values = columns.map((name) => `value ->> '$.${name}'`)
  const upsert = `${into} SELECT ?, value ->> '$.id', value ->> '$.updated_at', ?, coalesce(value ->> '$.deleted', 0), ${values.join(', ')}
FROM json_each(?) WHERE true ${guard}`
  const page = `SELECT ${selected} FROM todos WHERE scope = ? AND (updated_at, id) > (?, ?) ORDER BY updated_at, id LIMIT ${pageRows}`
  return {
    async push({ scope, client: by, rows }) {
      const { rows: written } = await client.execute({ sql: upsert, args: [scope, by, JSON.stringify(rows)] })
      return new Set(written.map(({ id }) => id))
    },
    pull: async ({ scope, at, id }) => (await client.execute({ sql: page, args: [scope, at, id] })).rows,
  }
}

async function openPostgres(url: string): Promise<Database> {
  const pool = new pg.Pool({ connectionString: url, max: 16 })
  await pool.query(`CREATE TABLE IF NOT EXISTS todos (scope text COLLATE "C" NOT NULL, id text COLLATE "C" NOT NULL,
updated_at bigint NOT NULL, updated_by text COLLATE "C" NOT NULL, deleted boolean NOT NULL,
title text, done boolean, priority bigint, notes text, amount double precision, list_id text, PRIMARY KEY (scope, id));
CREATE INDEX IF NOT EXISTS todos_changed ON todos (scope, updated_at, id)`)
  const upsert = `${into} SELECT $1, id, updated_at, $2, coalesce(deleted, false), ${columns.join(', ')}
FROM json_to_recordset($3) AS sent (id text, updated_at bigint, deleted boolean, title text, done boolean, priority bigint, notes text, amount double precision, list_id text)
ORDER BY id ${guard}`
  const page = `SELECT ${selected} FROM todos WHERE scope = $1 AND (updated_at, id) > ($2, $3) ORDER BY updated_at, id LIMIT ${pageRows}`
  return {
    async push({ scope, client, rows }) {
      const values = [scope, client, JSON.stringify(rows)]
      const { rows: written } = await pool.query({ name: 'push', text: upsert, values })
      return new Set(written.map(({ id }) => id))
    },
    pull: async ({ scope, at, id }) => (await pool.query({ name: 'pull', text: page, values: [scope, at, id] })).rows,
  }
}

const { DATABASE_URL = '', PORT = '0' } = process.env
const database = await (DATABASE_URL.startsWith('postgres:') ? openPostgres : openLibsql)(DATABASE_URL)
const app = new Hono()
app.post('/push', async (context) => {
  const push = await context.req.json<Push>()
  const written = await database.push(push)
  return context.json({ verdicts: push.rows.map(({ id }) => (written.has(id) ? 'applied' : 'stale')) })
})
app.get('/pull', async (context) => {
  const { scope = '', at = '0', id = '' } = context.req.query()
  const rows = await database.pull({ scope, at: Number(at), id })
  return context.json({ rows, more: rows.length === pageRows })
})
serve({ fetch: app.fetch, hostname: '127.0.0.1', port: Number(PORT) }, ({ port }) => {
  console.log(`listens on http://127.0.0.1:${port}`)
})
