import { limits } from '../../model/limits.ts'
import type { Statement } from '../../sql/statement.ts'
import { sessionList } from './session.ts'

/**
 * What stands before the statements of every batch, in the same flush: how the session must be, see
 * `sessionList`, and the deadline. It makes the server give up a little before the client does, so
 * that what was answered with a 503 is not applied later, and a read that waits for a lock holds no
 * connection for longer. Until the end of the transaction, which of a single statement is the one
 * that the protocol makes of it. From Postgres 17 on that holds for the transaction too: where the
 * network falls silent between two statements no statement runs, and the lock of the scope would be
 * held until TCP gives up, which takes hours. Where much time is given, as to a migration, not all
 * of it is for a lock: everybody who wants the table queues up behind an ALTER TABLE that waits.
 */
export function openingOf(batchMsMax: number, schema?: string): Statement {
  const set = (name: string, ms: number) => `set_config('${name}', '${ms}', true)`
  const ms = Math.ceil(batchMsMax * 0.9)
  const settings = [
    sessionList(schema),
    set('statement_timeout', ms),
    `CASE WHEN current_setting('transaction_timeout', true) IS NOT NULL THEN ${set('transaction_timeout', ms)} END`,
    ...(batchMsMax > limits.databaseMsMax ? [set('lock_timeout', limits.databaseMsMax * 0.9)] : []),
  ]
  return { sql: `SELECT ${settings.join(', ')}`, params: [] }
}

/** The same, and who answers: the last cell of its row is the number of the server's process. */
export function askWho({ sql, ...opening }: Statement): Statement {
  return { ...opening, sql: `${sql}, pg_backend_pid()` }
}

/**
 * The same before statements that are prepared and only read: their plan is made once, for any
 * parameters, as test/stores/plans.test.ts holds them to it. Left to itself Postgres would plan
 * each anew where it expects a little less of that, which takes longer than reading a page. Not
 * where triggers of the app's own run, whose statements would be planned so too.
 */
export function planOnce({ sql, ...opening }: Statement): Statement {
  return { ...opening, sql: `${sql}, set_config('plan_cache_mode', 'force_generic_plan', true)` }
}
