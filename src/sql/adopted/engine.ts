import type { Schema, Table } from '../../model/table.ts'
import type { adoptedSql } from './adopted-sql.ts'
import type { AdoptedTables, SettleSql } from './settle-sql.ts'
import type { AdoptedSpelling } from './spelling.ts'

/**
 * The SQL of tables that are adopted. It comes with their declaration, and nothing else leads to
 * it: a worker whose schema adopts none does not carry it.
 */
export interface SqlEngine {
  readonly postgres: DialectEngine & {
    /** [scope, n, client], spelled: tells triggers, behind a SELECT, which rows a push stamps. */
    beginPush(scope: string, n: string, client: string): string
  }
  readonly sqlite: DialectEngine
  readonly adoptedSql: typeof adoptedSql
}

/** What is spelled in one dialect. */
export interface DialectEngine {
  readonly spelling: AdoptedSpelling
  /** See `Dialect.joinApp`. */
  joinApp(table: Table, side: string): string
  settle(tables: AdoptedTables): SettleSql
}

/** Undefined: the table is driftline's own. */
export const sqlEngineOf = ({ adopted }: Pick<Table, 'adopted'>): SqlEngine | undefined =>
  adopted?.engine as SqlEngine | undefined

/** Undefined: the schema adopts no table. Throws a `TypeError` where the store cannot. */
export function settleSql(
  { name, adoptsNone }: { readonly name: 'postgres' | 'sqlite'; readonly adoptsNone?: string },
  { tables }: Schema,
): SettleSql | undefined {
  const some = tables.filter(({ adopted }) => adopted)
  const engine = some[0] && sqlEngineOf(some[0])
  if (!engine) return undefined
  if (adoptsNone !== undefined) throw new TypeError(adoptsNone)
  return engine[name].settle({ tables: some, names: some.map((table) => `'${table.name}'`).join(', ') })
}
