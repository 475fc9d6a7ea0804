import { isCounter } from '../model/merge.ts'
import { isAdopted, type Schema, type Table, type TableColumn } from '../model/table.ts'
import type { ColumnType } from '../model/value.ts'
import { type AdoptedSnapshot, isAdoptedSnapshot, snapshotOf } from './adopted/snapshot.ts'
import { stampColumnsOf } from './ddl.ts'
import { formatLines } from './lines.ts'

/**
 * migrations/schema.json: the schema that the migrations lead to, by table, in so far as it is in
 * the database or fills it. What narrows a value (maxLength, oneOf), and how most values meet, is
 * the server's alone.
 */
export interface Snapshot {
  readonly [table: string]: SnapshotTable
}

export interface SnapshotTable {
  readonly columns: { readonly [column: string]: SnapshotColumn }
  /** The names of the columns with stamps, which driftline keeps beside those of the schema. */
  readonly stamps: readonly string[]
  /** The columns of each key that is unique. */
  readonly keys: readonly (readonly string[])[]
  /** Of the app: what driftline keeps beside it follows from this alone. */
  readonly adopted?: AdoptedSnapshot
}

export interface SnapshotColumn {
  readonly type: ColumnType
  readonly nullable: boolean
  readonly default?: unknown
  /** A counter: the database keeps it within what JavaScript counts. */
  readonly counter?: true
}

export function takeSnapshot(schema: Schema): Snapshot {
  const columnOf = (column: TableColumn): [string, SnapshotColumn] => {
    const { name, type, nullable, default: value } = column
    const counts = isCounter(column) && { counter: true as const }
    return [name, { type, nullable, ...(value !== undefined && { default: value }), ...counts }]
  }
  const tableOf = (table: Table): [string, SnapshotTable] => [
    table.name,
    isAdopted(table)
      ? { columns: {}, stamps: [], keys: [], adopted: snapshotOf(table) }
      : {
          columns: Object.fromEntries(table.columns.map(columnOf)),
          stamps: stampColumnsOf(table).map(({ name }) => name),
          keys: table.unique,
        },
  ]
  return Object.fromEntries(schema.tables.map(tableOf))
}

/**
 * A line for each column, stamp and key, which says everything by itself: where two branches add
 * some, or whole tables, git keeps the lines of both, see `lines.ts`.
 */
export function formatSnapshot(snapshot: Snapshot): string {
  return formatLines(
    Object.entries(snapshot).flatMap(([table, { columns, stamps, keys, adopted }]): Line[] => {
      const lines = [
        ...(adopted ? [[table, { adopted }] as const] : []),
        ...Object.entries(columns).map(([name, column]): Line => [table, name, column]),
        ...stamps.map((stamp): Line => [table, { stamp }]),
        ...keys.map((unique): Line => [table, { unique }]),
      ]
      return lines.length > 0 ? lines : [[table]]
    }),
  )
}

type Line =
  | readonly [table: string]
  | readonly [table: string, Beside]
  | readonly [table: string, column: string, SnapshotColumn]
type Beside =
  | { readonly stamp: string }
  | { readonly unique: readonly string[] }
  | { readonly adopted: AdoptedSnapshot }

/**
 * Throws a `TypeError` where the text was made by another hand, or where two branches said
 * something else of a column.
 */
export function parseSnapshot(text: string): Snapshot {
  const lines = parse(text)
  if (isObject(lines) && Object.values(lines).every(isTable)) {
    const tables = Object.entries(lines as { [table: string]: SnapshotTable['columns'] })
    return Object.fromEntries(tables.map(([table, columns]) => [table, { columns, stamps: [], keys: [] }]))
  }
  if (!Array.isArray(lines) || !lines.every(isLine)) {
    throw new TypeError('migrations/schema.json cannot be read: put back the version that npx driftline generate wrote')
  }
  const tables = new Map<string, { columns: Map<string, SnapshotColumn>; beside: Map<string, Beside> }>()
  for (const [table, name, column] of lines) {
    const { columns, beside } = tables.get(table) ?? { columns: new Map(), beside: new Map() }
    tables.set(table, { columns, beside })
    if (typeof name === 'object') beside.set(JSON.stringify(name), name)
    if ([...beside.values()].filter((one) => 'adopted' in one).length > 1) {
      throw new TypeError(
        `migrations/schema.json has two lines for the adopted table ${table}, of two branches: leave the one that the migrations lead to`,
      )
    }
    if (typeof name !== 'string' || column === undefined) continue
    const other = columns.get(name)
    if (other && JSON.stringify(other) !== JSON.stringify(column)) {
      throw new TypeError(
        `migrations/schema.json has two lines for ${table}.${name}, of two branches: leave the one that the migrations lead to`,
      )
    }
    columns.set(name, column)
  }
  return Object.fromEntries(
    [...tables].map(([table, { columns, beside }]): [string, SnapshotTable] => {
      const adopted = [...beside.values()].flatMap((one) => ('adopted' in one ? [one.adopted] : []))[0]
      return [
        table,
        {
          columns: Object.fromEntries(columns),
          stamps: [...beside.values()].flatMap((one) => ('stamp' in one ? [one.stamp] : [])),
          keys: [...beside.values()].flatMap((one) => ('unique' in one ? [one.unique] : [])),
          ...(adopted && { adopted }),
        },
      ]
    }),
  )
}

/** Where each of two branches has added the first line, the comma between them is missing. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text.replaceAll(/\]\n(?=\[)/g, '],\n'))
  } catch {
    return undefined
  }
}

/** As the file was before it had lines: tables by their names, columns by theirs. */
const isTable = (table: unknown) => isObject(table) && Object.values(table).every(isColumn)
const isLine = (line: unknown): line is Line =>
  Array.isArray(line) &&
  typeof line[0] === 'string' &&
  (line.length === 1 ||
    (line.length === 2 && isBeside(line[1])) ||
    (line.length === 3 && typeof line[1] === 'string' && isColumn(line[2])))
const isBeside = (beside: unknown): beside is Beside =>
  isObject(beside) &&
  (typeof beside.stamp === 'string' ||
    isAdoptedSnapshot(beside.adopted) ||
    (Array.isArray(beside.unique) &&
      beside.unique.length > 0 &&
      beside.unique.every((name) => typeof name === 'string')))
const isColumn = (column: unknown) =>
  isObject(column) && typeof column.type === 'string' && typeof column.nullable === 'boolean'
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Names such as constructor are plain names. */
export function own<Item>(record: { readonly [name: string]: Item }, name: string): Item | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined
}
