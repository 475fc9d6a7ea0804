import { neon } from '@neondatabase/serverless'
import { postgres } from '../dialects/postgres.ts'
import { limits } from '../limits.ts'
import { postgresFault } from './faults.ts'
import { deadlineOf } from './postgres-deadline.ts'
import { type BatchOptions, type Cells, checkNumbers, type Store } from './store.ts'

/** Each cell as Postgres printed it: parsed, a json would lose its text. Neon takes this with a query only. */
const types = { getTypeParser: () => (text: string) => text }

/** Neon over HTTP, from any edge: one request is one transaction, with its deadline. */
export function neonStore(url: string, { batchMsMax = limits.databaseMsMax }: BatchOptions = {}): Store {
  const sql = neon(url, { arrayMode: true })
  const deadline = deadlineOf(batchMsMax)
  return {
    dialect: postgres,
    async batch(_scope, statements) {
      checkNumbers(statements)
      try {
        const queries = [deadline, ...statements].map((statement) =>
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
