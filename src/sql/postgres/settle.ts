import type { AppTable } from '../../model/adopted.ts'
import type { Table } from '../../model/table.ts'
import type { AdoptedTables, SettleSql } from '../adopted/settle-sql.ts'
import { isAlive } from '../adopted/spelling.ts'
import { quoted } from '../quoted.ts'
import { adoptedInPostgres, plainId } from './adopted.ts'
import { byKey } from './keys.ts'

const touched = 'driftline.driftline_touched'

/**
 * How long the app is waited for: for a row while a push holds others, and for a table. It is much
 * less than Postgres waits before it looks for deadlocks, so that of two who wait for each other
 * the app is never the one that loses (P18).
 */
const waitMs = 100
const impatient = `set_config('lock_timeout', '${waitMs}', true)`

export function postgresSettle({ tables, names }: AdoptedTables): SettleSql {
  const lines = `scope = $1 AND table_name IN (${names})`
  return {
    waiting: `SELECT DISTINCT line$.scope FROM (SELECT ${impatient} AS set$ OFFSET 0) AS set$ LEFT JOIN ${touched} AS line$ ON set$.set$ IS NOT NULL AND line$.scope = ANY ($1::text[]) AND line$.table_name IN (${names})`,
    waitingAnywhere: `SELECT DISTINCT scope FROM (SELECT scope FROM ${touched} WHERE table_name IN (${names}) ORDER BY n LIMIT CAST($1 AS bigint)) AS line$`,
    lock: `INSERT INTO driftline_scopes AS scope$ (scope, incarnation, position, watermark, row_bytes)
SELECT $1, $2, 0, 0, 64 WHERE EXISTS (SELECT 1 FROM ${touched} WHERE ${lines})
ON CONFLICT (scope) DO UPDATE SET position = scope$.position`,
    steps: [{ sql: stepSql(tables, lines), bounded: true, tells: true }],
    moved: "current_setting('driftline.settled')::bigint",
    begin: `SELECT ${beginPush('$1', '$2', '$3')}`,
    end: undefined,
    immediate: 'SET CONSTRAINTS ALL IMMEDIATE',
    impatient: `SELECT ${impatient}, ${setSearches('off')}`,
    hold: 'SELECT 1 FROM driftline_scopes WHERE scope = $1 FOR NO KEY UPDATE',
  }
}

/**
 * What is looked up row by row is looked up by a key: right behind a large statement of the app no
 * statistics say yet how large its table has become, and a plan may be older than that.
 */
const setSearches = (scans: 'on' | 'off') => `set_config('enable_seqscan', '${scans}', true)`

/** Tells triggers, behind a SELECT, which rows a push stamps itself, and waits for no row long. */
export const beginPush = (scope: string, n: string, client: string): string =>
  `set_config('driftline.push', (position - CAST(${n} AS bigint))::text, true), set_config('driftline.scope', scope, true), set_config('driftline.until', position::text, true), set_config('driftline.client', ${client}::text, true), ${impatient} FROM driftline_scopes WHERE scope = ${scope}`

/**
 * One statement, so one snapshot, which is younger than the lock. A push that comes behind it waits
 * for its scope as long as it takes.
 */
function stepSql(tables: readonly Table[], lines: string): string {
  const size = 'coalesce(cardinality(marks), CAST($2 AS bigint))'
  return `WITH bound$ AS MATERIALIZED (SELECT max(n) AS last$ FROM (SELECT n, sum(${size}) OVER (ORDER BY n) - ${size} AS before$ FROM (SELECT n, marks FROM ${touched} WHERE ${lines} ORDER BY n LIMIT CAST($2 AS bigint)) AS first$) AS line$ WHERE before$ < CAST($2 AS bigint)),
line$ AS (DELETE FROM ${touched} WHERE ${lines} AND n <= (SELECT last$ FROM bound$) RETURNING n, table_name, at, writer, bytes, marks),
mark$ AS (SELECT table_name, left(mark$, 1) AS kind$, substr(mark$, 2) AS id$, n, at, writer FROM line$ CROSS JOIN LATERAL unnest(marks) AS mark$
${tables.map((table) => `UNION ALL SELECT table_name, 'w', ${plainId('all$.id')}, n, at, writer FROM line$ CROSS JOIN LATERAL (${everyId(table)}) AS all$ WHERE marks IS NULL AND table_name = '${table.name}'`).join('\n')}),
row$ AS (SELECT table_name, id$, min(n) AS n$, max(at) AS at$, (array_agg(writer ORDER BY n DESC) FILTER (WHERE kind$ <> 'q'))[1] AS by$, bool_and(kind$ = 'q') AS quiet$ FROM mark$ GROUP BY table_name, id$),
state$ AS MATERIALIZED (${tables.map(stateSql).join('\nUNION ALL ')}),
moved$ AS (SELECT *, (SELECT position FROM driftline_scopes WHERE scope = $1) + row_number() OVER (ORDER BY n$, place$, id$) AS position$, quiet$ AND was$ IS FALSE AND NOT gone$ AS keeps$ FROM state$ WHERE NOT (gone$ AND coalesce(was$, true))),
${tables.map((table, place) => `side${place}$ AS (${writeSide(table, place)})`).join(',\n')},
scope$ AS (UPDATE driftline_scopes SET position = position + (SELECT count(*) FROM moved$), row_bytes = greatest(row_bytes, (SELECT max(bytes) FROM line$)) WHERE scope = $1 RETURNING position)
SELECT CASE WHEN set_config('lock_timeout', '0', true) || ${setSearches('on')} <> '' THEN (SELECT count(*) FROM moved$) END, (SELECT position FROM scope$), CASE WHEN EXISTS (SELECT 1 FROM ${touched} WHERE ${lines} AND n > (SELECT last$ FROM bound$)) THEN 1 ELSE 0 END, set_config('driftline.settled', (SELECT count(*) FROM moved$)::text, true)`
}

const { app, scope, key, id, side } = adoptedInPostgres

function everyId(table: Table): string {
  const { adopted } = table
  const own = adopted
    ? ` UNION SELECT ${id(adopted, 'own$')} FROM ${app(adopted)} AS own$ WHERE ${scope(adopted, 'own$')} = $1`
    : ''
  return `SELECT id FROM ${side(table)} WHERE scope = $1${own}`
}

function stateSql(table: Table, place: number): string {
  const adopted = table.adopted as AppTable
  return `SELECT ${place} AS place$, row$.id$, row$.n$, row$.at$, row$.by$, row$.quiet$, stored$.updated_at, stored$.updated_by, stored$.deleted AS was$, NOT EXISTS (SELECT 1 FROM ${app(adopted)} AS own$
WHERE own$.${quoted(adopted.key)} = ${key(adopted, 'row$.id$')} AND ${scope(adopted, 'own$')} = $1${isAlive(adopted, 'own$')} OFFSET 0) AS gone$
FROM row$ LEFT JOIN LATERAL (SELECT * FROM ${side(table)} WHERE ${byKey('$1', 'row$.id$')} OFFSET 0) AS stored$ ON true WHERE row$.table_name = '${table.name}'`
}

function writeSide(table: Table, place: number): string {
  return `INSERT INTO ${side(table)} (scope, id, updated_at, updated_by, deleted, position, created_position)
SELECT $1, id$, CASE WHEN keeps$ THEN updated_at ELSE greatest(updated_at + 1, at$) END, CASE WHEN keeps$ THEN updated_by ELSE coalesce(by$, 'sql') END, gone$, position$, position$ FROM moved$ WHERE place$ = ${place}
ON CONFLICT (scope, id) DO UPDATE SET updated_at = excluded.updated_at, updated_by = excluded.updated_by, deleted = excluded.deleted, position = excluded.position`
}
