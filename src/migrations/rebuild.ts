import type { Table } from '../model/table.ts'
import { quoted } from '../sql/dialect.ts'
import { alter } from './advice.ts'
import { createLivingIndex, createPositionIndex, createRows, rowColumns } from './ddl.ts'

/**
 * Makes a table of SQLite anew, with the columns of the schema and every row as it is, stamps and
 * positions among them. `values` are the expressions of columns that do not come over as they are.
 */
export function rebuild(table: Table, values: ReadonlyMap<string, string>): string[] {
  const { name, columns } = table
  const next = `${name.slice(0, 58)}_new$`
  const kept = rowColumns.map((column) => column.name)
  const into = [...kept, ...columns.map((column) => quoted(column.name))].join(', ')
  const from = [...kept, ...columns.map((column) => values.get(column.name) ?? quoted(column.name))].join(', ')
  return [
    createRows(table, 'sqlite', next),
    `INSERT INTO ${quoted(next)} (${into})\nSELECT ${from} FROM ${quoted(name)}`,
    `DROP TABLE ${quoted(name)}`,
    `${alter(next)} RENAME TO ${quoted(name)}`,
    createPositionIndex(name),
    createLivingIndex(name),
  ]
}
