import { checksum } from './packed.ts'
import { type Schema, type Table, type TableColumn, withTables } from './table.ts'

/**
 * What an app knows of the schema: all of it, as a backend does; the version that it has; or the
 * columns of each table, by the names that it has for them.
 */
export type AppColumns = 'all' | number | ReadonlyMap<string, ReadonlySet<string>>

/**
 * The schema as an app sees it (RULES 2.7): the tables that it knows, under the names that it has
 * for them, and of their columns those that it does not know as hidden ones. Of an app that says
 * nothing it is the whole schema, unless that says since when columns are known: then such an app
 * has version 1.
 */
export function viewOf(schema: Schema, app: AppColumns | undefined): Schema {
  if (app === 'all' || (app === undefined && latestVersion(schema) === undefined)) return schema
  const known = app ?? 1
  const tables = schema.tables.flatMap((table) => {
    const from = schema.renamedFrom.get(table.name)
    const since = schema.since.get(table.name)
    const wire = isKnown(known, table.name, since) ? table.name : from
    if (wire === undefined || (typeof known !== 'number' && !known.has(wire))) return []
    const columns = table.columns.map((column) => viewColumn(table, column, wire, known))
    return columns.every(({ hidden }) => hidden) ? [] : [viewTable(table, wire, columns)]
  })
  return Object.freeze({ ...schema, ...withTables(tables, schema.renamedFrom) })
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
  return { ...column, hidden: true }
}

function viewTable(table: Table, wire: string, columns: readonly TableColumn[]): Table {
  const places = new Map(columns.flatMap((column, place) => (column.hidden ? [] : [[column.wire, place] as const])))
  const aliases = new Map([...table.aliases].filter(([from, to]) => !places.has(from) && places.has(to)))
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

/** Whether the app does not know all columns. */
export const isPartial = ({ columns }: Table): boolean => columns.some(({ hidden }) => hidden)

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
