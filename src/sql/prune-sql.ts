import { hasCounters } from '../model/merge.ts'
import type { Schema } from '../model/table.ts'
import { always, type Dialect } from './dialect.ts'
import { quoted } from './quoted.ts'
import type { Reference } from './references.ts'
import type { Field } from './statement.ts'

/**
 * The statements of pruning. A mark says which position a scope had reached at a time; one at 0 how
 * far it is pruned.
 */
export interface PruneSql {
  /**
   * Whether several scopes may be pruned in one transaction. Where a writer has the whole database
   * to itself, that is one commit instead of many; where scopes are locked one by one, a busy scope
   * would keep the others locked with it.
   */
  readonly together: boolean
  /**
   * [scope, at, n] → of n scopes after that one: scope, position, watermark, the newest mark up to
   * `at`, the mark at 0, the newest mark and its time.
   */
  readonly scopes: string
  readonly markFields: readonly Field[]
  /** [marks] */
  readonly mark: string
  /** For each table [scope, from, to, n] → the positions of the first n tombstones. */
  readonly tombstones: readonly string[]
  /** [scope, position]: locks the scope and raises its watermark. */
  readonly raise: string
  /** For each table [scope, from, to]. */
  readonly remove: readonly string[]
  /** [scope, position]: puts one mark at 0 in the place of all up to there. */
  readonly done: readonly string[]
  /** [time, n] → the scopes of the n webhooks that were received first, before that time. */
  readonly received: string
  /** [scope, time]: removes webhooks that were received before. */
  readonly forget: string
  /**
   * [time, n] → n scopes that remember adds from before that time. Undefined: there are no
   * counters.
   */
  readonly adding: string | undefined
  /**
   * [scope, time, n]: raises the floor of the scope to the time of its n-th add, of those before
   * that time, and forgets what lies at or below it.
   */
  readonly forgetAdds: readonly string[]
}

/**
 * `references`: a tombstone that a row refers to stays, since a database would refuse to remove it,
 * or remove that row too.
 */
export function pruneSql(dialect: Dialect, schema: Schema, references: readonly Reference[] = []): PruneSql {
  const [one, two, three, four] = [1, 2, 3, 4].map((place) => dialect.param(place)) as [string, string, string, string]
  const markFields: Field[] = [
    { name: 'scope$', type: 'text' },
    { name: 'position$', type: 'integer' },
    { name: 'at$', type: 'integer' },
  ]
  const dead = (table: string) =>
    [
      `${dialect.above(one, two)} AND position <= ${three} AND deleted`,
      ...references.filter(({ parent }) => parent === table).flatMap(unreferred),
    ].join(' AND ')
  return {
    together: dialect.name === 'sqlite',
    scopes: `SELECT scope$.scope, scope$.position, scope$.watermark, max(CASE WHEN mark$.at <= ${two} THEN mark$.position END), max(CASE WHEN mark$.at = 0 THEN mark$.position END), max(mark$.position), max(mark$.at)
FROM driftline_scopes AS scope$ LEFT JOIN driftline_marks AS mark$ ON mark$.scope = scope$.scope WHERE scope$.scope > ${one}
GROUP BY scope$.scope, scope$.position, scope$.watermark ORDER BY scope$.scope LIMIT ${three}`,
    markFields,
    mark: `INSERT INTO driftline_marks (scope, position, at) SELECT sent$.scope$, sent$.position$, sent$.at$ FROM ${dialect.decodeRows(markFields, 1)} WHERE ${always} ON CONFLICT (scope, position) DO NOTHING`,
    tombstones: schema.tables.map(
      (table) =>
        `SELECT position FROM ${dialect.target(table)} WHERE ${dead(table.name)} ORDER BY position LIMIT ${four}`,
    ),
    raise: `UPDATE driftline_scopes SET watermark = CASE WHEN watermark < ${two} THEN ${two} ELSE watermark END WHERE scope = ${one}`,
    remove: schema.tables.map((table) => `DELETE FROM ${dialect.target(table)} WHERE ${dead(table.name)}`),
    done: [
      `DELETE FROM driftline_marks WHERE scope = ${one} AND position <= ${two}`,
      `INSERT INTO driftline_marks (scope, position, at) VALUES (${one}, ${two}, 0) ON CONFLICT (scope, position) DO UPDATE SET at = 0`,
    ],
    received: `SELECT scope FROM driftline_inbox WHERE received_at < ${one} ORDER BY received_at LIMIT ${two}`,
    forget: `DELETE FROM driftline_inbox WHERE scope = ${one} AND received_at < ${two}`,
    adding: schema.tables.some(hasCounters)
      ? `SELECT scope FROM driftline_scopes AS scope$ WHERE EXISTS (SELECT 1 FROM driftline_adds WHERE driftline_adds.scope = scope$.scope AND at < ${one}) LIMIT ${two}`
      : undefined,
    forgetAdds: [
      `UPDATE driftline_scopes SET adds_floor = (SELECT max(at$) FROM (SELECT adds_floor AS at$ UNION ALL SELECT at FROM (SELECT at FROM driftline_adds WHERE scope = ${one} AND at < ${two} ORDER BY at LIMIT ${three}) AS first$) AS floor$) WHERE scope = ${one}`,
      `DELETE FROM driftline_adds WHERE scope = ${one} AND at <= (SELECT adds_floor FROM driftline_scopes WHERE scope = ${one})`,
    ],
  }
}

/** A table that is not synced may have a rule for its own rows. */
function unreferred({ parent, child, isChildSynced, columns, onDelete }: Reference): string[] {
  if (!isChildSynced && onDelete !== undefined) return []
  const same = columns.map(([of, at]) => `child$.${nameOf(of)} = ${quoted(parent)}.${nameOf(at)}`)
  return [`NOT EXISTS (SELECT 1 FROM ${child} AS child$ WHERE ${same.join(' AND ')})`]
}

/** Columns of a table that is the user's own may be called anything. */
const nameOf = (column: string) => `"${column.replaceAll('"', '""')}"`
