import { adoptedOf, isOwnName } from './adopted.ts'
import type { Column } from './column.ts'
import { limits } from './limits.ts'
import { checkRenames, checkRetired, isName, namePattern } from './names.ts'
import { byColumnMark, systemColumns, type Table, type TableColumn, type TableColumns } from './table.ts'
import { canonicalValue, valueCheck } from './value.ts'

interface TableOptions {
  readonly retired?: true | readonly string[] | undefined
  readonly unique?: readonly (readonly string[])[] | undefined
  readonly rewrites?: boolean
}

export function defineTable(
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
  const adopted = adoptedOf(declared)
  const columns = Object.entries(declared).map(([columnName, column], place): TableColumn => {
    const where = `${name}.${columnName}`
    if (adopted) checkAdopted(where, columnName, column)
    else if (!isName(columnName)) throw new TypeError(`The column name ${where} must match ${namePattern}`)
    if (postgresColumns.includes(columnName))
      throw new TypeError(`The column ${where} has a name that Postgres keeps for itself`)
    const isSystem = (systemColumns as readonly string[]).includes(columnName)
    if (isSystem && !adopted) {
      throw new TypeError(`The column ${where} has a name that driftline uses itself: ${systemColumns.join(', ')}`)
    }
    const { type, nullable, rules } = column
    if (columnName.length === 63 && (column.merge === 'counter' || Object.hasOwn(declared, byColumnMark)))
      throw new TypeError(`The column ${where} must have 62 letters at most: a column with its stamp stands beside it`)
    if (column.readonly && !adopted)
      throw new TypeError(`The column ${where} is readonly, which only a column of a table that is adopted can be`)
    return {
      name: isSystem ? `${columnName}$` : columnName,
      wire: columnName,
      ...(isSystem && { source: columnName }),
      ...(column.since !== undefined && { since: column.since }),
      ...(column.merge && { merge: column.merge }),
      ...(column.filled && { filled: column.filled }),
      ...(column.readonly && { readonly: true }),
      type,
      nullable,
      default: column.default,
      rules,
      key: `c${place}$`,
      check: valueCheck(type, rules),
      canonical: type === 'timestamp' ? (value) => canonicalValue(type, rules, value) : undefined,
    }
  })
  if (adopted && (Object.hasOwn(declared, byColumnMark) || unique.length > 0))
    throw new TypeError(`The table ${name} is adopted: it has no byColumn and no unique of the schema`)
  if (columns.length === 0 || columns.length > limits.columnsMax) {
    throw new TypeError(`The table ${name} needs 1 to ${limits.columnsMax} columns`)
  }
  const places = new Map(columns.map((column, place) => [column.wire, place]))
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
    // A database may make something else of what it gets.
    rewrites: rewrites || adopted !== undefined,
    ...(adopted && { adopted }),
  })
}

/** Its columns are the app's, which has rules of its own for what is unique and how values meet. */
function checkAdopted(where: string, name: string, column: Column): void {
  if (!isOwnName(name)) throw new TypeError(`The column name ${where} must be of letters, digits and _`)
  if (column.merge || column.filled || column.unique)
    throw new TypeError(`The column ${where} is of a table that is adopted: it has no merge, filled or unique`)
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
