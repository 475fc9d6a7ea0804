import type { Client } from '@libsql/client'
import { Hono } from 'hono'
import { jwtVerify } from 'jose'
import type pg from 'pg'
import { type App, benchSecret } from './subject.ts'

interface Body {
  readonly client: string
  readonly changes: readonly { readonly id: string; readonly at: number; readonly row: Record<string, unknown> }[]
}

const columns = ['title', 'done', 'priority', 'notes', 'amount', 'list_id']
const key = new TextEncoder().encode(benchSecret)

/**
 * The guarded upsert of one row: [scope, id, at, client, deleted, position, created position,
 * …columns].
 */
export function upsertSql(param: (place: number) => string, returning: string): string {
  const names = ['scope', 'id', 'updated_at', 'updated_by', 'deleted', 'position', 'created_position', ...columns]
  return `INSERT INTO todos AS t (${names.join(', ')}) VALUES (${names.map((_, place) => param(place + 1)).join(', ')})
ON CONFLICT (scope, id) DO UPDATE SET ${['updated_at', 'updated_by', 'deleted', 'position', ...columns].map((name) => `${name} = excluded.${name}`).join(', ')}
WHERE t.updated_at < excluded.updated_at OR (t.updated_at = excluded.updated_at AND t.updated_by < excluded.updated_by)${returning}`
}

function handler(
  sync: (scope: string, body: Body) => Promise<unknown>,
  pull: (scope: string) => Promise<unknown[]>,
): App {
  const app = new Hono()
  const subject = async (header: string | undefined) =>
    (await jwtVerify((header ?? '').slice('Bearer '.length), key)).payload.sub ?? ''
  app.post('/v1/sync', async (context) => {
    const scope = await subject(context.req.header('authorization'))
    return context.json({ now: Date.now(), verdicts: await sync(scope, await context.req.json<Body>()) })
  })
  app.get('/v1/pull', async (context) =>
    context.json({ changes: await pull(await subject(context.req.header('authorization'))) }),
  )
  return app
}

interface Stored {
  readonly id: string
  readonly updated_at: number
  readonly updated_by: string
  readonly position: number
}

function toChange(stored: object): object {
  const { id, updated_at, updated_by, position, ...rest } = stored as Stored & Record<string, unknown>
  const row = Object.fromEntries(columns.map((name) => [name, name === 'done' ? Boolean(rest[name]) : rest[name]]))
  return {
    scope: rest.scope,
    table: 'todos',
    op: 'put',
    id,
    at: Number(updated_at),
    by: updated_by,
    position: Number(position),
    row,
  }
}

/** What people write for libSQL: one upsert per row in one batch, one SELECT per loser. */
export function libsqlByHand(client: Client, returned: 'all' | 'lost'): App {
  const upsert = upsertSql(() => '?', returned === 'all' ? ' RETURNING *' : '')
  return handler(
    async (scope, { client: by, changes }) => {
      const results = await client.batch(
        changes.map(({ id, at, row }) => ({
          sql: upsert,
          args: [
            scope,
            id,
            BigInt(at),
            by,
            0,
            0,
            0,
            ...columns.map((name) => (name === 'done' ? (row[name] ? 1 : 0) : row[name]) as string),
          ],
        })),
        'write',
      )
      const won = (place: number) => (returned === 'all' ? results[place]?.rows[0] : results[place]?.rowsAffected)
      const lost = changes.filter((_, place) => !won(place))
      const found =
        lost.length > 0
          ? await client.batch(
              lost.map(({ id }) => ({ sql: 'SELECT * FROM todos WHERE scope = ? AND id = ?', args: [scope, id] })),
              'read',
            )
          : []
      const current = new Map(lost.map(({ id }, place) => [id, found[place]?.rows[0]]))
      return changes.map(({ id }, place) => {
        if (!won(place)) return { verdict: 'stale', current: toChange(current.get(id) ?? {}) }
        return returned === 'all'
          ? { verdict: 'applied', current: toChange(won(place) as object) }
          : { verdict: 'applied' }
      })
    },
    async (scope) =>
      (
        await client.execute({
          sql: 'SELECT * FROM todos WHERE scope = ? AND position > ? ORDER BY position LIMIT 1000',
          args: [scope, 0],
        })
      ).rows.map(toChange),
  )
}

/** The same for Postgres: one statement per row in one transaction. */
export function postgresByHand(pool: pg.Pool): App {
  const upsert = upsertSql((place) => `$${place}`, '')
  return handler(
    async (scope, { client: by, changes }) => {
      const client = await pool.connect()
      try {
        await client.query('BEGIN')
        const verdicts: object[] = []
        for (const { id, at, row } of changes) {
          const { rowCount } = await client.query(upsert, [
            scope,
            id,
            at,
            by,
            false,
            0,
            0,
            ...columns.map((name) => row[name]),
          ])
          if (rowCount) verdicts.push({ verdict: 'applied' })
          else
            verdicts.push({
              verdict: 'stale',
              current: toChange(
                (await client.query('SELECT * FROM todos WHERE scope = $1 AND id = $2', [scope, id])).rows[0],
              ),
            })
        }
        await client.query('COMMIT')
        return verdicts
      } finally {
        client.release()
      }
    },
    async (scope) =>
      (
        await pool.query('SELECT * FROM todos WHERE scope = $1 AND position > $2 ORDER BY position LIMIT 1000', [
          scope,
          0,
        ])
      ).rows.map(toChange),
  )
}
