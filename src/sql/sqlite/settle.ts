import type { AppTable } from '../../model/adopted.ts'
import type { Table } from '../../model/table.ts'
import type { AdoptedTables, SettleSql } from '../adopted/settle-sql.ts'
import { isAlive } from '../adopted/spelling.ts'
import { quoted } from '../quoted.ts'
import { adoptedInSqlite } from './adopted.ts'

const { app, scope, key, side } = adoptedInSqlite

const end = 'DELETE FROM driftline_push WHERE scope = ?1'
const step = (sql: string, kind?: 'bounded' | 'tells') => ({
  sql,
  bounded: kind === 'bounded',
  tells: kind === 'tells',
})

/** One writes at a time: between the steps nobody comes. */
export function sqliteSettle({ tables, names }: AdoptedTables): SettleSql {
  const lines = `scope = ?1 AND table_name IN (${names})`
  const last = `(SELECT max(n) FROM (SELECT n FROM driftline_touched WHERE ${lines} ORDER BY n LIMIT ?2))`
  return {
    waiting: `SELECT DISTINCT scope FROM driftline_touched WHERE scope IN (SELECT value FROM json_each(?1)) AND table_name IN (${names})`,
    waitingAnywhere: `SELECT DISTINCT scope FROM (SELECT scope FROM driftline_touched WHERE table_name IN (${names}) ORDER BY n LIMIT ?1)`,
    moved: '(SELECT scope$.position - push$.base FROM driftline_push AS push$ WHERE push$.scope = scope$.scope)',
    lock: `INSERT INTO driftline_scopes (scope, incarnation, position, watermark, row_bytes)
SELECT ?1, ?2, 0, 0, 64 WHERE EXISTS (SELECT 1 FROM driftline_touched WHERE ${lines}) ON CONFLICT (scope) DO NOTHING`,
    steps: [
      step(
        'INSERT INTO driftline_push (scope, base, until, line) SELECT scope, position, position, 0 FROM driftline_scopes WHERE scope = ?1',
      ),
      ...tables.flatMap((table) => [
        step(writeSide(table, last), 'bounded'),
        step(
          `UPDATE driftline_scopes SET position = coalesce((SELECT max(position) FROM ${side(table)} WHERE scope = ?1 AND position > driftline_scopes.position), position) WHERE scope = ?1`,
        ),
      ]),
      step(
        `UPDATE driftline_scopes SET row_bytes = max(row_bytes, coalesce((SELECT max(bytes) FROM driftline_touched WHERE ${lines} AND n <= ${last}), 0)) WHERE scope = ?1`,
        'bounded',
      ),
      step(`DELETE FROM driftline_touched WHERE ${lines} AND n <= ${last}`, 'bounded'),
      step(
        `SELECT scope$.position - push$.base, scope$.position, EXISTS (SELECT 1 FROM driftline_touched WHERE ${lines}) FROM driftline_scopes AS scope$ JOIN driftline_push AS push$ ON push$.scope = scope$.scope WHERE scope$.scope = ?1`,
        'tells',
      ),
    ],
    begin:
      'INSERT INTO driftline_push (scope, base, until, line) SELECT scope, position - ?2, position, coalesce((SELECT max(n) FROM driftline_touched), 0) FROM driftline_scopes WHERE scope = ?1 AND ?3 IS NOT NULL ON CONFLICT (scope) DO UPDATE SET base = excluded.base, until = excluded.until, line = excluded.line',
    end,
    immediate: undefined,
    impatient: undefined,
    hold: undefined,
  }
}

function writeSide(table: Table, last: string): string {
  const adopted = table.adopted as AppTable
  const lives = `EXISTS (SELECT 1 FROM ${app(adopted)} AS own$ WHERE own$.${quoted(adopted.key)} = ${key(adopted, 'row$.id$')} AND ${scope(adopted, 'own$')} = ?1${isAlive(adopted, 'own$')})`
  const keeps = `(row$.most$ = 1 AND NOT stored$.deleted AND ${lives})`
  return `INSERT INTO ${side(table)} (scope, id, updated_at, updated_by, deleted, position, created_position)
SELECT ?1, id$, CASE WHEN keeps$ THEN at$ ELSE max(coalesce(stored_at$ + 1, 0), sent_at$) END, CASE WHEN keeps$ THEN by$ ELSE 'sql' END, NOT lives$, base$ + number$, base$ + number$
FROM (SELECT *, (SELECT position FROM driftline_scopes WHERE scope = ?1) AS base$, row_number() OVER (ORDER BY n$, id$) AS number$ FROM (
SELECT row$.id$, row$.n$, row$.at$ AS sent_at$, stored$.updated_at AS at$, stored$.updated_at AS stored_at$, stored$.updated_by AS by$, ${lives} AS lives$, coalesce(${keeps}, 0) AS keeps$, row$.most$, stored$.deleted AS was$
FROM (SELECT id AS id$, min(n) AS n$, max(at) AS at$, max(kind) AS most$ FROM driftline_touched WHERE scope = ?1 AND table_name = '${table.name}' AND n <= ${last} GROUP BY id) AS row$
LEFT JOIN ${side(table)} AS stored$ ON stored$.scope = ?1 AND stored$.id = row$.id$)
WHERE CASE WHEN lives$ THEN NOT (most$ = 0 AND was$ IS 0) ELSE was$ IS 0 END)
WHERE 1 = 1 ON CONFLICT (scope, id) DO UPDATE SET updated_at = excluded.updated_at, updated_by = excluded.updated_by, deleted = excluded.deleted, position = excluded.position`
}
