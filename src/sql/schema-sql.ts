import { limits } from '../model/limits.ts'
import { hasStamp } from '../model/merge.ts'
import { type Schema, systemColumns, type Table } from '../model/table.ts'
import { settleSql } from './adopted/engine.ts'
import type { SettleSql } from './adopted/settle-sql.ts'
import { gatesSql } from './count-sql.ts'
import type { Dialect } from './dialect.ts'
import { drawNonce, type Raise, raiseWith } from './markers.ts'
import { bytesOf } from './parts.ts'
import { type ScopeSql, scopeSql } from './scope-sql.ts'
import type { StoreLimits } from './statement.ts'
import { type TableSql, tableSql } from './table-sql.ts'

/** All SQL of a schema in one dialect. */
export interface Sql {
  readonly schema: Schema
  readonly dialect: Dialect
  readonly tables: readonly TableSql[]
  readonly scope: ScopeSql
  /** Undefined: the schema adopts no table. */
  readonly settle: SettleSql | undefined
  /**
   * Pages of many scopes that go on, and of many that bootstrap: see `Together`; and their counts.
   * Undefined: the store holds one scope, or takes no statement so long, and each scope is read by
   * itself.
   */
  readonly pages: PagesSql | undefined
  /** See `gatesSql`. */
  readonly gates: string
  readonly paramBytesMax: number | undefined
  /** Tells the markers of these statements from any text of a user. */
  readonly nonce: string
  readonly raise: Raise
}

/** Throws a `TypeError` where a schema is too large for a store. */
export function compileSchema(
  schema: Schema,
  dialect: Dialect,
  storeLimits?: StoreLimits,
  nonce: string = drawNonce(),
): Sql {
  const raise = raiseWith(dialect, nonce)
  const sql: Sql = {
    schema,
    dialect,
    tables: schema.tables.map((table) => tableSql(dialect, table, raise)),
    scope: scopeSql(dialect, schema, limits.pageBytesMax, raise),
    settle: settleSql(dialect, schema),
    pages: pagesOf(schema, dialect, storeLimits),
    gates: gatesSql(dialect, raise),
    paramBytesMax: storeLimits?.paramBytesMax,
    nonce,
    raise,
  }
  if (storeLimits) checkFit(sql, storeLimits)
  return sql
}

export interface PagesSql {
  readonly next: string
  readonly first: string
  readonly countNext: string
  readonly countFirst: string
}

export function pagesOf(schema: Schema, dialect: Dialect, storeLimits?: StoreLimits): PagesSql | undefined {
  const { together } = dialect
  if (!together) return undefined
  const bytesMax = limits.pageBytesMax
  const pages: PagesSql = {
    next: together.pages(schema, { bytesMax, bootstraps: false }),
    first: together.pages(schema, { bytesMax, bootstraps: true }),
    countNext: together.countPages(schema, { bootstraps: false }),
    countFirst: together.countPages(schema, { bootstraps: true }),
  }
  const sqlBytesMax = storeLimits?.sqlBytesMax ?? Number.POSITIVE_INFINITY
  return Object.values(pages).some((text) => bytesOf(text) > sqlBytesMax) ? undefined : pages
}

/** The columns of a table in the database: those of the schema, driftline's own, and stamps. */
function storedColumns(table: Table): number {
  const stamps = table.columns.filter((column) => hasStamp(table, column)).length
  return systemColumns.length + table.columns.length + stamps + (table.byColumn ? 2 : 0)
}

/**
 * Throws a `TypeError` with a sentence where the schema is too large for a store, before any row
 * could meet it.
 */
function checkFit({ tables, scope }: Sql, { sqlBytesMax, resultColumnsMax }: StoreLimits): void {
  const columnsMax = (resultColumnsMax - 3) >> 1
  for (const { table } of tables) {
    if (table.columns.length > columnsMax) {
      throw new TypeError(
        `The table ${table.name} has ${table.columns.length} columns, and this database takes ${columnsMax}: split it`,
      )
    }
  }
  for (const { table } of tables) {
    const columns = storedColumns(table)
    if (columns > resultColumnsMax) {
      throw new TypeError(
        `The table ${table.name} has ${table.columns.length} columns, with its stamps ${columns}, and this database takes ${resultColumnsMax}: split it`,
      )
    }
  }
  const statements = [
    ['a page', [...Object.values(scope), tables.map(({ weight }) => weight(3)).join(' + ')]],
    ...tables.map(
      ({
        table,
        rowFields: _,
        patchFields: __,
        weight: ___,
        bulk,
        adds,
        keys,
        takesTime: ____,
        variant,
        trial,
        adopted,
        sideFields: _____,
        ...sql
      }) => [
        `the table ${table.name}`,
        [
          ...Object.values(sql),
          bulk.upsert,
          bulk.tally,
          bulk.settled,
          ...Object.values(adds ?? {}),
          ...Object.values(adopted ?? {}).filter((text) => typeof text === 'string'),
          keys?.look ?? '',
          keys?.taken ?? '',
        ],
      ],
    ),
  ] as [string, string[]][]
  for (const [what, texts] of statements) {
    const bytes = Math.max(...texts.map(bytesOf))
    if (bytes > sqlBytesMax) {
      throw new TypeError(
        `The SQL of ${what} has ${bytes} bytes, and this database takes ${sqlBytesMax}: have fewer tables or columns`,
      )
    }
  }
}
