import { type Client, createClient } from '@libsql/client/http'
import type { InStatement } from '@libsql/client/web'
import { limits } from '../../model/limits.ts'
import { sqlite } from '../../sql/sqlite/dialect.ts'
import type { Cells } from '../../sql/statement.ts'
import { sqliteFault } from '../fault.ts'
import { type BatchOptions, checkNumbers, onePlace, readsOnly, type Store } from '../store.ts'
import { type LibsqlServer, rehearseOverHttp } from './rehearse.ts'

/**
 * libSQL over HTTP: Turso, or any sqld. The client comes from `@libsql/client/http`; `batch` is one
 * request. Give it a `fetch` with a deadline, see `fetchWithin`, and say where the server is: what
 * it refuses is then found in fewer requests.
 */
export function libsqlStore(client: Client, server?: LibsqlServer): Store {
  return {
    dialect: sqlite,
    placeOf: onePlace,
    ...(server && { rehearse: rehearseOverHttp(server) }),
    async batch(_scope, statements) {
      checkNumbers(statements)
      // A JavaScript number would be bound as REAL; every number of a statement is an integer, so
      // bind it as one.
      const bound = statements.map(
        ({ sql, params }): InStatement => ({
          sql,
          args: params.map((value) => (typeof value === 'number' ? BigInt(value) : value)),
        }),
      )
      try {
        const results = await client.batch(bound, readsOnly(statements) ? 'read' : 'write')
        return results.map(({ rows }) => rows.map((row) => Array.from(row as unknown as Cells)))
      } catch (error) {
        throw sqliteFault(error)
      }
    },
    async close() {
      client.close()
    },
  }
}

export interface LibsqlOptions extends BatchOptions {
  readonly authToken?: string | undefined
}

/** The same by its URL, `libsql://…` or `https://…`, as a worker or an edge wants it. */
export function libsqlUrlStore(
  url: string,
  { authToken, batchMsMax = limits.databaseMsMax }: LibsqlOptions = {},
): Store {
  const server = { url, ...(authToken && { authToken }), fetch: fetchWithin(batchMsMax) }
  // The client would let a request wait for another's, and then run it within that one, which may
  // end first.
  return libsqlStore(createClient({ ...server, concurrency: Number.MAX_SAFE_INTEGER }), server)
}

/** A `fetch` that gives up after `ms` milliseconds, answer included. */
export function fetchWithin(ms: number): typeof fetch {
  return (input, init) => fetch(input, { ...init, signal: AbortSignal.timeout(ms) })
}
