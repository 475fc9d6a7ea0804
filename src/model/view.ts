import { checksum } from './packed.ts'
import { type Schema, type Table, type TableColumn, withTables } from './table.ts'

/**
 * What an app knows of the schema: all of it, as a backend does; the version that it has; or the
 * columns of each table, by the names that it has for them.
 */
export type AppColumns = 'all' | number | ReadonlyMap<string, ReadonlySet<string>>

/**
 * The schema as an app sees it (RULES 2.7): the tables that it knows, under the names that it has
 * for them, and of their columns those that it does not know as hidden ones, which a put leaves as
 * they are.
 */
export function viewOf(schema: Schema, app: AppColumns | undefined): Schema {
  if (app === 'all') return schema
  if (app === undefined) return viewOfSilent(schema, noNames)
  return viewWith(schema, (table) => {
    const from = schema.renamedFrom.get(table.name)
    const wire = isKnown(app, table.name, schema.since.get(table.name)) ? table.name : from
    if (wire === undefined || (typeof app !== 'number' && !app.has(wire))) return undefined
    const columns = table.columns.map((column) => viewColumn(table, column, wire, app))
    return columns.every(({ hidden }) => hidden) ? undefined : viewTable(table, wire, columns)
  })
}

/**
 * The schema as an app sees it that says nothing. Where the schema says since when columns are
 * known such an app may well have version 1: then it sees them all, and has the names of version 1,
 * and a put leaves later columns as they are, but those that its change set names: `todos.notes`.
 */
export function viewOfSilent(schema: Schema, named: ReadonlySet<string>): Schema {
  if (latestVersion(schema) === undefined) return schema
  return viewWith(schema, (table) => {
    const isLater = schema.since.has(table.name)
    const wire = isLater ? (schema.renamedFrom.get(table.name) ?? table.name) : table.name
    const columns = table.columns.map((column): TableColumn => {
      const from = table.renamedFrom.get(column.name)
      if (column.since === undefined || from !== undefined)
        return { ...column, wire: isOld(column, from) ? from : column.name }
      return named.has(`${table.name}.${column.name}`) ? column : { ...column, kept: true }
    })
    const aliases = columns.flatMap(({ name, wire: old }) => (old === name ? [] : [[name, old] as const]))
    return viewTable(table, wire, columns, aliases)
  })
}

const isOld = ({ since }: TableColumn, from: string | undefined): from is string =>
  since !== undefined && from !== undefined

const noNames: ReadonlySet<string> = new Set()

function viewWith(schema: Schema, view: (table: Table) => Table | undefined): Schema {
  const tables = schema.tables.flatMap((table) => view(table) ?? [])
  return Object.freeze({ ...schema, ...withTables(tables, schema.renamedFrom) })
}

/** The later columns that puts of an app name which does not say what it knows. */
export function namedLater(schema: Schema, changes: readonly unknown[]): ReadonlySet<string> {
  const later = new Map<string, readonly string[]>()
  for (const { name, columns } of schema.tables) {
    const names = columns.flatMap((column) => (column.since === undefined ? [] : [column.name]))
    if (names.length > 0) later.set(name, names)
  }
  const named = new Set<string>()
  if (later.size === 0) return named
  for (const change of changes) {
    const { table, op, row } = Object(change) as { table?: unknown; op?: unknown; row?: unknown }
    if (op !== 'put' || typeof table !== 'string') continue
    for (const name of later.get(table) ?? []) if (Object.hasOwn(Object(row), name)) named.add(`${table}.${name}`)
  }
  return named
}

/** The version of the app that knows everything, where the schema says so. */
export function latestVersion({ tables, since }: Schema): number | undefined {
  const versions = tables.flatMap(({ columns }) => columns.flatMap((column) => column.since ?? []))
  const all = [...since.values(), ...versions]
  return all.length > 0 ? Math.max(...all) : undefined
}

type Said = Exclude<AppColumns, 'all'>

function isKnown(app: Said, name: string, since = 1): boolean {
  return typeof app === 'number' ? since <= app : app.has(name)
}

function viewColumn(table: Table, column: TableColumn, wire: string, app: Said): TableColumn {
  const from = table.renamedFrom.get(column.name)
  const knows = (name: string) => typeof app !== 'number' && app.get(wire)?.has(name) === true
  if (typeof app === 'number' ? (column.since ?? 1) <= app : knows(column.name)) return column
  if (from !== undefined && (typeof app === 'number' || knows(from))) return { ...column, wire: from }
  return { ...column, hidden: true, kept: true }
}

function viewTable(
  table: Table,
  wire: string,
  columns: readonly TableColumn[],
  more: readonly (readonly [alias: string, wire: string])[] = [],
): Table {
  const places = new Map(columns.flatMap((column, place) => (column.hidden ? [] : [[column.wire, place] as const])))
  const aliases = new Map([...table.aliases, ...more].filter(([from, to]) => !places.has(from) && places.has(to)))
  return Object.freeze({ ...table, wire, columns, places, aliases })
}

/**
 * The columns with which rows were handed out, and their tables: a number of 24 bits for each, in
 * order. Two of a schema are the same by chance in one of a million schemas.
 */
export type Known = readonly number[]

export function knownOf({ tables }: Pick<Schema, 'tables'>): Known {
  const all = tables.flatMap((table) => [tableMark(table), ...shown(table).map((column) => columnMark(table, column))])
  return [...new Set(all)].sort((a, b) => a - b)
}

/** Whether a put leaves some columns as they are. */
export const isPartial = ({ columns }: Table): boolean => columns.some(({ kept }) => kept)

/** The columns that an app sees. */
export const shown = ({ columns }: Table): readonly TableColumn[] => columns.filter(({ hidden }) => !hidden)

export const tableMark = ({ wire }: Table): number => markOf(wire)

/** A column whose values have another form now is another column. */
export const columnMark = ({ wire: table }: Table, { wire, type, rules }: TableColumn): number =>
  markOf(`${table}.${wire} ${type}${rules.digits ?? ''}`)

/** Whether all of these columns are among the others. */
export function isCovered(known: Known, by: Known): boolean {
  if (known === by) return true
  let at = 0
  // Both are in order.
  for (const mark of known) {
    while (at < by.length && (by[at] as number) < mark) at++
    if (by[at] !== mark) return false
  }
  return true
}

export const isSameKnown = (one: Known | undefined, other: Known): boolean =>
  one === other || (one?.length === other.length && isCovered(other, one))

function markOf(text: string): number {
  let hash = checksum(encoder.encode(text))
  // The last letters have moved only the low bits so far.
  hash = Math.imul(hash ^ (hash >>> 16), 0x45d9f3b)
  return (hash ^ (hash >>> 13)) >>> 8
}

const encoder = new TextEncoder()
