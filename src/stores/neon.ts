import { neon } from '@neondatabase/serverless'
import { limits } from '../model/limits.ts'
import { postgres } from '../sql/postgres/dialect.ts'
import type { Cells } from '../sql/statement.ts'
import { postgresFault } from './fault.ts'
import { openingOf } from './postgres/opening.ts'
import { readPostgresUrl } from './postgres/url.ts'
import { type BatchOptions, checkNumbers, type Store } from './store.ts'

/**
 * Each cell as Postgres printed it: parsed, a json would lose its text. Neon takes this with a
 * query only.
 */
const types = { getTypeParser: () => (text: string) => text }

/** Neon over HTTP, from any edge: one request is one transaction, with its deadline. */
export function neonStore(url: string, { batchMsMax = limits.databaseMsMax }: BatchOptions = {}): Store {
  const { client, schema } = readPostgresUrl(url)
  const { user, password = '', host, port, database, options } = client
  if (!user || !database) {
    throw new TypeError('DATABASE_URL must name user and database for Neon: postgres://user:password@host/database')
  }
  if (options?.includes('-c')) {
    throw new TypeError('options=-c … in DATABASE_URL does not reach Neon over HTTP: for search_path write schema=…')
  }
  const place = `${host}${port ? `:${port}` : ''}/${encodeURIComponent(database)}`
  const rest = options ? `?options=${encodeURIComponent(options)}` : ''
  const sql = neon(`postgres://${encodeURIComponent(user)}:${encodeURIComponent(password)}@${place}${rest}`, {
    arrayMode: true,
  })
  const opening = openingOf(batchMsMax, schema)
  return {
    dialect: postgres,
    async batch(_scope, statements) {
      checkNumbers(statements)
      try {
        const queries = [opening, ...statements].map((statement) =>
          sql.query(statement.sql, [...statement.params], { types }),
        )
        const signal = AbortSignal.timeout(batchMsMax)
        const results = await sql.transaction(queries, { isolationLevel: 'ReadCommitted', fetchOptions: { signal } })
        return (results as Cells[][]).slice(1)
      } catch (error) {
        throw postgresFault(error)
      }
    },
    async close() {},
  }
}
