import type { Schema, Table, TableColumn } from '../model/table.ts'
import type { ColumnType } from '../model/value.ts'
import { formatLines } from './lines.ts'

/**
 * migrations/schema.json: the schema that the migrations lead to, by table and column, in so far as
 * it is in the database or fills it. What narrows a value (maxLength, oneOf) is the server's alone.
 */
export interface Snapshot {
  readonly [table: string]: { readonly [column: string]: SnapshotColumn }
}

export interface SnapshotColumn {
  readonly type: ColumnType
  readonly nullable: boolean
  readonly default?: unknown
}

export function takeSnapshot(schema: Schema): Snapshot {
  const columnOf = ({ name, type, nullable, default: value }: TableColumn): [string, SnapshotColumn] => [
    name,
    { type, nullable, ...(value !== undefined && { default: value }) },
  ]
  const tableOf = ({ name, columns }: Table): [string, Snapshot[string]] => [
    name,
    Object.fromEntries(columns.map(columnOf)),
  ]
  return Object.fromEntries(schema.tables.map(tableOf))
}

/**
 * A line for each column, which says everything by itself: where two branches add columns or tables
 * git keeps the lines of both, see `lines.ts`.
 */
export function formatSnapshot(snapshot: Snapshot): string {
  return formatLines(
    Object.entries(snapshot).flatMap(([table, columns]): Line[] => {
      const lines = Object.entries(columns).map(([name, column]): Line => [table, name, column])
      return lines.length > 0 ? lines : [[table]]
    }),
  )
}

type Line = readonly [table: string] | readonly [table: string, column: string, SnapshotColumn]

/**
 * Throws a `TypeError` where the text was made by another hand, or where two branches said
 * something else of a column.
 */
export function parseSnapshot(text: string): Snapshot {
  const lines = parse(text)
  if (isObject(lines) && Object.values(lines).every(isTable)) return lines as Snapshot
  if (!Array.isArray(lines) || !lines.every(isLine)) {
    throw new TypeError('migrations/schema.json cannot be read: put back the version that npx driftline generate wrote')
  }
  const tables = new Map<string, Map<string, SnapshotColumn>>()
  for (const [table, name, column] of lines) {
    const columns = tables.get(table) ?? new Map<string, SnapshotColumn>()
    tables.set(table, columns)
    if (name === undefined || column === undefined) continue
    const other = columns.get(name)
    if (other && JSON.stringify(other) !== JSON.stringify(column)) {
      throw new TypeError(
        `migrations/schema.json has two lines for ${table}.${name}, of two branches: leave the one that the migrations lead to`,
      )
    }
    columns.set(name, column)
  }
  return Object.fromEntries([...tables].map(([table, columns]) => [table, Object.fromEntries(columns)]))
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
  (line.length === 1 || (line.length === 3 && typeof line[1] === 'string' && isColumn(line[2])))
const isColumn = (column: unknown) =>
  isObject(column) && typeof column.type === 'string' && typeof column.nullable === 'boolean'
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Names such as constructor are plain names. */
export function own<Item>(record: { readonly [name: string]: Item }, name: string): Item | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined
}
