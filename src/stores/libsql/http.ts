import { limits } from '../../model/limits.ts'
import { sqlite } from '../../sql/sqlite/dialect.ts'
import type { Cells, Statement } from '../../sql/statement.ts'
import { sqliteFault } from '../fault.ts'
import { type BatchOptions, checkNumbers, onePlace, readsOnly, type Store } from '../store.ts'
import { type Condition, type Ends, type LibsqlServer, openPipeline, type Step } from './pipeline.ts'
import { rehearseOverHttp } from './rehearse.ts'

/**
 * libSQL over HTTP: Turso, or any sqld. A batch is one request, and so is the search for what the
 * database refuses.
 */
export function libsqlStore(server: LibsqlServer): Store {
  const send = openPipeline(server)
  return {
    dialect: sqlite,
    placeOf: onePlace,
    rehearse: rehearseOverHttp(send),
    async batch(_scope, statements) {
      checkNumbers(statements)
      try {
        return cellsOf(await send(inTransaction(statements)), statements.length)
      } catch (error) {
        throw sqliteFault(error)
      }
    },
    async close() {},
  }
}

/** Each statement runs where the one before did; what did not come to its commit is undone. */
function inTransaction(statements: readonly Statement[]): readonly Step[] {
  const say = (sql: string, condition?: Condition): Step => ({
    statement: { sql, params: [] },
    ...(condition && { condition }),
  })
  const end = statements.length + 1
  return [
    say(readsOnly(statements) ? 'BEGIN TRANSACTION READONLY' : 'BEGIN IMMEDIATE'),
    ...statements.map((statement, step): Step => ({ statement, condition: { type: 'ok', step } })),
    say('COMMIT', { type: 'ok', step: end - 1 }),
    say('ROLLBACK', { type: 'not', cond: { type: 'ok', step: end } }),
  ]
}

function cellsOf({ rows, errors }: Ends, count: number): Cells[][] {
  const error = errors.slice(0, count + 2).find((one) => one !== undefined)
  if (error) throw error
  return rows.slice(1, count + 1).map((some) => [...(some ?? [])])
}

export interface LibsqlOptions extends BatchOptions {
  readonly authToken?: string | undefined
  /** Requests that are under way at the most. Others wait here, where no deadline counts yet. */
  readonly atOnceMax?: number
}

/** The same by its URL, `libsql://…` or `https://…`, as a worker or an edge wants it. */
export function libsqlUrlStore(
  url: string,
  { authToken, batchMsMax = limits.databaseMsMax, atOnceMax }: LibsqlOptions = {},
): Store {
  const within = fetchWithin(batchMsMax)
  return libsqlStore({ url, authToken, fetch: atOnceMax === undefined ? within : fetchAtOnce(atOnceMax, within) })
}

/** A `fetch` that gives up after `ms` milliseconds, answer included. */
export function fetchWithin(ms: number): typeof fetch {
  return (input, init) => fetch(input, { ...init, signal: AbortSignal.timeout(ms) })
}

/** A server takes writes one by one, and fails those that wait there for too long. */
function fetchAtOnce(most: number, within: typeof fetch): typeof fetch {
  let underWay = 0
  const waiting: (() => void)[] = []
  return async (input, init) => {
    if (underWay < most) underWay++
    else await new Promise<void>((resolve) => void waiting.push(resolve))
    try {
      return await within(input, init)
    } finally {
      const next = waiting.shift()
      if (next) next()
      else underWay--
    }
  }
}
