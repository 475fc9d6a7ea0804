import type { Column } from './column.ts'
import { limits } from './limits.ts'
import { checkRenames, isName, namePattern } from './names.ts'
import { type ColumnType, canonicalValue, type ValueCheck, type ValueRules, valueCheck } from './value.ts'

export type TableColumns = { readonly [column: string]: Column }
export type SchemaTables = { readonly [table: string]: TableColumns }

/** A column as the stages use it. `key` is its short name inside a JSON parameter. */
export interface TableColumn {
  readonly name: string
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
  readonly columns: readonly TableColumn[]
  /**
   * Place of a column in `columns` by its name. A map, so that `__proto__` and friends are plain
   * unknown names.
   */
  readonly places: ReadonlyMap<string, number>
  /** The names that columns had, by those that they have. */
  readonly renamedFrom: ReadonlyMap<string, string>
}

/** All synced tables. The type parameter carries the declaration to the row types. */
export interface Schema<Tables extends SchemaTables = SchemaTables> {
  readonly tables: readonly Table[]
  readonly tablesByName: ReadonlyMap<string, Table>
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
/** The row of a put: a column that is nullable or has a default may be left out. */
export type PutRow<S extends Schema, Name extends TableName<S>> = {
  -readonly [C in keyof Declared<S>[Name] as Declared<S>[Name][C] extends Column<unknown, false> ? C : never]: ValueOf<
    Declared<S>[Name][C]
  >
} & {
  -readonly [C in keyof Declared<S>[Name] as Declared<S>[Name][C] extends Column<unknown, true> ? C : never]?: ValueOf<
    Declared<S>[Name][C]
  >
}
/** The row of a patch: the columns that change. */
export type PatchRow<S extends Schema, Name extends TableName<S>> = Partial<Row<S, Name>>
export type TableName<S extends Schema> = keyof Declared<S> & string
type Declared<S extends Schema> = S extends Schema<infer Tables> ? Tables : never
type ValueOf<C> = C extends Column<infer Value, boolean> ? Value : never

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

/**
 * Declares the synced tables. Names are lower case with digits and underscores, so that no database
 * folds or quotes them differently. Throws a `TypeError` that says what to write instead.
 */
export function defineSchema<const Tables extends SchemaTables>(
  declared: Tables,
  { messages = {}, renamedFrom = {} }: SchemaOptions = {},
): Schema<Tables> {
  const tables = Object.entries(declared).map(([name, columns]) => defineTable(name, columns))
  if (tables.length > limits.tablesMax) throw new TypeError(`A schema has ${limits.tablesMax} tables at the most`)
  const names = new Set(tables.map(({ name }) => name))
  for (const { name } of tables) {
    // Postgres cuts what it makes of a table's name at 63 letters.
    for (const index of [`${name}_position`, `${name}_position_living`, `${name.slice(0, 58)}_pkey`]) {
      if (names.has(index))
        throw new TypeError(`The table ${index} has the name of an index of the table ${name}: rename one`)
    }
  }
  const renames = Object.entries(renamedFrom)
  checkRenames('table', renames, names)
  return Object.freeze({
    tables,
    tablesByName: new Map(tables.map((table) => [table.name, table])),
    messages: new Map(Object.entries(messages)),
    renamedFrom: new Map(renames),
  })
}

export interface SchemaOptions {
  /**
   * What a client is told where it breaks a constraint of the app's own, by its name: that of a
   * constraint or unique index, or on SQLite the text that a trigger raises. A client learns the
   * name too.
   */
  readonly messages?: Readonly<Record<string, string>>
  /**
   * The names that tables had before, by those that they have: `{ tasks: 'todos' }`. For
   * `generate`, as that of a column.
   */
  readonly renamedFrom?: Readonly<Record<string, string>>
}

function defineTable(name: string, declared: TableColumns): Table {
  if (!isName(name) || /^(driftline|sqlite|pg)_/.test(name)) {
    throw new TypeError(
      `The table name ${JSON.stringify(name)} must match ${namePattern} and not begin with driftline_, sqlite_ or pg_`,
    )
  }
  // The first has an index whose name SQLite keeps for itself; the others would hide what is read
  // from.
  if (name === 'sqlite' || /^(json_each|json_tree|pragma_.*)$/.test(name))
    throw new TypeError(`The table ${name} has a name that SQLite keeps for itself`)
  const columns = Object.entries(declared).map(([columnName, column], place): TableColumn => {
    const where = `${name}.${columnName}`
    if (!isName(columnName)) throw new TypeError(`The column name ${where} must match ${namePattern}`)
    if (postgresColumns.includes(columnName))
      throw new TypeError(`The column ${where} has a name that Postgres keeps for itself`)
    if ((systemColumns as readonly string[]).includes(columnName)) {
      throw new TypeError(`The column ${where} has a name that driftline uses itself: ${systemColumns.join(', ')}`)
    }
    const { type, nullable, rules } = column
    return {
      name: columnName,
      type,
      nullable,
      default: column.default,
      rules,
      key: `c${place}$`,
      check: valueCheck(type, rules),
      canonical: type === 'timestamp' ? (value) => canonicalValue(type, rules, value) : undefined,
    }
  })
  if (columns.length === 0 || columns.length > limits.columnsMax) {
    throw new TypeError(`The table ${name} needs 1 to ${limits.columnsMax} columns`)
  }
  const places = new Map(columns.map((column, place) => [column.name, place]))
  const renames = Object.entries(declared).flatMap(([column, { renamedFrom: from }]): [string, string][] =>
    from === undefined ? [] : [[column, from]],
  )
  checkRenames('column', renames, new Set(places.keys()), `${name}.`)
  return Object.freeze({ name, columns, places, renamedFrom: new Map(renames) })
}

const postgresColumns = ['ctid', 'xmin', 'xmax', 'cmin', 'cmax', 'tableoid']
