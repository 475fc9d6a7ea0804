import { limits } from '../model/limits.ts'
import { postgres } from '../sql/postgres/dialect.ts'
import type { Cells, Statement } from '../sql/statement.ts'
import { postgresFault } from './fault.ts'
import { openingOf } from './postgres/opening.ts'
import { type PostgresAddress, readPostgresUrl } from './postgres/url.ts'
import { type BatchOptions, checkNumbers, onePlace, type Store } from './store.ts'

/** Where Neon answers for a host. */
export const neonEndpoint = (host: string): string => `https://${host.replace(/^[^.]+/, 'api')}/sql`

/** Where all of these stores ask: a proxy on this machine is elsewhere. */
export const neonConfig = { fetchEndpoint: neonEndpoint }

/**
 * Neon over HTTP, from any edge: one request is one transaction, with its deadline. The request is
 * that of `neon()` of `@neondatabase/serverless`, which a test compares; the package itself brings
 * all of `pg` and a TLS, which is half of a worker.
 */
export function neonStore(url: string, { batchMsMax = limits.databaseMsMax }: BatchOptions = {}): Store {
  const { client, schema } = readPostgresUrl(url)
  const { host, connectionString } = readAddress(client)
  const opening = openingOf(batchMsMax, schema)
  const headers = {
    'Neon-Connection-String': connectionString,
    // Each cell as Postgres printed it: parsed, a json would lose its text.
    'Neon-Raw-Text-Output': 'true',
    'Neon-Array-Mode': 'true',
    'Neon-Batch-Isolation-Level': 'ReadCommitted',
  }
  return {
    dialect: postgres,
    placeOf: onePlace,
    async batch(_scope, statements) {
      checkNumbers(statements)
      try {
        const answer = await fetch(neonConfig.fetchEndpoint(host), {
          method: 'POST',
          body: JSON.stringify({ queries: [opening, ...statements].map(toQuery) }),
          headers,
          signal: AbortSignal.timeout(batchMsMax),
        })
        return (await readResults(answer)).slice(1)
      } catch (error) {
        throw postgresFault(error)
      }
    },
    async close() {},
  }
}

/** Throws a `TypeError` with a sentence where a URL lacks what Neon wants to know. */
function readAddress({ user, password = '', host, port, database, options }: PostgresAddress['client']) {
  if (!user || !database || !host) {
    throw new TypeError('DATABASE_URL must name user and database for Neon: postgres://user:password@host/database')
  }
  if (/(^|\s)-c/.test(options ?? '')) {
    throw new TypeError('options=-c … in DATABASE_URL does not reach Neon over HTTP: for search_path write schema=…')
  }
  const place = `${host}${port ? `:${port}` : ''}/${encodeURIComponent(database)}`
  const rest = options ? `?options=${encodeURIComponent(options)}` : ''
  const login = `${encodeURIComponent(user)}:${encodeURIComponent(password)}`
  return { host, connectionString: `postgresql://${login}@${place}${rest}` }
}

/** Parameters are text, or null. */
function toQuery({ sql, params }: Statement): { readonly query: string; readonly params: readonly unknown[] } {
  return { query: sql, params: params.map((value) => (value === null ? null : String(value))) }
}

/**
 * The cells of each statement. Throws what the database said, with the members of its error, or
 * that Neon itself did not answer.
 */
async function readResults(answer: Response): Promise<Cells[][]> {
  if (answer.ok) {
    const { results } = (await answer.json()) as { readonly results: readonly { readonly rows: Cells[] }[] }
    return results.map(({ rows }) => rows)
  }
  if (answer.status !== 400) {
    await answer.body?.cancel()
    throw new Error(`Neon answered with HTTP status ${answer.status}`)
  }
  const { message, ...members } = (await answer.json()) as { readonly message: string }
  throw Object.assign(new Error(message), members)
}
