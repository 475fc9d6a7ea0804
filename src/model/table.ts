import { limits } from './limits.ts'
import { checkRenames, isName, namePattern } from './names.ts'
import type { SecondDigits } from './time.ts'
import {
  type ColumnType,
  canonicalValue,
  type JsonValue,
  type ValueCheck,
  type ValueRules,
  valueCheck,
} from './value.ts'

/** One declared column. `Value` is what a row holds, `Optional` whether a put may leave it out. */
export interface Column<Value = unknown, Optional extends boolean = boolean> {
  readonly type: ColumnType
  readonly nullable: boolean
  /**
   * What a put that leaves the column out writes. Absent: NULL where nullable, else the change is
   * rejected.
   */
  readonly default?: Value
  readonly rules: ValueRules
  /** The name that the column had: its migration keeps what is stored. */
  readonly renamedFrom?: string
  /** Never set: carries `Optional` to the row types. */
  readonly optional?: Optional
}

interface Common<Value> {
  readonly nullable?: true
  readonly default?: Value
  /**
   * The name that the column had before, for `generate`. It may go once the migration is written.
   */
  readonly renamedFrom?: string
}
interface TextOptions<Value extends string> extends Common<Value> {
  readonly maxLength?: number
  readonly oneOf?: readonly Value[]
}
interface DecimalOptions extends Common<string> {
  /**
   * Digits in all, at the most. With `scale`, `precision - scale` of them before the point, as
   * `numeric` has it.
   */
  readonly precision?: number
  /** Digits behind the point, at the most. */
  readonly scale?: number
}
interface TimestampOptions extends Common<string> {
  /** Digits of a second that are kept: 3 unless it is said. */
  readonly digits?: SecondDigits
}
type Known<Options, Allowed> = Options & { readonly [K in Exclude<keyof Options, keyof Allowed>]: never }
type ColumnOf<Value, Options> = Options extends { nullable: true }
  ? Column<Value | null, true>
  : Column<Value, Options extends { default: unknown } ? true : false>

export function text<const Value extends string = string, const O extends TextOptions<Value> = TextOptions<Value>>(
  options?: Known<O, TextOptions<string>> & { readonly oneOf?: readonly Value[] },
): ColumnOf<O extends { oneOf: readonly (infer One)[] } ? One : string, O> {
  return column('text', options)
}
/** Safe integers: bigint in Postgres, INTEGER in SQLite. */
export function integer<const O extends Common<number> = object>(
  options?: Known<O, Common<number>>,
): ColumnOf<number, O> {
  return column('integer', options)
}
/** Finite doubles: double precision in Postgres, REAL in SQLite. */
export function real<const O extends Common<number> = object>(options?: Known<O, Common<number>>): ColumnOf<number, O> {
  return column('real', options)
}
/**
 * A number of up to 1,000 digits that is kept as it is written, as text on the wire: `"1234.50"`.
 * Noughts at its end are kept, too. numeric in Postgres, TEXT in SQLite. `precision` and `scale`
 * are the server's checks.
 */
export function decimal<const O extends DecimalOptions = object>(
  options?: Known<O, DecimalOptions>,
): ColumnOf<string, O> {
  return column('decimal', options)
}
export function boolean<const O extends Common<boolean> = object>(
  options?: Known<O, Common<boolean>>,
): ColumnOf<boolean, O> {
  return column('boolean', options)
}
/** Any JSON value but a bare null, kept as its compact text. */
export function json<const O extends Common<JsonValue> = object>(
  options?: Known<O, Common<JsonValue>>,
): ColumnOf<JsonValue, O> {
  return column('json', options)
}
/**
 * A time: any of RFC 3339 with its offset, with no more digits than it keeps. It is stored and
 * comes back in UTC, `2026-01-31T08:30:00.000Z`, or with six digits. timestamptz in Postgres, TEXT
 * in SQLite.
 */
export function timestamp<const O extends TimestampOptions = object>(
  options?: Known<O, TimestampOptions>,
): ColumnOf<string, O> {
  return column('timestamp', options)
}
/** A UUID in lower case: uuid in Postgres, TEXT in SQLite. */
export function uuid<const O extends Common<string> = object>(options?: Known<O, Common<string>>): ColumnOf<string, O> {
  return column('uuid', options)
}
/** Bytes, as base64url without padding on the wire: bytea in Postgres, BLOB in SQLite. */
export function bytes<const O extends Common<string> = object>(
  options?: Known<O, Common<string>>,
): ColumnOf<string, O> {
  return column('bytes', options)
}

/** The options of a type beside those of all, and what each must be. */
const rulesOf: {
  readonly [type in ColumnType]?: { readonly [rule in keyof ValueRules]: ((value: unknown) => boolean) | null }
} = {
  text: { maxLength: null, oneOf: null },
  decimal: { precision: (value) => isCount(value, 1), scale: (value) => isCount(value, 0) },
  timestamp: { digits: (value) => value === 3 || value === 6 },
}
const isCount = (value: unknown, least: number) =>
  Number.isInteger(value) && (value as number) >= least && (value as number) <= limits.decimalDigitsMax

function column<Result>(type: ColumnType, options: object = {}): Result {
  const known = rulesOf[type] ?? {}
  const allowed = ['nullable', 'default', 'renamedFrom', ...Object.keys(known)]
  for (const [key, value] of Object.entries(options)) {
    if (!allowed.includes(key)) throw new TypeError(`${type}() has no option ${key}; it takes ${allowed.join(', ')}`)
    if (value !== undefined && known[key as keyof ValueRules]?.(value) === false) {
      const range = key === 'digits' ? '3 or 6' : `an integer up to ${limits.decimalDigitsMax}`
      throw new TypeError(`${type}(): ${key} must be ${range}`)
    }
  }
  const {
    nullable = false,
    default: preset,
    renamedFrom,
    ...rules
  } = options as { nullable?: boolean; default?: unknown; renamedFrom?: string } & ValueRules
  if (renamedFrom !== undefined && !isName(renamedFrom))
    throw new TypeError(`${type}(): renamedFrom must be the name that the column had, such as 'notes'`)
  const named = renamedFrom === undefined ? {} : { renamedFrom }
  if (rules.precision !== undefined && rules.scale !== undefined && rules.scale > rules.precision)
    throw new TypeError(`${type}(): scale must not be above precision`)
  if (preset === undefined) return { type, nullable, rules, ...named } as Result
  if (nullable) throw new TypeError(`${type}(): a column is nullable or has a default, not both`)
  const fault = valueCheck(type, rules)(preset)
  if (fault) throw new TypeError(`${type}(): the default must be ${fault}`)
  return { type, nullable, rules, ...named, default: canonicalValue(type, rules, preset) } as Result
}

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
