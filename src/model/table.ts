import { type Column, checkSince, type Filled, type MergeRule } from './column.ts'
import { limits } from './limits.ts'
import { checkRenames, checkRetired, isName, namePattern } from './names.ts'
import { type ColumnType, canonicalValue, type ValueCheck, type ValueRules, valueCheck } from './value.ts'

export type TableColumns = { readonly [column: string]: Column }

/** Stands beside the columns of a table, where each has a stamp of its own. */
const byColumnMark = Symbol.for('driftline.byColumn')

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
}

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
  { messages = {}, renamedFrom = {}, retired = {}, since = {}, unique = {}, rewrites = [] }: SchemaOptions = {},
): Schema<Tables> {
  const retiredOf = (name: string) => (Object.hasOwn(retired, name) ? retired[name] : undefined)
  const keysOf = (name: string) => (Object.hasOwn(unique, name) ? unique[name] : undefined)
  const tables = Object.entries(declared).map(([name, columns]) =>
    defineTable(name, columns, {
      retired: retiredOf(name),
      unique: keysOf(name),
      rewrites: rewrites.includes(name),
    }),
  )
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
  const gone = Object.keys(retired).filter((name) => !names.has(name))
  for (const name of gone)
    if (retired[name] !== true) throw new TypeError(`retired names columns of ${name}, which is no table: write true`)
  checkRetired('table', gone, names, new Set(Object.values(renamedFrom)))
  for (const name of [...Object.keys(unique), ...rewrites])
    if (!names.has(name)) throw new TypeError(`unique or rewrites names ${name}, which is no table of the schema`)
  for (const [name, version] of Object.entries(since)) {
    if (!names.has(name)) throw new TypeError(`since names ${name}, which is no table of the schema`)
    checkSince(name, version)
  }
  return Object.freeze({
    ...withTables(tables, renames),
    messages: new Map(Object.entries(messages)),
    renamedFrom: new Map(renames),
    retired: new Set(gone),
    since: new Map(Object.entries(since)),
  })
}

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

export interface SchemaOptions {
  /**
   * What a client is told where it breaks a constraint of the app's own, by its name: that of a
   * constraint or unique index, or on SQLite the text that a trigger raises. A client learns the
   * name too.
   */
  readonly messages?: Readonly<Record<string, string>>
  /**
   * The names that tables had before, by those that they have: `{ tasks: 'todos' }`. As that of a
   * column.
   */
  readonly renamedFrom?: Readonly<Record<string, string>>
  /**
   * What is gone, and apps in the field still send: `{ todos: ['color'], labels: true }`, columns
   * of a table, or a whole table. It is accepted and dropped.
   */
  readonly retired?: Readonly<Record<string, true | readonly string[]>>
  /** The versions of the app that were the first to know tables. As that of a column. */
  readonly since?: Readonly<Record<string, number>>
  /**
   * Keys over several columns that are unique among the living rows of a scope: `{ members:
   * [['team', 'email']] }`. Where one of the columns is null there is no key.
   */
  readonly unique?: Readonly<Record<string, readonly (readonly string[])[]>>
  /**
   * Tables whose triggers, defaults or generated columns change what is sent: writers always get
   * what is stored.
   */
  readonly rewrites?: readonly string[]
}

interface TableOptions {
  readonly retired?: true | readonly string[] | undefined
  readonly unique?: readonly (readonly string[])[] | undefined
  readonly rewrites?: boolean
}

function defineTable(
  name: string,
  declared: TableColumns,
  { retired = [], unique = [], rewrites = false }: TableOptions,
): Table {
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
    if (columnName.length === 63 && (column.merge === 'counter' || Object.hasOwn(declared, byColumnMark)))
      throw new TypeError(`The column ${where} must have 62 letters at most: a column with its stamp stands beside it`)
    return {
      name: columnName,
      wire: columnName,
      ...(column.since !== undefined && { since: column.since }),
      ...(column.merge && { merge: column.merge }),
      ...(column.filled && { filled: column.filled }),
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
  const names = new Set(places.keys())
  checkRenames('column', renames, names, `${name}.`)
  if (retired === true) throw new TypeError(`retired says true of the table ${name}, which is there: name its columns`)
  checkRetired('column', retired, names, new Set(renames.map(([, from]) => from)), `${name}.`)
  const aliases = new Map(renames.map(([column, from]) => [from, column]))
  return Object.freeze({
    ...{ name, wire: name, columns, places, aliases },
    renamedFrom: new Map(renames),
    retired: new Set(retired),
    byColumn: Object.hasOwn(declared, byColumnMark),
    unique: keysOf(name, declared, unique),
    rewrites,
  })
}

/** Keys of one column, which say it there, and those over several. */
function keysOf(
  table: string,
  declared: TableColumns,
  wider: readonly (readonly string[])[],
): readonly (readonly string[])[] {
  const single = Object.entries(declared).flatMap(([column, { unique }]) => (unique ? [[column]] : []))
  const keys = [...single, ...wider]
  for (const key of keys) {
    const [first] = key
    if (first === undefined || new Set(key).size < key.length)
      throw new TypeError(`unique of ${table} must name the columns of each key, each once: [['team', 'email']]`)
    for (const name of key) {
      const column = Object.hasOwn(declared, name) ? declared[name] : undefined
      if (!column) throw new TypeError(`unique of ${table} names ${name}, which is no column of it`)
      // Databases disagree on which decimals are equal: 1.0 and 1.00.
      if (column.type === 'json' || column.type === 'decimal' || column.merge || column.filled)
        throw new TypeError(
          `${table}.${name} cannot be part of a unique key: it is json or a decimal, or its value is not only what is sent`,
        )
    }
  }
  if (new Set(keys.map((key) => key.toSorted().join())).size < keys.length)
    throw new TypeError(`unique of ${table} has the same key twice`)
  return keys
}

const postgresColumns = ['ctid', 'xmin', 'xmax', 'cmin', 'cmax', 'tableoid']
