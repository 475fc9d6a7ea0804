import type { Table } from '../model/table.ts'
import type { Dialect } from './dialect.ts'

/**
 * When a delivery is due that waits behind another of its scope and endpoint: not before that one
 * is done, which then makes it due. So only the first of each line is found by its time, and one
 * that fails for days holds back thousands without anybody looking at them. The first of a line
 * that is disabled waits too: one tenant's receiver, or whatever of its rows a receiver does not
 * take, holds back no other scope.
 */
export const waiting = Number.MAX_SAFE_INTEGER

/** What a sender reads of a delivery. */
const columns = 'scope, position, from_position, id, created_at, next_at, attempts, disabled_at'

/**
 * [scope, n, endpoint, id, at] → its time, where this transaction, which took `n` positions, has
 * written a row of the tables; or [scope, endpoint, id, at] where an expression says how many it
 * took. Runs under the scope's lock, so that of two deliveries of a scope
 * the later finds the earlier.
 */
export function recordSql(dialect: Dialect, tables: readonly Table[], moved?: string): string {
  const { param, above, target } = dialect
  const params = (moved === undefined ? [1, 2, 3, 4, 5] : [1, 1, 2, 3, 4]).map(param)
  const [scope, second, endpoint, id, at] = params as [string, string, string, string, string]
  const n = moved ?? second
  // By the ends of the indexes. For an EXISTS Postgres may read a whole scope, where it expects to
  // find a row early.
  const line = `FROM driftline_deliveries AS delivery$ WHERE delivery$.scope = ${scope} AND delivery$.endpoint = ${endpoint}`
  const written = tables.map(
    (table) =>
      `(SELECT position FROM ${target(table)} WHERE ${above(scope, '0')} ORDER BY position DESC LIMIT 1) > scope$.position - ${n}`,
  )
  return `INSERT INTO driftline_deliveries (scope, endpoint, position, from_position, id, created_at, next_at, attempts, last_error, disabled_at)
SELECT ${scope}, ${endpoint}, scope$.position, scope$.position - ${n}, ${id}, ${at}, CASE WHEN (SELECT min(delivery$.position) ${line}) IS NULL THEN ${at} ELSE ${waiting} END, 0, '', 0
FROM driftline_scopes AS scope$ WHERE scope$.scope = ${scope} AND ${anyOf(written)}
RETURNING next_at`
}

/**
 * A tree and not a chain: SQLite in a Durable Object takes expressions about a hundred levels deep.
 */
function anyOf(conditions: readonly string[]): string {
  if (conditions.length < 2) return conditions[0] ?? '1 = 0'
  const half = conditions.length >> 1
  return `(${anyOf(conditions.slice(0, half))} OR ${anyOf(conditions.slice(half))})`
}

/**
 * The statements of sending. A delivery is claimed by moving its time, so that whoever dies gives
 * it back by itself.
 */
export interface DeliverySql {
  /** [endpoint, at, n] → the first n that are due, of all scopes. */
  readonly due: string
  /** [scope, endpoint] → the first of the line, due or not. */
  readonly head: string
  /**
   * [scope, endpoint, position, seen, until] → a row where it was still due, or disabled, and now
   * belongs to the caller.
   */
  readonly claim: string
  /**
   * [scope], [scope, endpoint, position], [scope, endpoint, at] → the next of the line, due or
   * claimed by then.
   */
  readonly finish: readonly [lock: string, remove: string, next: string]
  /** [scope, endpoint, position, claimed until, next, error, disabled at] */
  readonly fail: string
  /** [endpoint, now, before] makes due what was disabled before a time, in all scopes. */
  readonly enable: string
  /** → the scopes in which something waits. */
  readonly scopes: string
}

export function deliverySql({ param }: Dialect): DeliverySql {
  const [one, two, three, four, five, six, seven] = [1, 2, 3, 4, 5, 6, 7].map(param)
  const line = `scope = ${one} AND endpoint = ${two}`
  const first = `(SELECT min(position) FROM driftline_deliveries WHERE ${line})`
  return {
    due: `SELECT ${columns} FROM driftline_deliveries WHERE endpoint = ${one} AND next_at <= ${two} ORDER BY next_at LIMIT ${three}`,
    head: `SELECT ${columns} FROM driftline_deliveries WHERE ${line} ORDER BY position LIMIT 1`,
    claim: `UPDATE driftline_deliveries SET next_at = ${five}, disabled_at = 0 WHERE ${line} AND position = ${three} AND next_at = ${four} AND position = ${first} RETURNING position`,
    finish: [
      // The scope's lock: a push that has recorded the next one and not yet committed is waited
      // for, and then seen.
      `UPDATE driftline_scopes SET position = position WHERE scope = ${one}`,
      `DELETE FROM driftline_deliveries WHERE ${line} AND position = ${three}`,
      // Not one that is due already: another sender may have it.
      `UPDATE driftline_deliveries SET next_at = ${three} WHERE ${line} AND position = ${first} AND next_at = ${waiting} RETURNING ${columns}`,
    ],
    fail: `UPDATE driftline_deliveries SET next_at = ${five}, attempts = attempts + 1, last_error = ${six}, disabled_at = ${seven} WHERE ${line} AND position = ${three} AND next_at = ${four}`,
    enable: `UPDATE driftline_deliveries SET next_at = ${two}, attempts = 0, disabled_at = 0 WHERE endpoint = ${one} AND disabled_at > 0 AND disabled_at < ${three}`,
    scopes: 'SELECT DISTINCT scope FROM driftline_deliveries',
  }
}

const isFirst =
  'NOT EXISTS (SELECT 1 FROM driftline_deliveries AS before$ WHERE before$.scope = delivery$.scope AND before$.endpoint = delivery$.endpoint AND before$.position < delivery$.position)'

/**
 * [at] and [now, at], over all scopes: drops what was recorded before, and makes the first of each
 * line due that would be later, unless it is disabled. So a line that is disabled is tried again
 * once what disabled it is dropped.
 */
export function pruneDeliveriesSql({ param }: Dialect): readonly [remove: string, mend: string] {
  return [
    `DELETE FROM driftline_deliveries WHERE created_at < ${param(1)}`,
    `UPDATE driftline_deliveries AS delivery$ SET next_at = ${param(1)} WHERE delivery$.next_at > ${param(2)} AND delivery$.disabled_at = 0 AND ${isFirst}`,
  ]
}

/** For `npx driftline deliveries`, over all scopes of a database. */
export interface KeptDeliveriesSql {
  /**
   * → endpoint, waiting, oldest, the most attempts and an error; and → endpoint, scope, since,
   * reason of what is disabled.
   */
  readonly list: readonly [waiting: string, disabled: string]
  /** [endpoint, now]: enables all its lines and makes the first of each due. */
  readonly resend: string
}

export function keptDeliveriesSql({ param }: Dialect): KeptDeliveriesSql {
  const [one, two] = [1, 2].map(param)
  return {
    list: [
      'SELECT endpoint, count(*), min(created_at), max(attempts), max(last_error) FROM driftline_deliveries GROUP BY endpoint ORDER BY endpoint',
      'SELECT endpoint, scope, disabled_at, last_error FROM driftline_deliveries WHERE disabled_at > 0 ORDER BY endpoint, disabled_at, scope',
    ],
    resend: `UPDATE driftline_deliveries AS delivery$ SET next_at = ${two}, attempts = 0, disabled_at = 0 WHERE delivery$.endpoint = ${one} AND ${isFirst}`,
  }
}
