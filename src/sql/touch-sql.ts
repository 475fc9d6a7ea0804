import { waiting } from './delivery-sql.ts'
import type { Dialect } from './dialect.ts'
import { quoted } from './quoted.ts'

/**
 * The rows that a migration moves, so that phones hear of them: the living ones of a table, or
 * those that fit.
 */
export interface Touch {
  readonly table: string
  /** A condition in the dialect's own SQL. */
  readonly condition?: string
}

/**
 * Keeps every push out until the migration is committed, and waits for those under way. Postgres
 * alone needs it, before the first statement of the file: a push takes its scope and then its
 * tables, and who goes the other way round meets it in a deadlock. Rows of scopes would not do, for
 * a scope may be new. Pulls go on.
 */
export const lockScopes: { readonly [name in Dialect['name']]: readonly string[] } = {
  postgres: ['LOCK TABLE driftline_scopes IN EXCLUSIVE MODE'],
  sqlite: [],
}

/**
 * Gives each of the rows a new position above its scope's, in the order of the old ones, and then
 * raises the scopes: one statement each, however many scopes. Stamps, writers and
 * `created_position` stay. The condition is asked once, so that one that answers another time
 * otherwise (`random() < 0.1`) gives no position twice.
 *
 * Between the two, lines of deliveries get one more: a row that waits to be told has left the
 * positions where a sender would look for it.
 */
export function touchSql(dialect: Dialect['name'], { table, condition }: Touch): string[] {
  const rows = quoted(table)
  const fits = condition === undefined ? '' : ` AND (\n${condition}\n)`
  const { lock, key, isSame, random } = spellings[dialect]
  const top = (scope: string) => `(SELECT max(row$.position) FROM ${rows} AS row$ WHERE row$.scope = ${scope})`
  const position = (scope: string) =>
    `(SELECT scope$.position FROM driftline_scopes AS scope$ WHERE scope$.scope = ${scope})`
  return [
    ...lock(rows),
    `UPDATE ${rows} AS stored$ SET position = coalesce(${position('stored$.scope')}, 0) + moved$.rank$
FROM (SELECT ${key}, row_number() OVER (PARTITION BY scope ORDER BY position) AS rank$
FROM ${rows} WHERE NOT deleted${fits}) AS moved$
WHERE ${isSame}`,
    `INSERT INTO driftline_deliveries (scope, endpoint, position, from_position, id, created_at, next_at, attempts, last_error, disabled_at)
SELECT line$.scope, line$.endpoint, line$.top$, line$.position$, 'msg_' || ${random}, line$.created$, ${waiting}, 0, '', 0
FROM (SELECT delivery$.scope, delivery$.endpoint, max(delivery$.created_at) AS created$, ${position('delivery$.scope')} AS position$,
${top('delivery$.scope')} AS top$
FROM driftline_deliveries AS delivery$ GROUP BY delivery$.scope, delivery$.endpoint) AS line$
WHERE line$.top$ > line$.position$`,
    `UPDATE driftline_scopes AS scope$ SET position = ${top('scope$.scope')}
WHERE ${top('scope$.scope')} > scope$.position`,
  ]
}

/**
 * Postgres finds the rows again by their place, which no statistics can lead astray, see
 * postgres-keys.ts; the lock keeps who writes beside driftline from moving one meanwhile. SQLite
 * always takes the key, and one writes at a time.
 */
const spellings = {
  postgres: {
    lock: (rows: string) => [`LOCK TABLE ${rows} IN SHARE ROW EXCLUSIVE MODE`],
    key: 'tableoid AS part$, ctid AS place$',
    isSame: 'stored$.tableoid = moved$.part$ AND stored$.ctid = moved$.place$',
    random: 'gen_random_uuid()',
  },
  sqlite: {
    lock: () => [],
    key: 'scope, id',
    isSame: 'stored$.scope = moved$.scope AND stored$.id = moved$.id',
    random: 'lower(hex(randomblob(16)))',
  },
}
