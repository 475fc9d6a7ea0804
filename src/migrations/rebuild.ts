import type { Table } from '../model/table.ts'
import { quoted } from '../sql/quoted.ts'
import { alter } from './advice.ts'
import {
  createLivingIndex,
  createPositionIndex,
  createRows,
  createUniqueIndex,
  rowColumns,
  stampColumnsOf,
} from './ddl.ts'

/**
 * Makes a table of SQLite anew, with the columns of the schema and every row as it is, stamps and
 * positions among them. `values` are the expressions of columns that do not come over as they are,
 * `keys` the unique ones that the table has by then.
 */
export function rebuild(
  table: Table,
  values: ReadonlyMap<string, string>,
  keys: Table['unique'] = table.unique,
): string[] {
  const { name, columns } = table
  const next = `${name.slice(0, 58)}_new$`
  const kept = rowColumns.map((column) => column.name)
  const stamps = stampColumnsOf(table).map((column) => quoted(column.name))
  const into = [...kept, ...columns.map((column) => quoted(column.name)), ...stamps].join(', ')
  const expression = (column: string) => values.get(column) ?? quoted(column)
  const from = [...kept, ...columns.map((column) => expression(column.name)), ...stamps].join(', ')
  return [
    createRows(table, 'sqlite', next),
    `INSERT INTO ${quoted(next)} (${into})\nSELECT ${from} FROM ${quoted(name)}`,
    `DROP TABLE ${quoted(name)}`,
    `${alter(next)} RENAME TO ${quoted(name)}`,
    createPositionIndex(name),
    createLivingIndex(name),
    ...keys.map((key) => createUniqueIndex(name, key)),
  ]
}
