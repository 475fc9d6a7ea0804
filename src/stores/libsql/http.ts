import type { Client, InStatement } from '@libsql/client/web'
import { sqlite } from '../../sql/sqlite/dialect.ts'
import type { Cells } from '../../sql/statement.ts'
import { sqliteFault } from '../fault.ts'
import { checkNumbers, readsOnly, type Store } from '../store.ts'
import { type LibsqlServer, rehearseOverHttp } from './rehearse.ts'

/**
 * libSQL over HTTP: Turso, or any sqld. The client comes from `@libsql/client/web`; `batch` is one
 * request. Give it a `fetch` with a deadline, see `fetchWithin`, and say where the server is: what
 * it refuses is then found in fewer requests.
 */
export function libsqlStore(client: Client, server?: LibsqlServer): Store {
  return {
    dialect: sqlite,
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

/** A `fetch` that gives up after `ms` milliseconds, answer included. */
export function fetchWithin(ms: number): typeof fetch {
  return (input, init) => fetch(input, { ...init, signal: AbortSignal.timeout(ms) })
}
