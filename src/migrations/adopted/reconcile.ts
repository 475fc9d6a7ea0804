import type { AdoptedTable } from '../../model/table.ts'
import { isAlive } from '../../sql/adopted/spelling.ts'
import type { Dialect } from '../../sql/dialect.ts'
import { adoptedInPostgres } from '../../sql/postgres/adopted.ts'
import { quoted } from '../../sql/quoted.ts'
import { adoptedInSqlite } from '../../sql/sqlite/adopted.ts'
import type { Store } from '../../stores/store.ts'
import { bytesOf as postgresBytes } from './postgres.ts'
import { bytesOf as sqliteBytes } from './sqlite.ts'

export interface ReconcileOptions {
  /** Every row is handed out again, and not only what no trigger has seen. */
  readonly all: boolean
  /** Rows that are looked at in one step. */
  readonly rowsMax?: number
  /** Settles what was noted, after each step, so that no more of it waits than that. */
  readonly settle: () => Promise<void>
  /** Told of each step. */
  readonly step?: (rows: number) => void
}

export interface Reconciled {
  /** Rows that were there and are synced from now on, and rows that were gone. */
  readonly found: number
  readonly gone: number
}

/** The stamp of rows that were there before: 2000-01-01. Any change of a phone is later. */
const firstStamp = 946_684_800_000_000

/**
 * Holds a table of the app against its side rows, in steps: rows without a living side row, and
 * side rows without a row, are noted as if SQL had written them now. So a table that was just
 * adopted gets its first side rows, and what was written without triggers is found. Whatever was
 * noted is settled; to run it again after it was stopped goes on, since what is settled is no
 * longer missed. It holds no lock while it looks.
 */
export async function reconcileTable(
  store: Store,
  table: AdoptedTable,
  { all, rowsMax = 1_000, settle, step = () => {} }: ReconcileOptions,
): Promise<Reconciled> {
  const sql = reconcileSql(store.dialect, table, all)
  let found = 0
  let gone = 0
  for (let after: string | null = null; ; ) {
    const params = [after, rowsMax]
    const [counted = []] = await store.batch('', [{ sql: sql.missed, params, reads: true }])
    const [count = 0, missed = 0, last = null] = counted[0] ?? []
    if (Number(missed) > 0) {
      await store.batch('', [{ sql: sql.noteMissed, params }])
      await settle()
    }
    found += Number(missed)
    step(Number(count))
    if (last === null || Number(count) < rowsMax) break
    after = String(last)
  }
  for (let after: readonly [string, string] = ['', '']; ; ) {
    const params = [...after, rowsMax]
    const [counted = []] = await store.batch('', [{ sql: sql.gone, params, reads: true }])
    const [count = 0, missed = 0, scope = null, id = null] = counted[0] ?? []
    if (Number(missed) > 0) {
      await store.batch('', [{ sql: sql.noteGone, params }])
      await settle()
    }
    gone += Number(missed)
    if (scope === null || Number(count) < rowsMax) break
    after = [String(scope), String(id)]
  }
  return { found, gone }
}

interface ReconcileSql {
  /** [key or null, n] → rows behind that key, how many are missed, and the last key. */
  readonly missed: string
  /** [key or null, n]: notes them. */
  readonly noteMissed: string
  /** [scope, id, n] → living side rows behind that, how many have no row, and the last of them. */
  readonly gone: string
  readonly noteGone: string
}

function reconcileSql(dialect: Dialect, table: AdoptedTable, all: boolean): ReconcileSql {
  const { name, adopted } = table
  const isPostgres = dialect.name === 'postgres'
  const { app, side, key, id, scope } = isPostgres ? adoptedInPostgres : adoptedInSqlite
  const [first, second, third] = [1, 2, 3].map((place) => dialect.param(place)) as [string, string, string]
  const text = isPostgres ? (param: string) => `${param}::text` : (param: string) => param
  const big = (param: string) => `CAST(${param} AS bigint)`
  const own = `own$.${quoted(adopted.key)}`
  const bytes = (isPostgres ? postgresBytes : sqliteBytes)(table, 'own$')
  const page = `(SELECT ${id(adopted, 'own$')} AS i$, ${scope(adopted, 'own$')} AS s$, ${own} AS k$, ${bytes} AS b$ FROM ${app(adopted)} AS own$
WHERE (${text(first)} IS NULL OR ${own} > ${key(adopted, text(first))})${isAlive(adopted, 'own$')} ORDER BY ${own} LIMIT ${big(second)}) AS page$`
  const held = `${page} LEFT JOIN ${side(table)} AS side$ ON side$.scope = page$.s$ AND side$.id = page$.i$`
  const isMissed = `page$.s$ IS NOT NULL AND ${all ? '1 = 1' : '(side$.id IS NULL OR side$.deleted)'}`
  const now = isPostgres
    ? '(extract(epoch FROM clock_timestamp()) * 1000000)::bigint'
    : "(CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000)"
  const at = `CASE WHEN side$.id IS NULL THEN ${firstStamp} ELSE ${now} END`
  const walk = `(SELECT scope AS s$, id AS i$ FROM ${side(table)} WHERE NOT deleted AND (scope, id) > (${text(first)}, ${text(second)}) ORDER BY scope, id LIMIT ${big(third)}) AS page$`
  const keyed = isPostgres ? `(SELECT page$.i$ COLLATE "default")` : 'page$.i$'
  const lacks = `NOT EXISTS (SELECT 1 FROM ${app(adopted)} AS own$ WHERE ${own} = ${key(adopted, keyed)} AND ${scope(adopted, 'own$')} = page$.s$${isAlive(adopted, 'own$')})`
  const note = (from: string, kind: string, stamp: string, size: string) =>
    isPostgres
      ? `INSERT INTO driftline.driftline_touched (scope, table_name, at, bytes, marks) SELECT s$, '${name}', at$, max(b$), array_agg(m$) FROM (SELECT page$.s$, ${stamp} AS at$, ${kind} || page$.i$ AS m$, ${size} AS b$ FROM ${from}) AS noted$ GROUP BY s$, at$`
      : `INSERT INTO driftline_touched (scope, table_name, id, kind, at, bytes) SELECT page$.s$, '${name}', page$.i$, ${kind}, ${stamp}, ${size} FROM ${from}`
  const [written, quiet, dead] = isPostgres ? ["'w'", "'q'", "'d'"] : ['2', '1', '3']
  const kind = `CASE WHEN side$.id IS NULL OR side$.deleted THEN ${written} ELSE ${quiet} END`
  const lastOf = (column: string, order: string) => `(SELECT ${column} FROM seen$ ORDER BY ${order} LIMIT 1)`
  return {
    missed: `WITH seen$ AS MATERIALIZED (SELECT page$.i$, page$.k$, ${isMissed} AS missed$ FROM ${held})
SELECT count(*), count(CASE WHEN missed$ THEN 1 END), ${lastOf('i$', 'k$ DESC')} FROM seen$`,
    noteMissed: note(`${held} WHERE ${isMissed}`, kind, at, 'page$.b$'),
    gone: `WITH seen$ AS MATERIALIZED (SELECT page$.s$, page$.i$, ${lacks} AS missed$ FROM ${walk})
SELECT count(*), count(CASE WHEN missed$ THEN 1 END), ${lastOf('s$', 's$ DESC, i$ DESC')}, ${lastOf('i$', 's$ DESC, i$ DESC')} FROM seen$`,
    noteGone: note(`${walk} WHERE ${lacks}`, dead, now, '64'),
  }
}
