import type { Schema, Table, TableColumn } from '../sync/table.ts'
import { addColumn, columnType, createTable, createTables, type DialectName } from './ddl.ts'

/** The schema that the migrations lead to, as migrations/schema.json keeps it: by table and column. */
export type Snapshot = Readonly<
  Record<
    string,
    Readonly<Record<string, { readonly type: string; readonly nullable: boolean; readonly default?: unknown }>>
  >
>

export function snapshotOf(schema: Schema): Snapshot {
  return Object.fromEntries(
    schema.tables.map(({ name, columns }) => [
      name,
      Object.fromEntries(
        columns.map(({ name: column, type, nullable, default: value }) => [
          column,
          { type, nullable, ...(value !== undefined && { default: value }) },
        ]),
      ),
    ]),
  )
}

/** What brings a database from a snapshot to a schema, or why it must be written by hand. */
export interface Plan {
  readonly statements: Record<DialectName, string[]>
  readonly refusals: readonly string[]
}

/** New tables and new columns only. Everything else could lose data, so a person writes it. */
export function planMigration(before: Snapshot | undefined, schema: Schema): Plan {
  if (!before)
    return {
      statements: { postgres: createTables(schema, 'postgres'), sqlite: createTables(schema, 'sqlite') },
      refusals: [],
    }
  const statements: Record<DialectName, string[]> = { postgres: [], sqlite: [] }
  const refusals: string[] = []
  const add = (make: (dialect: DialectName) => readonly string[]) => {
    for (const dialect of ['postgres', 'sqlite'] as const) statements[dialect].push(...make(dialect))
  }
  for (const table of schema.tables) {
    const columns = before[table.name]
    if (!columns) {
      add((dialect) => createTable(table, dialect))
      continue
    }
    for (const column of table.columns) {
      const old = columns[column.name]
      if (!old) {
        const refusal = addedColumn(table, column, add)
        if (refusal) refusals.push(refusal)
      } else if (old.type !== column.type) {
        refusals.push(
          `${table.name}.${column.name} was ${old.type} and is ${column.type}: write by hand how its values become ${columnType('postgres', column.type)} and ${columnType('sqlite', column.type)}, or add a column of another name.`,
        )
      } else if (old.nullable !== column.nullable) {
        refusals.push(
          `${table.name}.${column.name} ${column.nullable ? 'is nullable now: drop its CHECK by hand' : `is required now: give its NULLs a value and add CHECK (deleted OR "${column.name}" IS NOT NULL) by hand`}.`,
        )
      }
    }
    for (const name of Object.keys(columns)) {
      if (!table.places.has(name))
        refusals.push(
          `${table.name}.${name} is gone: write by hand ALTER TABLE "${table.name}" DROP COLUMN "${name}", or leave it in the schema.`,
        )
    }
  }
  for (const name of Object.keys(before)) {
    if (!schema.tablesByName.has(name))
      refusals.push(`The table ${name} is gone: write by hand DROP TABLE "${name}", or leave it in the schema.`)
  }
  return { statements, refusals }
}

function addedColumn(
  table: Table,
  column: TableColumn,
  add: (make: (dialect: DialectName) => readonly string[]) => void,
): string | undefined {
  if (addColumn(table, column, 'sqlite') === undefined) {
    return `${table.name}.${column.name} is new and required: the rows that are there have no value for it. Give it a default, or make it nullable.`
  }
  add((dialect) => [addColumn(table, column, dialect) ?? ''])
  return undefined
}
