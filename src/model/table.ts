import type { Adopted } from './adopted.ts'
import type { Column, Filled, MergeRule } from './column.ts'
import type { ColumnType, ValueCheck, ValueRules } from './value.ts'

export type TableColumns = { readonly [column: string]: Column }

/** Stands beside the columns of a table, where each has a stamp of its own. */
export const byColumnMark = Symbol.for('driftline.byColumn')

/**
 * The columns of a table of which each has a stamp of its own: of two patches of different columns
 * none is lost, in whatever order they arrive.
 */
export function byColumn<const Columns extends TableColumns>(columns: Columns): Columns {
  return { ...columns, [byColumnMark]: true }
}
export type SchemaTables = { readonly [table: string]: TableColumns }

/** A column as the stages use it. `key` is its short name inside a JSON parameter. */
export interface TableColumn {
  readonly name: string
  /** What the app calls it, see `viewOf`. */
  readonly wire: string
  /** The app does not know it: no row shows it. */
  readonly hidden?: true
  /** A put leaves it as it is, where the row lives. */
  readonly kept?: true
  /** The version of the app that was the first to know it. */
  readonly since?: number
  /** How its values meet. Undefined: the last writer wins. */
  readonly merge?: MergeRule
  /** The server fills it. */
  readonly filled?: Filled
  /** The database fills it, see `adopted`. */
  readonly readonly?: true
  /** Its name in a table that is adopted, where it is called otherwise here. */
  readonly source?: string
  readonly type: ColumnType
  readonly nullable: boolean
  readonly default: unknown
  readonly rules: ValueRules
  readonly key: string
  readonly check: ValueCheck
  /** A value that passed the check in the spelling that is stored, where there are others. */
  readonly canonical: ((value: unknown) => unknown) | undefined
}

export interface Table {
  readonly name: string
  /** What the app calls it. */
  readonly wire: string
  readonly columns: readonly TableColumn[]
  /**
   * Place of a column in `columns` by what the app calls it. A map, so that `__proto__` and friends
   * are plain unknown names.
   */
  readonly places: ReadonlyMap<string, number>
  /** The names that columns had, by those that they have. */
  readonly renamedFrom: ReadonlyMap<string, string>
  /** Columns by the names that they had, which changes may still say. */
  readonly aliases: ReadonlyMap<string, string>
  /** Columns that are gone: changes may still bring them, and they are dropped. */
  readonly retired: ReadonlySet<string>
  /** Whether each column has a stamp of its own. */
  readonly byColumn: boolean
  /** The keys that are unique among the living rows of a scope, each the names of its columns. */
  readonly unique: readonly (readonly string[])[]
  /** Triggers may change what is sent: what is stored always goes back to the writer. */
  readonly rewrites: boolean
  /** The table of the app that it is, where driftline did not make it. */
  readonly adopted?: Adopted
}

export type AdoptedTable = Table & { readonly adopted: Adopted }
export const isAdopted = (table: Table): table is AdoptedTable => table.adopted !== undefined

/** All synced tables. The type parameter carries the declaration to the row types. */
export interface Schema<Tables extends SchemaTables = SchemaTables> {
  readonly tables: readonly Table[]
  /** By what the app calls them. */
  readonly tablesByName: ReadonlyMap<string, Table>
  /** Tables by the names that they had, which changes may still say. */
  readonly aliases: ReadonlyMap<string, Table>
  /** Tables that are gone: changes of them are dropped. */
  readonly retired: ReadonlySet<string>
  /** The versions of the app that were the first to know tables. */
  readonly since: ReadonlyMap<string, number>
  /** What a client is told where it breaks one of these constraints. Others are not named to it. */
  readonly messages: ReadonlyMap<string, string>
  /** The names that tables had, by those that they have. */
  readonly renamedFrom: ReadonlyMap<string, string>
  /** Never set: carries `Tables` to the row types. */
  readonly declared?: Tables
}

/** A row as it is pulled: every column. */
export type Row<S extends Schema, Name extends TableName<S>> = {
  -readonly [C in keyof Declared<S>[Name]]: ValueOf<Declared<S>[Name][C]>
}
/**
 * The row of a put: a column that is nullable or has a default may be left out, and one that the
 * server fills must be.
 */
export type PutRow<S extends Schema, Name extends TableName<S>> = {
  -readonly [C in keyof Declared<S>[Name] as NameWhere<Declared<S>[Name][C], false, C>]: PutOf<Declared<S>[Name][C]>
} & {
  -readonly [C in keyof Declared<S>[Name] as NameWhere<Declared<S>[Name][C], true, C>]?: PutOf<Declared<S>[Name][C]>
}
/** The row of a patch: the columns that change. */
export type PatchRow<S extends Schema, Name extends TableName<S>> = {
  -readonly [C in keyof Declared<S>[Name] as [PatchOf<Declared<S>[Name][C]>] extends [never] ? never : C]?: PatchOf<
    Declared<S>[Name][C]
  >
}
export type TableName<S extends Schema> = keyof Declared<S> & string
type Declared<S extends Schema> = S extends Schema<infer Tables> ? Tables : never
type ValueOf<C> = C extends Column<infer Value, boolean> ? Value : never
type PutOf<C> = C extends Column<unknown, boolean, infer Put> ? Put : never
type PatchOf<C> = C extends Column<unknown, boolean, unknown, infer Patch> ? Patch : never
type NameWhere<C, Optional extends boolean, Name> = [PutOf<C>] extends [never]
  ? never
  : C extends Column<unknown, Optional>
    ? Name
    : never

/** The columns of all keys that are unique, in the order of the table's. */
export const keyColumns = ({ columns, unique }: Pick<Table, 'columns' | 'unique'>): TableColumn[] =>
  columns.filter(({ name }) => unique.some((key) => key.includes(name)))

/** The columns that driftline keeps beside the user's own. */
export const systemColumns = [
  'scope',
  'id',
  'updated_at',
  'updated_by',
  'deleted',
  'position',
  'created_position',
] as const

/** The tables, and how a change finds them. */
export function withTables(
  tables: readonly Table[],
  renames: Iterable<readonly [name: string, from: string]>,
): Pick<Schema, 'tables' | 'tablesByName' | 'aliases'> {
  const byName = new Map(tables.map((table) => [table.name, table]))
  const tablesByName = new Map(tables.map((table) => [table.wire, table]))
  const aliases = new Map<string, Table>()
  for (const [name, from] of renames) {
    const table = byName.get(name)
    if (table && !tablesByName.has(from)) aliases.set(from, table)
  }
  return { tables, tablesByName, aliases }
}
