import type { Schema } from '../model/table.ts'
import type { Dialect } from './dialect.ts'
import type { Raise } from './markers.ts'

export interface ScopeSql {
  /**
   * [scope, incarnation, n, row bytes, row bytes at the most] → the head. Locks the scope to the
   * commit and takes n positions. Aborts where the scope has held a larger row.
   */
  readonly lock: string
  /**
   * The same and [… position, rows, bytes]: aborts where so much more may have come into the scope
   * since that position.
   */
  readonly boundedLock: string
  /** [scope, incarnation, floor, n]: aborts where the cursor must resync. */
  readonly gate: string
  /** [scope, source, id]: aborts where this webhook has taken effect already. */
  readonly repeated: string
  /** [scope, source, id] → letters and details of a webhook. */
  readonly recall: string
  /** [scope, source, id, letters] */
  readonly rewriteClaim: string
  /**
   * The beginning of [scope, bytes, …]: aborts where the expression that follows is above so many
   * bytes.
   */
  readonly weigh: string
  /** [scope, incarnation, n, row bytes] → nothing: the lock of a rehearsal. */
  readonly trialLock: string
  /** [scope]: aborts in any case. */
  readonly probe: string
  /**
   * [scope] → up to when adds may be forgotten; and [scope, at]: aborts where that is not before.
   */
  readonly addsFloor: string
  readonly expired: string
  /** [scope, position, start, n, limit] → the head and one page. */
  readonly page: string
  /** The same where the scope's rows may be large: looks at their sizes. */
  readonly sizedPage: string
  /** Both where the scope bootstraps. */
  readonly firstPage: string
  readonly sizedFirstPage: string
}

/** [scope, incarnation, n, row bytes]: locks the scope and takes n positions. */
export function lockSql({ param }: Pick<Dialect, 'param'>): string {
  return `INSERT INTO driftline_scopes AS scope$ (scope, incarnation, position, watermark, row_bytes) VALUES (${param(1)}, ${param(2)}, CAST(${param(3)} AS bigint), 0, CAST(${param(4)} AS bigint))
ON CONFLICT (scope) DO UPDATE SET position = scope$.position + excluded.position,
row_bytes = CASE WHEN scope$.row_bytes < excluded.row_bytes THEN excluded.row_bytes ELSE scope$.row_bytes END`
}

export function scopeSql(dialect: Dialect, schema: Schema, bytesMax: number, raise: Raise): ScopeSql {
  const [scope, second, third, fourth, fifth] = [1, 2, 3, 4, 5].map((place) => dialect.param(place))
  // The row lock is held to the commit, so the order of positions is the order of commits and no
  // pull skips a row.
  const lock = `${lockSql(dialect)} RETURNING incarnation, position, watermark,
CASE WHEN row_bytes > ${fifth} THEN ${raise('driftline_large', 'position')} END`
  const [at, rows, bytes] = [6, 7, 8].map((place) => `CAST(${dialect.param(place)} AS bigint)`)
  return {
    lock,
    // A patched row may be twice as large as the largest, see rowBytesMax.
    boundedLock: `${lock},
CASE WHEN position = ${at} THEN NULL WHEN position < ${at} OR position - ${at} > ${rows} OR row_bytes > ${bytes} / (2 * (position - ${at}))
THEN ${raise('driftline_full', 'position')} END`,
    gate: `SELECT ${raise('driftline_resync', 'scope$.position')} FROM driftline_scopes AS scope$ WHERE scope$.scope = ${scope}
AND NOT (scope$.incarnation = coalesce(${second}, scope$.incarnation) AND scope$.watermark <= ${third} AND scope$.position - ${fourth} >= ${third})`,
    repeated: `SELECT ${raise('driftline_repeated', 'inbox$.received_at')} FROM driftline_inbox AS inbox$ WHERE inbox$.scope = ${scope} AND inbox$.source = ${second} AND inbox$.id = ${third}`,
    recall: `SELECT outcome, details FROM driftline_inbox WHERE scope = ${scope} AND source = ${second} AND id = ${third}`,
    rewriteClaim: `UPDATE driftline_inbox SET outcome = ${fourth} WHERE scope = ${scope} AND source = ${second} AND id = ${third}`,
    weigh: `SELECT ${raise('driftline_large', 'scope$.position')} FROM driftline_scopes AS scope$ WHERE scope$.scope = ${scope} AND ${second} < `,
    trialLock: lockSql(dialect),
    probe: `SELECT ${raise('driftline_probe', 'scope$.position')} FROM driftline_scopes AS scope$ WHERE scope$.scope = ${scope}`,
    addsFloor: `SELECT adds_floor FROM driftline_scopes WHERE scope = ${scope}`,
    expired: `SELECT ${raise('driftline_expired', 'scope$.position')} FROM driftline_scopes AS scope$ WHERE scope$.scope = ${scope} AND scope$.adds_floor >= ${second}`,
    page: dialect.page(schema, { bytesMax, sized: false, bootstraps: false }),
    sizedPage: dialect.page(schema, { bytesMax, sized: true, bootstraps: false }),
    firstPage: dialect.page(schema, { bytesMax, sized: false, bootstraps: true }),
    sizedFirstPage: dialect.page(schema, { bytesMax, sized: true, bootstraps: true }),
  }
}
