import type { Schema, Table } from '../model/table.ts'
import { isLong } from '../model/value.ts'
import { type Dialect, rowOctets } from './dialect.ts'
import { quoted } from './quoted.ts'

/**
 * What is asked where a scope may be near its limits of rows and bytes. Tombstones are no rows to
 * it.
 */
export interface RoomSql {
  /** [scope] → position, and the bytes of the scope's largest row so far, about. */
  readonly head: string
  /**
   * For each table [scope, position, rows] → its rows, up to so many, and their bytes. Where the
   * scope is at that position: nothing is counted.
   */
  readonly counts: readonly string[]
  /**
   * For each table [scope, after, to, rows] → the first rows between these positions, up to so
   * many, their bytes, and the position of the last.
   */
  readonly steps: readonly string[]
  /**
   * For each table [scope, ids] → a line for each row that is there: its stamp, 1 for a tombstone,
   * id, the bytes of each long column.
   */
  readonly sizes: ReadonlyMap<Table, string>
}

/** `weighs`: bytes are asked for. Without them no row's columns are looked at. */
export function roomSql(dialect: Dialect, { tables }: Schema, weighs: boolean): RoomSql {
  const [scope, second, third, fourth] = [1, 2, 3, 4].map((place) => dialect.param(place)) as [
    string,
    string,
    string,
    string,
  ]
  const sizeOf = (table: Table) => (weighs ? rowOctets(table, dialect.octets) : '0')
  const rowsOf = (table: Table) =>
    table.adopted && weighs
      ? `${dialect.target(table)} AS side$${dialect.joinApp(table, 'side$')}`
      : dialect.target(table)
  const position = `(SELECT position FROM driftline_scopes WHERE scope = ${scope})`
  return {
    head: `SELECT position, row_bytes FROM driftline_scopes WHERE scope = ${scope}`,
    counts: tables.map(
      (table) => `SELECT count(*), coalesce(sum(size$), 0) FROM (SELECT ${sizeOf(table)} AS size$ FROM ${rowsOf(table)}
WHERE ${position} <> CAST(${second} AS bigint) AND ${dialect.aliveAbove(scope, '0')} LIMIT CAST(${third} AS bigint)) AS counted$`,
    ),
    steps: tables.map(
      (
        table,
      ) => `SELECT count(*), coalesce(sum(size$), 0), max(position) FROM (SELECT position, ${sizeOf(table)} AS size$ FROM ${rowsOf(table)}
WHERE ${dialect.aliveAbove(scope, second)} AND position <= ${third} ORDER BY position LIMIT CAST(${fourth} AS bigint)) AS counted$`,
    ),
    sizes: new Map(
      tables.map((table) => {
        const long = table.columns.filter(({ type }) => isLong(type))
        const octets = long.map(({ name, type }) => `coalesce(${dialect.octets(type, quoted(name))}, 0)`)
        const cells = ['updated_at', 'updated_by', 'CASE WHEN deleted THEN 1 ELSE 0 END', 'id']
        return [
          table,
          `SELECT ${dialect.line([...cells, ...(weighs ? octets : [])])} ${dialect.fromIds(table, scope, second)}`,
        ]
      }),
    ),
  }
}
