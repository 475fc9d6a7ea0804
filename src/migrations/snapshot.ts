import type { Schema, Table, TableColumn } from '../model/table.ts'
import type { ColumnType } from '../model/value.ts'

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

export function formatSnapshot(snapshot: Snapshot): string {
  return `${JSON.stringify(snapshot, null, 2)}\n`
}

/** Throws a `TypeError` where the text was made by another hand. */
export function parseSnapshot(text: string): Snapshot {
  const snapshot = parse(text)
  const isTable = (table: unknown) => isObject(table) && Object.values(table).every(isColumn)
  if (isObject(snapshot) && Object.values(snapshot).every(isTable)) return snapshot as Snapshot
  throw new TypeError('migrations/schema.json cannot be read: put back the version that npx driftline generate wrote')
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const isColumn = (column: unknown) =>
  isObject(column) && typeof column.type === 'string' && typeof column.nullable === 'boolean'
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Names such as constructor are plain names. */
export function own<Item>(record: { readonly [name: string]: Item }, name: string): Item | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined
}
